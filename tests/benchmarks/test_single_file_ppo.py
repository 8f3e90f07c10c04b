"""The single-file PPO that ours is measured beside computes the same: advantages and updates of `workbench.PPO`."""

import numpy as np
import pytest
import torch

import workbench as wb
from benchmarks.single_file_ppo import ACTION, ADVANTAGE, LOG_PROB, OBSERVATIONS, TARGET, SingleFilePPO
from tests.oracles import returns
from workbench.data import Batch
from workbench.spec import spec_of
from workbench.training.seeding import seeds_from

LANES, HORIZON = 8, 700


@pytest.fixture(scope="module")
def agent():
    """One that has collected for longer than an episode may last."""
    torch.set_num_threads(1)
    agent = SingleFilePPO(seed=3, lanes=LANES, horizon=HORIZON, minibatches=2, epochs=2)
    with torch.no_grad():  # balances for a while, and in some lanes until the time limit
        for p in agent.network.parameters():
            p.zero_()
        agent.network.trunk[0].weight[0] = torch.tensor([0.1, 0.4, 3.0, 1.0])
        agent.network.trunk[0].weight[1] = -agent.network.trunk[0].weight[0]
        agent.network.trunk[2].weight[:2, :2] = torch.eye(2)
        agent.network.head.weight[:, :2] = torch.tensor([[-20.0, 20.0], [20.0, -20.0], [0.5, 0.7]])
    agent.collect()
    agent.advantages()
    return agent


def test_there_are_both_kinds_of_end_and_resets_do_not_count(agent):
    truncated = agent.ended & ~agent.terminated
    assert truncated.any()
    assert agent.steps == agent.valid.sum() == HORIZON * LANES - agent.ended[:-1].sum()
    assert not agent.valid[1:][agent.ended[:-1]].any()


def test_advantages_are_those_of_the_oracle(agent):
    value = agent.value.numpy()
    arguments = (agent.reward, value[:-1], value[1:], agent.terminated, agent.ended, agent.gamma, agent.gae_lambda)
    wanted = returns.gae(*arguments)
    found = agent.rows[..., ADVANTAGE].numpy()
    assert np.abs(wanted[agent.valid]).max() > 1
    np.testing.assert_allclose(found[agent.valid], wanted[agent.valid], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(agent.rows[..., TARGET].numpy(), found + value[:-1], rtol=1e-5, atol=1e-4)


def test_stored_log_probs_are_those_of_the_actions(agent):
    rows = agent.rows[torch.from_numpy(agent.valid)]
    log_probs, _ = agent.network(rows[:, :OBSERVATIONS])
    assert set(rows[:, ACTION].tolist()) == {0.0, 1.0}
    wanted = log_probs.gather(1, rows[:, ACTION, None].long())[:, 0]
    torch.testing.assert_close(rows[:, LOG_PROB], wanted.detach(), rtol=1e-5, atol=1e-5)


def test_an_update_is_ours():
    theirs, ours = SingleFilePPO(seed=5, lanes=LANES, horizon=64, learning_rate=1e-2), wb.PPO(learning_rate=1e-2)
    env = wb.make("CartPole-v1", LANES)
    ours.setup(spec_of(env), torch.device("cpu"), seeds_from(0))
    named = dict(ours.model.named_parameters())
    pairs = {"trunk.0": "trunk.0", "trunk.1": "trunk.2", "head": "head"}
    with torch.no_grad():
        for mine, other in pairs.items():
            for kind in ("weight", "bias"):
                named[f"{mine}.{kind}"].copy_(dict(theirs.network.named_parameters())[f"{other}.{kind}"])
    theirs.collect()
    theirs.advantages()
    rows = theirs.rows[torch.from_numpy(theirs.valid)]
    for _ in range(5):
        theirs.update(rows)
        fields = {"observation": rows[:, :OBSERVATIONS], "action": rows[:, ACTION].long()}
        fields |= {"log_prob": rows[:, LOG_PROB], "advantage": rows[:, ADVANTAGE], "target": rows[:, TARGET]}
        ours.update(Batch(**fields, value=torch.zeros(len(rows))))
    for mine, other in pairs.items():
        for kind in ("weight", "bias"):
            wanted = dict(theirs.network.named_parameters())[f"{other}.{kind}"]
            torch.testing.assert_close(named[f"{mine}.{kind}"], wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.learning
def test_it_solves_cartpole():
    seconds, mean = SingleFilePPO(seed=0).solve(1_000_000)
    assert mean >= 475
    assert seconds > 0
