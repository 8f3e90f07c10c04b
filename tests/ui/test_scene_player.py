"""Lanes at play against the same environment stepped by hand: forward, back, and on from an earlier moment."""

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.errors import InputError
from workbench.ui.scene import player as playing
from workbench.ui.scene.moment import copied
from workbench.ui.scene.player import Player

LANES = 3


@pytest.fixture
def build(tmp_path):
    made = []

    def built(env, algorithm=None, **options):
        run = tmp_path / str(len(made))
        trainer = wb.Trainer(env, algorithm or wb.PPO(), seed=2, lanes=4, run_dir=run, **options)
        player = Player(trainer.env.like(LANES, 0), copied(trainer.algorithm), trainer.device)
        made.append((trainer, player))
        player.restart(5)
        return trainer, player

    yield built
    for trainer, player in made:
        player.env.close()
        trainer.close()


def states(player):
    return [np.array(each.state) for each in player.moments]


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1", "workbench/SimpleSpread-v0", "workbench/2048-v0"])
def test_it_plays_what_the_greedy_policy_would(build, env):
    trainer, player = build(env)
    for _ in range(30):
        player.step()
    other = trainer.env.like(LANES, 0)
    other.reset(seed=5)
    inner = getattr(other, "env", other)
    agents = other.agents
    total = np.zeros(LANES)
    for moment in player.moments[:-1]:
        assert np.array_equal(moment.state, inner.buffers.state)
        mask = None if other.action_mask is None else torch.from_numpy(other.action_mask)
        action, _, _ = trainer.algorithm.act(torch.from_numpy(other.observation), None, "greedy", mask)
        action = action.numpy()
        first = action.reshape(len(action), -1)[::agents].T
        assert np.array_equal(moment.choice, first.astype("f4"))
        assert np.array_equal(moment.taken, first.astype("f4"))
        assert moment.figures[0] == pytest.approx(total, rel=1e-5, abs=1e-5)
        other.step(action)
        ended = (other.terminated | other.truncated)[::agents]
        total = np.where(ended, 0, total + other.reward[::agents])
    other.close()


def test_a_policy_that_remembers_is_given_its_memory(build):
    trainer, player = build("CartPole-v1", wb.PPO(network="gru", horizon=8))
    for _ in range(40):
        player.step()
    other = trainer.env.like(LANES, 0)
    other.reset(seed=5)
    carry, first = None, torch.ones(LANES, dtype=torch.bool)
    for moment in player.moments[:-1]:
        outlook = trainer.algorithm.outlook(torch.from_numpy(other.observation), carry, None, first)
        assert np.array_equal(moment.figures[3], outlook.value.numpy())
        action, carry = outlook.choose("greedy").numpy(), outlook.carry
        assert np.array_equal(moment.choice[0], action)
        other.step(action)
        first = torch.from_numpy(other.terminated | other.truncated)
    assert any(each.figures[4].max() > 0 for each in player.moments)  # an episode ended on the way
    other.close()


def test_back_and_forth_shows_the_same_moments(build):
    _, player = build("CartPole-v1")
    for _ in range(10):
        player.step()
    kept = list(player.moments)
    player.place = 2
    for place in range(3, 11):
        player.step()
        assert player.place == place
    assert player.moments == kept
    assert player.at_end


@pytest.mark.parametrize("env", ["CartPole-v1", "MinAtar/Breakout-v1", "workbench/SimpleSpread-v0"])
def test_going_on_from_an_earlier_moment_repeats_what_came_after(build, env):
    _, player = build(env)
    for _ in range(25):
        player.step()
    expected = states(player)
    figures = [each.figures for each in player.moments]
    player.place = 7
    player.branch()
    assert len(player.moments) == 8
    for _ in range(18):
        player.step()
    assert same(states(player), expected)
    assert all(
        np.array_equal(one, each.figures, equal_nan=True) for one, each in zip(figures, player.moments, strict=True)
    )


def test_a_hand_takes_one_lane_and_the_policy_the_others(build):
    _, player = build("CartPole-v1")
    own = player.moments[0].choice[0].copy()
    player.step({1: 1 - int(own[1])})
    taken = player.moments[0].taken[0]
    assert player.moments[0].hand == 1
    assert taken.tolist() == [own[0], 1 - own[1], own[2]]
    after = player.moments[1].state.copy()
    player.place = 0
    player.branch()
    player.step()
    assert np.array_equal(player.moments[1].state[:, [0, 2]], after[:, [0, 2]])
    assert not np.array_equal(player.moments[1].state[:, 1], after[:, 1])


def test_a_hand_at_an_earlier_moment_begins_another_future(build):
    _, player = build("CartPole-v1")
    for _ in range(6):
        player.step()
    player.place = 2
    player.step({0: 1 - int(player.moment.choice[0, 0])})
    assert (player.place, len(player.moments)) == (3, 4)


def test_an_illegal_action_of_a_hand_is_refused(build):
    _, player = build("workbench/TicTacToe-v0")
    player.step({0: 4})
    legal = np.flatnonzero(player.env.action_mask[0]).tolist()
    assert 4 not in legal
    with pytest.raises(InputError, match=f"action 4 is not legal here; choose one of \\{legal}"):
        player.step({0: 4})
    assert len(player.moments) == 2


def test_what_is_kept_is_bounded(build, monkeypatch):
    monkeypatch.setattr(playing, "MOMENTS", 5)
    _, player = build("CartPole-v1")
    for _ in range(12):
        player.step()
    assert (len(player.moments), player.dropped, player.place) == (5, 8, 4)
    monkeypatch.setattr(playing, "MOMENTS", 100)
    monkeypatch.setattr(playing, "BYTES", 3 * player.moment.nbytes)
    player.step()
    assert len(player.moments) == 3
    assert player._bytes == sum(each.nbytes for each in player.moments)


def test_the_policy_is_asked_anew_without_a_step(build):
    trainer, player = build("CartPole-v1")
    player.step()
    before = player.moment
    with torch.no_grad():
        trainer.algorithm.model.head.bias[0] += 3.0
    player.algorithm = copied(trainer.algorithm)
    player.rethink()
    assert len(player.moments) == 2
    assert np.array_equal(player.moment.state, before.state)
    assert (player.moment.policy[0] > before.policy[0]).all()
    assert (player.moment.choice[0] == 0).all()


def test_drawn_actions_are_those_of_the_seed(build):
    _, player = build("CartPole-v1")
    player.mode = "sample"
    runs = []
    for _ in range(2):
        player.restart(5)
        for _ in range(20):
            player.step()
        runs.append([each.choice[0].tolist() for each in player.moments])
    assert runs[0] == runs[1]
    assert len({tuple(each) for each in runs[0]}) > 1


def test_an_algorithm_of_others_plays_without_a_word(build):
    _, player = build("CartPole-v1")
    silent = player.algorithm
    player.algorithm = type("Silent", (), {"act": lambda self, *given: silent.act(*given)})()
    player.restart(5)
    player.step()
    assert player.moment.policy.shape == (0, LANES)
    assert np.isnan(player.moment.figures[3]).all()


def test_the_values_of_a_lane_are_a_curve(build):
    _, player = build("CartPole-v1")
    for _ in range(9):
        player.step()
    values = [each.figures[3, 1] for each in player.moments]
    assert player.trace(1, 100).tolist() == values
    assert player.trace(1, 5).tolist() == values[::2]
