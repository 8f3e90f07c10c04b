"""PPO learns the smallest task whatever its options are."""

import pytest
import torch

from tests.algorithms.test_ppo import ppo
from tests.algorithms.test_ppo_options import learned
from workbench.envs import make

LEARNING = [
    *({}, {"dual_clip": 3.0, "value_clip": 0.2, "kl_penalty": 0.5}, {"kl_stop": 0.05}, {"advantage": "vtrace"}),
    *({"priority": 0.6, "segment": 4}, {"separate_critic": True}, {"squashed": True}, {"initial_std": 0.5}),
    *({"normalise_observation": True, "normalise_return": True}, {"update_rule": "muon"}, {"accumulation": 3}),
    *({"precision": "bfloat16"}, {"precision": "float16"}, {"network": "gru", "segment": 3}),
]


@pytest.mark.parametrize("settings", LEARNING, ids=str)
def test_the_smallest_task_is_learned_with_every_option(settings):
    env = make("workbench/Identity-v0", 32)
    algorithm = ppo(env, **{"entropy_coefficient": 0.0, "width": 32, "horizon": 16, **settings})
    learned(algorithm, env, rollouts=20)
    shown = torch.linspace(-1, 1, 21)[:, None]
    action, _, _ = algorithm.act(shown, None, "greedy")
    assert (action - shown).square().mean() < 0.06  # a third without looking
