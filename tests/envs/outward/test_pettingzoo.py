"""Native multi-agent environments in PettingZoo's hands. The oracle is one lane of the vector environment."""

import numpy as np
import pytest

from workbench.envs import NativeVectorEnvironment, environment
from workbench.envs.outward import as_pettingzoo
from workbench.errors import InputError

GAMES = {
    "workbench/SimpleSpread-v0": {},
    "workbench/MatrixGame-v0": {"rounds": 3},
    "workbench/Snake-v0": {"snakes": 3, "size": 6},
    "workbench/Connect4-v0": {"players": 2},
    "workbench/TicTacToe-v0": {"players": 2},
    "workbench/Pong-v0": {"players": 2, "points": 1},
}
# PettingZoo's tests import its own games in a way that it deprecated.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The old environment creation API has been deprecated:DeprecationWarning"
)


@pytest.mark.parametrize("id", GAMES)
def test_pettingzoos_own_tests_pass(id, capsys):
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    parallel_api_test(as_pettingzoo(id, **GAMES[id]), num_cycles=150)
    parallel_seed_test(lambda: as_pettingzoo(id, **GAMES[id]), num_cycles=50)
    assert "Passed" in capsys.readouterr().out


def test_turns_are_taken_one_by_one_through_pettingzoos_conversion(capsys):
    from pettingzoo.test import api_test
    from pettingzoo.utils import parallel_to_aec

    api_test(parallel_to_aec(as_pettingzoo("workbench/MatrixGame-v0", rounds=3)), num_cycles=60)
    assert "Passed" in capsys.readouterr().out


def sampled(env, infos):
    return {agent: env.action_space(agent).sample(infos[agent].get("action_mask")) for agent in env.agents}


@pytest.mark.parametrize("id", GAMES)
def test_steps_are_those_of_one_lane(id):
    env = as_pettingzoo(id, time_limit=40, **GAMES[id])
    lane = NativeVectorEnvironment(environment(id, **GAMES[id]), 1, autoreset=False, time_limit=40)
    agents = env.possible_agents
    for k, agent in enumerate(agents):
        env.action_space(agent).seed(k)
    restarts = 0
    for episode in range(3):
        observation, infos = env.reset(seed=4 if episode == 0 else None)
        wanted, info = lane.reset(seed=4 if episode == 0 else None)
        while env.agents:
            assert list(observation) == list(infos) == agents == env.agents
            np.testing.assert_array_equal(np.stack(list(observation.values())), wanted[0])
            if "action_mask" in info:
                masks = np.stack([infos[agent]["action_mask"] for agent in agents])
                np.testing.assert_array_equal(masks, info["action_mask"][0])
            actions = sampled(env, infos)
            observation, reward, terminated, truncated, infos = env.step(actions)
            wanted, _, over, cut, info = lane.step(np.array([[actions[agent] for agent in agents]]))
            assert list(reward.values()) == info["agent_reward"][0].tolist()
            assert set(terminated.values()) == {bool(over[0])}
            assert set(truncated.values()) == {bool(cut[0])}
            alone = [infos[agent]["terminated"] for agent in agents]
            assert alone == info["agent_terminated"][0].tolist()
            restarts += sum(alone) * (not over[0])
            assert env.agents == ([] if over[0] or cut[0] else agents)
        np.testing.assert_array_equal(np.stack(list(observation.values())), wanted[0])
    assert (restarts > 0) == ("Snake" in id)


def test_the_state_of_all_is_there_where_the_environment_has_one():
    env = as_pettingzoo("workbench/SimpleSpread-v0")
    env.reset(seed=1)
    kept = env.state()
    assert env.state_space.contains(kept)
    np.testing.assert_array_equal(kept, env.lane.global_state[0])
    env.step(dict.fromkeys(env.agents, 1))
    assert (kept != env.state()).any()
    with pytest.raises(NotImplementedError):
        as_pettingzoo("workbench/Connect4-v0", players=2).state()


def test_observations_are_copies_or_the_lanes_memory():
    env = as_pettingzoo("workbench/SimpleSpread-v0", copy=False)
    observation, _ = env.reset()
    addresses = [env.lane.observation[0, a].ctypes.data for a in range(3)]
    assert [part.ctypes.data for part in observation.values()] == addresses
    observation, *_ = env.step(dict.fromkeys(env.agents, 0))
    assert [part.ctypes.data for part in observation.values()] == addresses
    env = as_pettingzoo("workbench/SimpleSpread-v0")
    observation, _ = env.reset()
    assert not any(np.shares_memory(part, env.lane.observation) for part in observation.values())


def test_pictures_and_what_chance_decides():
    env = as_pettingzoo("workbench/Pong-v0", players=2, render_mode="rgb_array")
    env.reset()
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert as_pettingzoo("workbench/SimpleSpread-v0").render() is None
    one, other = as_pettingzoo("workbench/SimpleSpread-v0"), as_pettingzoo("workbench/SimpleSpread-v0")
    assert (one.reset()[0]["agent_0"] != other.reset()[0]["agent_0"]).any()


def test_what_does_not_fit_is_refused():
    spread = environment("workbench/SimpleSpread-v0")
    for env, options, message in (
        ("CartPole-v1", {}, "has one agent"),
        ("workbench/Pong-v0", {}, "has one agent.*players=2"),
        ("workbench/Nothing-v0", {}, "'workbench/Nothing-v0' is unknown"),
        (NativeVectorEnvironment(spread, 1), {}, "pass a native id"),
        (spread, {"agents": 4}, "options agents given with an environment that is built"),
        ("workbench/SimpleSpread-v0", {"agents": 40}, "agents=40 does not fit"),
    ):
        with pytest.raises(InputError, match=message):
            as_pettingzoo(env, **options)
    env = as_pettingzoo(spread, time_limit=1)
    with pytest.raises(InputError, match=r"no agent .* is left; reset"):
        env.step({})
    env.reset()
    for actions, message in (
        ({"agent_0": 0}, "actions are for agent_0; pass one for each of agent_0, agent_1, agent_2"),
        ({"agent_0": 0, 1: 0}, "actions are for 1, agent_0; pass one for each of agent_0, agent_1, agent_2"),
        ({}, "actions are for nobody; pass one for each"),
        (None, "actions=None are no dict; pass one with an action for each of agent_0, agent_1, agent_2"),
        ([0, 0, 0], r"actions=\[0, 0, 0\] are no dict"),
        (dict.fromkeys(env.agents, 7), r"actions\[0, 0\]=7 is out of range"),
        ({"agent_0": 0, "agent_1": [0, 0], "agent_2": 0}, "actions are no array"),
    ):
        with pytest.raises(InputError, match=message):
            env.step(actions)
    env.step(dict.fromkeys(env.agents, 0))
    with pytest.raises(InputError, match=r"no agent .* is left; reset"):
        env.step(dict.fromkeys(env.possible_agents, 0))
    env.close()
    for call in (env.reset, env.state):
        with pytest.raises(InputError, match="is closed"):
            call()
