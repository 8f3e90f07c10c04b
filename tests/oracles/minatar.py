"""The package `minatar` as an oracle: its games draw their numbers from the stream of one of our lanes."""

import numpy as np
from minatar import Environment as Package

from tests.kernels.batch import Lanes
from workbench_kernels import rng

CHUNK = 512


class Stream:
    """Stands in for a `RandomState`: each number asked for is one draw of lane `lane` of `seed`.

    Attributes:
        count: Draws so far.
    """

    def __init__(self, seed, lane):
        one_lane = np.zeros((rng.ROWS, 1), np.uint32)
        rng.seed_lanes(one_lane, seed)
        self.lane, self.key = np.uint64(lane), np.uint64(one_lane[rng.KEY, 0])
        self.count = 0
        self._chunk = ()

    def _draw(self):
        """Return the next 64 bits; they are made a chunk at a time, as single numbers take long in Python."""
        k = self.count % CHUNK
        if k == 0:
            self._chunk = rng.philox(np.arange(self.count, self.count + CHUNK, dtype=np.uint64), self.lane, self.key)
        self.count += 1
        return self._chunk[k]

    def _many(self, one, size):
        return one() if size is None else np.array([one() for _ in range(size)])

    def rand(self, size=None):
        return self._many(lambda: float(rng.high_uniform(self._draw())), size)

    def randint(self, low, high=None, size=None):
        low, high = (0, low) if high is None else (low, high)
        return self._many(lambda: low + int(rng.low_integer(self._draw(), high - low)), size)


class Game:
    """One game of the package beside one of our lanes."""

    def __init__(self, name, options, seed, lane):
        ramping = options.get("ramping", True)
        self.package = Package(name, sticky_action_prob=options["sticky"], difficulty_ramping=ramping)
        self.actions = self.package.minimal_action_set() if options["minimal"] else list(range(6))
        self.stream = self.package.random = self.package.env.random = Stream(seed, lane)
        self.package.reset()

    def act(self, action):
        return self.package.act(self.actions[action])

    def observation(self):
        """Return the state as our observation shows it: channels first, then flat."""
        return np.moveaxis(self.package.state(), 2, 0).reshape(-1)


def follow(name, environment, *, lanes, steps, choose=None, hidden=None, limit=None, seed=0, autoreset=True):
    """Play `steps` steps in `lanes` lanes of ours and in as many games of the package; assert that they never differ.

    Compared are every reward, end and observation (the last of an episode too), the number of draws, the action taken,
    and what `hidden` names.

    Args:
        name: The package's name of the game: "space_invaders".
        environment: Ours.
        choose: `choose(ours, draw)` returns an action for each lane; uniformly random if left out. A policy that plays
            well reaches more of the game.
        hidden: `hidden(game)` returns a dict from names of our state rows to the values that the package's `game` has.
        limit: Steps after which an episode is truncated; the environment's own if left out.
        autoreset: Whether ended episodes start again. If not, both sides play on as if nothing had happened, in
            games that allow it, and reach what a policy seldom lives to see.

    Returns:
        Lanes as they ended, and the numbers of terminated and of truncated episodes and the sum of rewards.
    """
    ours = Lanes(environment, lanes, seed=seed, limit=limit)
    games = [Game(name, environment.options, seed, lane) for lane in range(lanes)]
    draw = np.random.default_rng(seed)
    terminations = truncations = 0
    total = 0.0
    _compare(environment, ours, games, hidden, "at the start")
    for t in range(steps):
        action = choose(ours, draw) if choose else draw.integers(0, environment.action.n, lanes)
        ours.step(action, autoreset)
        ended = ours.terminated | ours.truncated
        for i, game in enumerate(games):
            reward, terminal = game.act(int(action[i]))
            assert (float(reward), bool(terminal)) == (ours.reward[i], ours.terminated[i]), f"lane {i}, step {t}"
            game.package.env.terminal = False
            if ended[i] and autoreset:
                np.testing.assert_array_equal(ours.final_observation[:, i], game.observation(), f"lane {i}, step {t}")
                game.package.reset()
        _compare(environment, ours, games, hidden, f"step {t}")
        terminations += int(ours.terminated.sum())
        truncations += int((ours.truncated & ~ours.terminated).sum())
        total += float(ours.reward.sum())
    return ours, terminations, truncations, total


def _compare(environment, ours, games, hidden, when):
    expected = np.stack([game.observation() for game in games], axis=1)
    np.testing.assert_array_equal(ours.observation, expected, err_msg=f"observation, {when}")
    np.testing.assert_array_equal(ours.random[rng.COUNT], [game.stream.count for game in games], err_msg=when)
    values = [
        {"last_action": game.package.last_action, **(hidden(game.package.env) if hidden else {})} for game in games
    ]
    names = list(values[0])
    theirs = np.array([[value[name] for value in values] for name in names])
    differ = ours.state[[environment.rows.index(name) for name in names]] != theirs
    assert not differ.any(), f"{[names[k] for k in np.flatnonzero(differ.any(axis=1))]} differ, {when}"
