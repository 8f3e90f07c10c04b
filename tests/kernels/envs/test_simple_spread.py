"""SimpleSpread-v0 against the Multi Particle Environments' simple_spread_v3, from the same states and actions."""

import mpe2.simple_spread_v3
import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.envs import make
from workbench_kernels.envs.simple_spread import softplus

COMPILED = [name for name in TARGETS if name != "python"]


def put(world, state):
    """Put the original's bodies where the state rows of a lane say."""
    n = len(world.agents)
    for a, agent in enumerate(world.agents):
        agent.state.p_pos, agent.state.p_vel = state[4 * a : 4 * a + 2].copy(), state[4 * a + 2 : 4 * a + 4].copy()
    for k, landmark in enumerate(world.landmarks):
        landmark.state.p_pos = state[4 * n + 2 * k : 4 * n + 2 * k + 2].copy()


def closeness(state, n):
    """Return how near the distance of any two agents is to that of touching; float64."""
    at = state[: 4 * n].reshape(n, 4)[:, :2]
    apart = np.sqrt(((at[:, None] - at) ** 2).sum(axis=2))[np.triu_indices(n, 1)]
    return np.abs(apart - 0.3).min(), (apart < 0.3).any()


@pytest.mark.parametrize(("agents", "local_ratio", "steps"), [(3, 0.5, 200), (5, 0.2, 50)])
def test_a_hundred_thousand_steps_of_agents_equal_the_originals(agents, local_ratio, steps):
    n, many = agents, 120
    spread = make("workbench/SimpleSpread-v0", agents=n, local_ratio=local_ratio)
    lanes = Lanes(spread, many, seed=1)
    original = mpe2.simple_spread_v3.raw_env(N=n, local_ratio=local_ratio, max_cycles=10**9)
    original.reset(seed=0)
    draw = np.random.default_rng(2)
    lanes.elapsed[...] = np.arange(many) % 25
    places = [row for a in range(n) for row in (4 * a, 4 * a + 1)]
    worst, contacts, compared = 0.0, 0, 0
    for _ in range(steps):
        lanes.state[places, : many // 3] *= np.float32(0.8)  # agents that crowd together touch often
        before, action = lanes.state.astype(np.float64), draw.integers(0, 5, (n, many))
        age = lanes.elapsed.copy()
        lanes.step(action)
        assert not lanes.terminated.any()
        np.testing.assert_array_equal(lanes.truncated, age + 1 >= 25)
        shown = np.where(lanes.truncated, lanes.final_observation, lanes.observation)
        for i in range(many):
            put(original.world, before[:, i])
            original.current_actions = action[:, i].tolist()
            original._execute_world_step()
            after = np.concatenate([[*a.state.p_pos, *a.state.p_vel] for a in original.world.agents])
            if i % 4 == 0:
                seen = [original.scenario.observation(agent, original.world) for agent in original.world.agents]
                worst = max(worst, np.abs(shown[:, :, i] - np.stack(seen)).max())
            if not lanes.truncated[i]:
                worst = max(worst, np.abs(lanes.state[: 4 * n, i] - after).max())
            near, touching = closeness(after, n)
            contacts += touching
            # At the threshold of touching one rounding decides a whole collision.
            if near > 1e-5:
                reward = np.array([original.rewards[name] for name in original.agents])
                worst = max(worst, np.abs(lanes.reward[:, i] - reward).max())
                compared += n
    assert worst < 1e-4
    assert contacts > many * steps / 10
    assert compared > 0.99 * many * steps * n


def test_the_global_state_is_that_of_all_bodies():
    lanes = Lanes(make("workbench/SimpleSpread-v0"), 50, seed=2)
    draw = np.random.default_rng(0)
    for _ in range(30):
        lanes.step(draw.integers(0, 5, (3, 50)))
        np.testing.assert_array_equal(lanes.global_state, lanes.state[:18])
        for a in range(3):
            np.testing.assert_array_equal(lanes.observation[a, :2], lanes.global_state[4 * a + 2 : 4 * a + 4])
            np.testing.assert_array_equal(lanes.observation[a, 2:4], lanes.global_state[4 * a : 4 * a + 2])


def test_resets_are_spread_as_the_originals():
    lanes = Lanes(make("workbench/SimpleSpread-v0"), 5000, seed=3)
    velocity = [row for a in range(3) for row in (4 * a + 2, 4 * a + 3)]
    position = [row for row in range(18) if row not in velocity]
    assert (lanes.state[velocity] == 0).all()
    at = lanes.state[position]
    assert (at >= -1).all()
    assert (at < 1).all()
    np.testing.assert_allclose(at.mean(axis=1), 0, atol=0.035)
    np.testing.assert_allclose(at.std(axis=1), 2 / np.sqrt(12), rtol=0.03)
    assert np.abs(np.corrcoef(at) - np.eye(12)).max() < 0.07


def test_the_smooth_contact_is_within_its_bound():
    x = np.concatenate([np.linspace(-2500, 400, 3001), np.linspace(-20, 20, 4001)]).astype(np.float32)
    ours = np.array([softplus(value) for value in x])
    exact = np.logaddexp(0, x.astype(np.float64))
    assert ours.dtype == np.float32
    assert (np.abs(ours - exact) / np.maximum(exact, 1)).max() < 1e-6


def test_agents_in_one_place_are_pushed_nowhere():
    lanes = Lanes(make("workbench/SimpleSpread-v0"), 2)
    lanes.state[:12] = 0
    lanes.step(np.zeros((3, 2), np.int32))
    assert (lanes.state[:12] == 0).all()
    assert np.isfinite(lanes.reward).all()


@pytest.mark.parametrize("target", COMPILED)
def test_every_target_gives_the_oracles_bits(target):
    spread = make("workbench/SimpleSpread-v0")
    oracle, ours = (Lanes(spread, 33, target=name, seed=9) for name in ("python", target))
    draw = np.random.default_rng(1)
    for _ in range(60):
        action = draw.integers(0, 5, (3, 33))
        oracle.step(action)
        ours.step(action)
        for name in ("state", "final_observation", "observation", "reward", "global_state", "final_global_state"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"agents": 1}, "pass 2 to 8"), ({"agents": 9}, "pass 2 to 8"), ({"local_ratio": 1.1}, "pass 0 to 1")],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make("workbench/SimpleSpread-v0", **options)
