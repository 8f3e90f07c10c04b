"""PPO's live hyperparameters: each takes effect while training goes on."""

import pytest
import torch

import workbench as wb
from workbench.algorithms import PPO
from workbench.hyperparameters import declared

LIVE = {
    "rho_clip": ({"advantage": "vtrace"}, 0.3),
    "c_clip": ({"advantage": "vtrace"}, 0.3),
    "kl_target": ({"kl_penalty": 1.0}, 1e-6),
    "priority_correction": ({"priority": 0.9}, 1.0),
    "gamma": ({"normalise_return": True, "gae_lambda": 0.0, "value_coefficient": 0.0}, 0.5),
    "kl_stop": ({}, 1e-9),
    "dual_clip": ({"learning_rate": 0.1}, 1.0),
    "max_gradient_norm": ({}, 1e-3),
    "value_clip": ({"learning_rate": 0.1}, 1e-3),
}
"""What a live hyperparameter matters beside, and a value that it is changed to; else half of what it is."""


@pytest.mark.parametrize("name", [name for name, each in declared(PPO).items() if each.live])
def test_every_live_hyperparameter_takes_effect_while_training_goes_on(name, tmp_path):
    settings, value = LIVE.get(name, ({}, None))
    ends = []
    for changed in (False, True):
        algorithm = PPO(horizon=16, width=16, minibatches=2, **settings)
        run_dir = tmp_path / str(changed)
        trainer = wb.Trainer("CartPole-v1", algorithm, lanes=16, seed=3, backend="torch", run_dir=run_dir)
        trainer.train(16 * 16)
        if changed:
            setattr(algorithm, name, (getattr(algorithm, name) / 2 or 0.9) if value is None else value)
        trainer.train(3 * 16 * 16)
        trainer.close()
        ends.append(torch.cat([x.detach().flatten() for x in algorithm.model.parameters()]))
    assert not torch.equal(*ends)


def test_the_return_normaliser_discounts_as_the_algorithm_does_now(tmp_path):
    algorithm = PPO(horizon=16, width=16, normalise_return=True)
    trainer = wb.Trainer("CartPole-v1", algorithm, lanes=16, seed=3, backend="torch", run_dir=tmp_path / "run")
    trainer.train(16 * 16)
    assert algorithm.returns.running.max() > 1.0
    algorithm.gamma = 0.0
    trainer.train(16 * 16)
    trainer.close()
    assert algorithm.returns.running.max() <= 1.0
