"""Several agents: those that come and go, those that take turns, and what a rollout makes of them."""

import functools
import random
from types import MappingProxyType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from tests.envs.emulation.guests import Scripted
from tests.oracles import returns as oracle
from workbench.algorithms import PPO
from workbench.data import Batch, RolloutSource
from workbench.data.rollout import closed_up
from workbench.envs import adopt, make
from workbench.errors import EnvironmentFaultError, InputError
from workbench.spec import VectorEnvironment, spec_of
from workbench.training.seeding import seeds_from

AGENTS = "012"
FATES = ["", "", "", "terminated", "truncated", "gone"]


@st.composite
def scripts(draw):
    """Lives of up to three agents: who is there at each step, and how each leaves; at least one is, at every step."""
    script = []
    alive = set(draw(st.sets(st.sampled_from(AGENTS), min_size=1)))
    for _ in range(draw(st.integers(1, 8))):
        fates = {agent: draw(st.sampled_from(FATES)) for agent in sorted(alive)}
        stay = {agent for agent, fate in fates.items() if fate == ""}
        free = [agent for agent in AGENTS if agent not in alive]
        # Who leaves can come back no sooner than a step later.
        alive = stay | (set(draw(st.sets(st.sampled_from(free)))) if free else set())
        script.append(fates)
        if not alive:
            break
    return script


def expected_rows(script, actions):
    """What each of the three rows holds after each step, told agent by agent: a naive second emulation."""
    t = 0
    for action in actions:
        rows = [{"reward": 0.0, "ended": (False, False), "final": None} for _ in AGENTS]
        over = t + 1 >= len(script)
        for agent, fate in script[t].items():
            k = AGENTS.index(agent)
            end = fate or ("truncated" if over else "")
            rows[k]["reward"] = 100.0 * k + t + action[k]
            rows[k]["ended"] = (end in ("terminated", "gone"), end == "truncated")
            if end in ("terminated", "truncated"):
                rows[k]["final"] = [k, t + 1]
        t = 0 if over else t + 1
        for k, agent in enumerate(AGENTS):
            rows[k]["observation"] = [k, t] if agent in script[t] else None
        yield rows


def check_lives(script, named, seed):
    possible = list(AGENTS) if named else None
    env = make(functools.partial(Scripted, script, possible), 1, max_agents=None if named else 3)
    if not named:
        # Rows are given in the order of arrival: only in the script's first scene are they known beforehand.
        script = [script[0]] if len(script) == 1 else script
    env.reset()
    draw = np.random.default_rng(seed)
    actions = draw.integers(0, 7, (3 * len(script), 3))
    for action, rows in zip(actions, expected_rows(script, actions), strict=True):
        env.step(action)
        for k, row in enumerate(rows):
            assert env.active[k] == (row["observation"] is not None)
            assert env.reward[k] == row["reward"]
            assert (env.terminated[k], env.truncated[k]) == row["ended"]
            np.testing.assert_array_equal(env.observation[k], row["observation"] or [0, 0])
            if row["final"] is not None:
                np.testing.assert_array_equal(env.final_observation[k], row["final"])
    env.close()


@settings(max_examples=150, deadline=None)
@given(scripts(), st.integers(0, 2**32 - 1))
def test_births_and_deaths_are_right_in_the_rows(script, seed):
    check_lives(script, named=True, seed=seed)


@pytest.mark.slow(minutes=3)
@settings(max_examples=10_000, deadline=None)
@given(scripts(), st.integers(0, 2**32 - 1))
def test_births_and_deaths_are_right_in_the_rows_ten_thousand_times(script, seed):
    check_lives(script, named=True, seed=seed)


def test_agents_without_a_fixed_row_take_the_first_that_is_free():
    script = [{"7": "", "5": "terminated"}, {"7": "", "9": "gone"}, {"7": "", "8": "", "4": ""}, {"8": "terminated"}]
    env = make(functools.partial(Scripted, script), 1, max_agents=3)
    env.reset()
    seen = [env.observation[:, 0].tolist()]
    for _ in range(4):
        env.step(np.zeros(3, int))
        seen.append(env.observation[:, 0].tolist())
    assert seen == [[7, 5, 0], [7, 9, 0], [7, 8, 4], [0, 8, 0], [7, 5, 0]]
    with pytest.raises(InputError, match="max_agents is missing"):
        make(functools.partial(Scripted, script), 1)
    env = make(functools.partial(Scripted, script), 1, max_agents=2)
    env.reset()
    env.step(np.zeros(2, int))
    with pytest.raises(EnvironmentFaultError, match="agent '4' is one too many: there are 2 places"):
        env.step(np.zeros(2, int))


def random_rollout(draw, horizon, lanes, turns):
    """Frames of a rollout in which lanes sleep: the fields [T, B] and `active` [T + 1, B]."""
    active = draw.random((horizon + 1, lanes)) < (0.4 if turns else 0.8)
    reward = draw.normal(size=(horizon, lanes)).astype(np.float32)
    terminated, truncated = draw.random((2, horizon, lanes)) < 0.1
    observation = np.arange((horizon + 1) * lanes, dtype=np.float32).reshape(horizon + 1, lanes, 1)
    at, lane = np.nonzero(truncated & ~terminated)
    fields = {
        "observation": observation[:-1],
        "action": draw.integers(0, 5, (horizon, lanes)),
        "reward": reward,
        "terminated": terminated,
        "truncated": truncated,
        "last_observation": observation[-1],
        "final_index": at * lanes + lane,
        "final_observation": -1.0 - (at * lanes + lane).astype(np.float32)[:, None],
    }
    return Batch(**{name: torch.from_numpy(x) for name, x in fields.items()}), active


def lives(batch, active, lane):
    """The complete transitions of one lane, walked through step by step."""
    found, current = [], None
    horizon = active.shape[0] - 1
    final = dict(zip(batch.final_index.tolist(), batch.final_observation[:, 0].tolist(), strict=True))
    for t in range(horizon):
        if active[t, lane]:
            if current is not None:
                found.append({**current, "next": float(batch.observation[t, lane, 0])})
            current = {"observation": float(batch.observation[t, lane, 0]), "action": int(batch.action[t, lane])}
            current |= {"reward": 0.0, "terminated": False, "truncated": False}
        if current is None:
            continue
        current["reward"] += float(batch.reward[t, lane])
        terminated, truncated = bool(batch.terminated[t, lane]), bool(batch.truncated[t, lane])
        if terminated or truncated:
            current |= {"terminated": terminated, "truncated": truncated}
            found.append({**current, "next": final.get(t * active.shape[1] + lane)})
            current = None
    if current is not None and active[horizon, lane]:
        found.append({**current, "next": float(batch.last_observation[lane, 0])})
        current = None
    return found, current


def check_closing(seed, turns):
    draw = np.random.default_rng(seed)
    horizon, lanes = int(draw.integers(1, 12)), int(draw.integers(1, 5))
    batch, active = random_rollout(draw, horizon, lanes, turns)
    closed = closed_up(batch, active)
    final = dict(zip(closed.final_index.tolist(), closed.final_observation[:, 0].tolist(), strict=True))
    for lane in range(lanes):
        expected, waiting = lives(batch, active, lane)
        rows = np.flatnonzero(closed.valid[:, lane].numpy())
        assert rows.tolist() == list(range(horizon - len(expected), horizon))
        for k, (t, one) in enumerate(zip(rows, expected, strict=True)):
            assert closed.observation[t, lane, 0] == one["observation"]
            assert closed.action[t, lane] == one["action"]
            assert float(closed.reward[t, lane]) == pytest.approx(one["reward"], abs=1e-5)
            assert bool(closed.terminated[t, lane]) == one["terminated"]
            assert bool(closed.truncated[t, lane]) == one["truncated"]
            if one["truncated"] and not one["terminated"]:
                assert final[t * lanes + lane] == one["next"]
            elif not one["terminated"]:
                following = (
                    closed.observation[t + 1, lane, 0] if k + 1 < len(rows) else closed.last_observation[lane, 0]
                )
                assert float(following) == one["next"]
        if waiting is not None:
            assert float(closed.last_observation[lane, 0]) == waiting["observation"]
    assert len(final) == sum(
        one["truncated"] and not one["terminated"] for i in range(lanes) for one in lives(batch, active, i)[0]
    )


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_rollout_is_closed_up_as_one_walks_through_it(seed, turns):
    check_closing(seed, turns)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_rollout_is_closed_up_as_one_walks_through_it_ten_thousand_times(seed, turns):
    check_closing(seed, turns)


class Game:
    """A PettingZoo AECEnv (by its attributes): two take turns to name a number; after six the larger sum wins."""

    metadata = MappingProxyType({"name": "game"})
    possible_agents = ("first", "second")

    def observation_space(self, agent):
        from gymnasium import spaces

        return spaces.Dict(
            {"observation": spaces.Box(-100, 100, (2,), np.float32), "action_mask": spaces.MultiBinary(4)}
        )

    def action_space(self, agent):
        from gymnasium import spaces

        return spaces.Discrete(4)

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.agent_selection, self.turn = "first", 0
        self.sums = dict.fromkeys(self.agents, 0)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}

    def observe(self, agent):
        mask = np.ones(4, np.int8)
        mask[self.turn % 4] = 0
        return {"observation": np.array([self.sums[agent], self.turn], np.float32), "action_mask": mask}

    def last(self):
        agent = self.agent_selection
        flags = self.terminations[agent], self.truncations[agent]
        return self.observe(agent), self._cumulative_rewards[agent], *flags, self.infos[agent]

    def agent_iter(self):
        raise AssertionError("nobody iterates here")

    def step(self, action):
        agent = self.agent_selection
        other = self.possible_agents[agent == "first"]
        self._cumulative_rewards[agent] = 0.0
        if self.terminations[agent]:
            assert action is None
            self.agents.remove(agent)
            self.agent_selection = other
            return
        assert action != self.turn % 4
        self.sums[agent] += int(action)
        self.turn += 1
        rewards = {agent: 0.0, other: -1.0}  # naming a number annoys the other
        if self.turn == 6:
            gap = float(np.sign(self.sums["first"] - self.sums["second"]))
            rewards["first"] += 10 * gap
            rewards["second"] -= 10 * gap
            self.terminations = dict.fromkeys(self.agents, True)
        for name, reward in rewards.items():
            self._cumulative_rewards[name] += reward
        self.agent_selection = other

    def close(self):
        pass


@pytest.mark.parametrize("backend", ["serial", "processes"])
def test_agents_that_take_turns_earn_what_is_theirs(backend):
    env = make(Game, 2, backend=backend)
    env.reset()
    assert (env.lanes, env.agents) == (4, 2)
    draw = random.Random(3)
    sums, owed, earned = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(4)
    for turn in range(60):
        mover, game_turn = turn % 2, turn % 6
        np.testing.assert_array_equal(env.active, [mover == 0, mover == 1] * 2)
        np.testing.assert_array_equal(env.action_mask[mover], np.arange(4) != game_turn % 4)
        actions = np.array([draw.choice([a for a in range(4) if a != game_turn % 4]) for _ in range(4)])
        for game in range(2):
            sums[game, mover] += actions[2 * game + mover]
            owed[game, 1 - mover] -= 1
        np.testing.assert_array_equal(env.observation[mover], [sums[0, mover] - actions[mover], game_turn])
        env.step(actions)
        earned += env.reward
        if game_turn == 5:
            assert env.terminated.all()
            for game in range(2):
                gap = np.sign(sums[game, 0] - sums[game, 1])
                owed[game] += [10 * gap, -10 * gap]
            np.testing.assert_array_equal(earned, owed.reshape(-1))
            sums[:], owed[:], earned[:] = 0, 0, 0
        else:
            assert not env.terminated.any()
    env.close()


def test_the_advantages_of_turns_are_those_of_each_player_alone():
    env = make(Game, 3)
    algorithm = PPO(horizon=23, minibatches=1)
    algorithm.setup(spec_of(env), torch.device("cpu"), seeds_from(0))
    source = RolloutSource(env, 23, torch.device("cpu"), seed=0)
    for _ in range(3):
        rollout = source.collect(algorithm.act)
        prepared = algorithm.prepare(rollout)
        valid = prepared.valid.numpy()
        assert 0 < valid.sum() < valid.size
        assert not prepared.truncated.any()
        with torch.inference_mode():
            _, last, _ = algorithm.model(rollout.last_observation)
        for lane in range(env.lanes):
            rows = valid[:, lane]
            value = prepared.value[rows, lane].detach().numpy()
            following = np.append(value[1:], last[lane].item()).astype(np.float32)
            columns = [
                prepared.fields[name][rows, lane].numpy()[:, None] for name in ("reward", "terminated", "truncated")
            ]
            alone = oracle.gae(
                columns[0],
                value[:, None],
                following[:, None],
                columns[1],
                columns[2],
                algorithm.gamma,
                algorithm.gae_lambda,
            )
            np.testing.assert_allclose(prepared.advantage[rows, lane], alone[:, 0], rtol=1e-4, atol=1e-4)
        for batch in algorithm.batches(prepared):
            assert len(batch.action) == valid.sum()
            algorithm.update(batch)
    env.close()


@pytest.mark.parametrize(
    ("id", "options"),
    [
        ("SimpleSpread-v0", {}),
        ("MatrixGame-v0", {}),
        ("Snake-v0", {"snakes": 3, "size": 6}),
        ("Connect4-v0", {"players": 2}),
    ],
)
def test_native_agents_are_lanes_too(tmp_path, id, options):
    id = f"workbench/{id}"
    ours, plain = adopt(make(id, 3, seed=4, **options)), make(id, 3, seed=4, **options)
    assert isinstance(ours, VectorEnvironment)
    assert adopt(ours) is ours
    ours.reset()
    plain.reset()
    draw = np.random.default_rng(0)
    agents = plain.environment.agents
    ends = alone = 0
    for _ in range(120):
        np.testing.assert_array_equal(ours.observation.reshape(3, agents, -1), plain.observation.reshape(3, agents, -1))
        actions = draw.integers(0, plain.environment.action.n, (3, agents))
        if plain.action_mask is not None:
            np.testing.assert_array_equal(ours.action_mask.reshape(3, agents, -1), plain.action_mask)
            actions = plain.action_mask.argmax(-1)
        plain.step(actions)
        ours.step(actions.reshape(-1))
        assert ours.active.all()
        np.testing.assert_array_equal(ours.reward.reshape(3, agents), plain.agent_reward)
        np.testing.assert_array_equal(ours.terminated.reshape(3, agents), plain.agent_terminated)
        np.testing.assert_array_equal(ours.truncated.reshape(3, agents), np.repeat(plain.truncated[:, None], agents, 1))
        ended = plain.terminated | plain.truncated
        ends += ended.sum()
        alone += (plain.agent_terminated.any(1) & ~ended).sum()
        np.testing.assert_array_equal(
            ours.final_observation.reshape(3, agents, -1)[ended], plain.final_observation.reshape(3, agents, -1)[ended]
        )
    assert ends + alone
    assert bool(alone) == ("snakes" in options)
    trainer = wb.Trainer(make(id, 4, **options), wb.PPO(horizon=8), run_dir=tmp_path / "run")
    trainer.train(500)
    assert (trainer.env.lanes, trainer.env.agents) == (4 * agents, agents)
    again = wb.load(tmp_path / "run")
    np.testing.assert_array_equal(again.env.observation, trainer.env.observation)
    np.testing.assert_array_equal(again.env.action_mask, trainer.env.action_mask)
    assert len(again.evaluate(3).returns) == 3


def test_every_agent_is_evaluated_on_its_own(tmp_path):
    # Agent 0 lives for one step and earns 0 + action, agent 1 for four: quotas are a lane's, not whoever ends first.
    script = [{"0": "terminated", "1": ""}, {"1": ""}, {"1": ""}, {"1": "terminated"}]
    env = functools.partial(Scripted, script, ["0", "1"])
    trainer = wb.Trainer(env, wb.PPO(horizon=4), lanes=3, run_dir=tmp_path / "run")
    result = trainer.evaluate(episodes=12)
    assert sorted(result.lengths.tolist()) == [1] * 6 + [4] * 6
    trainer.close()


def test_a_row_that_stays_empty_is_not_waited_for(tmp_path):
    env = make(functools.partial(Scripted, [{"0": ""}, {"0": "terminated"}]), 1, max_agents=3)
    trainer = wb.Trainer(env, wb.PPO(horizon=4, minibatches=1), run_dir=tmp_path / "run")
    assert trainer.evaluate(episodes=6).lengths.tolist() == [2, 2]
    trainer.close()


class Lingering(Scripted):
    """Keeps its dead in `agents`, flagged for ever, and has one dictionary of rewards for all its life."""

    def __init__(self, script):
        super().__init__(script, list(AGENTS))
        self.dead, self.rewards = set(), dict.fromkeys(AGENTS, 0.0)

    def reset(self, seed=None, options=None):
        self.dead.clear()
        result = super().reset(seed, options)
        for agent in AGENTS:
            self.rewards[agent] = 0.0
        return result

    def step(self, actions):
        alive = list(self.agents)
        self.agents = [agent for agent in alive if agent not in self.dead]
        observations, rewards, terminated, truncated, infos = super().step(actions)
        self.rewards |= rewards
        self.dead |= {agent for agent, over in terminated.items() if over}
        terminated |= dict.fromkeys(self.dead, True)
        self.agents = [] if self.t >= len(self.script) else [*self.agents, *sorted(self.dead)]
        return observations, self.rewards, terminated, truncated, infos


def test_the_dead_stay_dead_and_rewards_are_read_before_the_next_episode():
    env = make(functools.partial(Lingering, [{"0": "terminated", "1": ""}, {"1": ""}, {"1": ""}]), 1)
    env.reset()
    for step in range(9):
        env.step(np.zeros(3, int))
        np.testing.assert_array_equal(env.active, [step % 3 == 2, True, False])
        np.testing.assert_array_equal(env.reward, [0, 100 + step % 3, 0])
        np.testing.assert_array_equal(env.terminated, [step % 3 == 0, False, False])
