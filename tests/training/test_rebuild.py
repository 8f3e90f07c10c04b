"""A run that is loaded trains in the same environment; what cannot be built again is refused."""

import functools
import json
import multiprocessing
import threading

import gymnasium
import pytest

import workbench as wb
from tests.envs.emulation.guests import Counter, Scripted
from tests.envs.test_sources import Maker, build
from workbench.errors import CheckpointError, InputError


def small():
    return wb.PPO(horizon=4, minibatches=1, epochs=1)


@pytest.fixture
def run(tmp_path):
    """Train a little in what is given, and load the run."""
    made = []

    def run(env, again=None, **settings):
        made.append(wb.Trainer(env, small(), run_dir=tmp_path / str(len(made)), **settings))
        made[-1].train(8)
        path = made[-1].run_dir
        made.append(wb.load(path, env=again))
        return made[-2:]

    yield run
    for trainer in made:
        trainer.close()


def longest(trainer):
    """How many steps the longest episode has."""
    env = trainer.env
    env.reset()
    lengths, age = [0], 0
    for _ in range(40):
        env.step([0] * env.lanes)
        age += 1
        if env.terminated[0] or env.truncated[0]:
            lengths.append(age)
            age = 0
    return max(lengths)


def births():
    return Scripted([{"1": "", "2": ""}] * 3)


@pytest.mark.parametrize(
    ("env", "again", "length"),
    [
        (functools.partial(build, length=3), None, 3),
        (functools.partial(wb.make, Counter, 2, length=7), None, 7),
        (functools.partial(wb.make, Counter, 2, length=7), Counter, 7),
        (functools.partial(wb.make, Counter, 2, length=7), build, 7),
        (functools.partial(wb.make, Counter, 2, length=7), "tests.envs.test_sources:build", 7),
        (functools.partial(wb.make, Counter, 2, length=7), functools.partial(build, length=5), 5),
        (functools.partial(wb.make, Counter, 2, length=7), functools.partial(wb.make, Counter, 2, length=6), 6),
        (lambda: Counter(3), lambda: Counter(3), 3),
    ],
)
def test_options_come_back(run, env, again, length):
    made = isinstance(env, functools.partial) and env.func is wb.make
    again = again() if isinstance(again, functools.partial) and again.func is wb.make else again
    first, loaded = run(env() if made else env, again, lanes=2)
    assert longest(loaded) == length
    assert longest(first) == (7 if made else 3)


def test_an_environment_that_gymnasium_made_comes_back_with_its_arguments_and_limit(run):
    env = gymnasium.make("FrozenLake-v1", is_slippery=False, max_episode_steps=7)
    first, loaded = run(env, lanes=2)
    assert first.env.options == loaded.env.options
    assert loaded.env.options == {"map_name": "4x4", "is_slippery": False, "max_episode_steps": 7}
    assert longest(loaded) == longest(first) == 7
    _, again = run(env, gymnasium.make("FrozenLake-v1", max_episode_steps=5), lanes=2)
    assert longest(again) == 5


def test_kernels_options_come_back(run):
    first, loaded = run(wb.make("workbench/Breakout-v0", 4, lives=2))
    assert first.env.options == loaded.env.options
    assert first.env.options["lives"] == 2


def test_the_settings_of_its_workers_come_back(run):
    env = wb.make(births, 4, backend="processes", workers=1, timeout=500.0, start_method="spawn", max_agents=3)
    first, loaded = run(env)
    expected = {"workers": 1, "timeout": 500.0, "start_method": "spawn", "max_agents": 3}
    assert loaded.env.settings == first.env.settings == expected
    assert loaded.env.lanes == 12


def test_workers_of_earlier_versions_are_read(tmp_path):
    with_workers = wb.Trainer(wb.make(Counter, 4, backend="threads", workers=2), small(), run_dir=tmp_path / "run")
    with_workers.train(16)
    with_workers.close()
    file = tmp_path / "run" / "run.json"
    description = json.loads(file.read_text())
    for name in ("settings", "findable"):
        description.pop(name)
    file.write_text(json.dumps({**description, "workers": 2}))
    loaded = wb.load(tmp_path / "run")
    assert (loaded.env.workers, loaded.env.timeout) == (2, 60.0)
    loaded.close()


@pytest.mark.parametrize(
    "env", [lambda: Counter(3), functools.partial(build, 3), Maker(3), Maker(3).make], ids=lambda x: type(x).__name__
)
def test_what_no_name_leads_to_must_be_passed_again(run, env):
    with pytest.raises(CheckpointError, match=r"was made by an object that no name leads to .*; pass it again as env="):
        run(env, lanes=2)
    _, loaded = run(env, env, lanes=2)
    assert longest(loaded) == 3


def test_options_that_were_not_kept_are_asked_for(run):
    with pytest.raises(CheckpointError, match="was built with options that are no plain values"):
        run(wb.make(Later, 2, length=Length(6)))
    _, loaded = run(wb.make(Later, 2, length=Length(6)), functools.partial(Later, Length(6)))
    assert longest(loaded) == 6


class Length(int):
    def __eq__(self, other):
        return self is other

    __hash__ = int.__hash__


class Later(Counter):
    pass


def workers():
    return len(multiprocessing.active_children()), threading.active_count()


def test_an_algorithm_that_was_refused_can_be_used_again_and_leaves_nobody_behind(tmp_path):
    algorithm, before = wb.PPO(horizon=4, minibatches=9, epochs=1), workers()
    with pytest.raises(InputError, match="more than the 8 transitions") as caught:
        wb.Trainer("Acrobot-v1", algorithm, lanes=2, backend="processes", workers=2)
    assert workers() == before, caught
    staggered = wb.make(Counter, 4, batch=2)
    with pytest.raises(InputError, match="batch=2 staggers lanes"):
        wb.Trainer(staggered, algorithm)
    staggered.reset()  # who passed it closes it
    staggered.close()
    trainer = wb.Trainer(Counter, algorithm, lanes=3, run_dir=tmp_path / "run")
    trainer.train(8)
    trainer.close()


def test_a_checkpoint_that_does_not_fit_leaves_nobody_behind(tmp_path):
    trainer = wb.Trainer(Counter, small(), lanes=2, backend="processes", workers=1, run_dir=tmp_path / "run")
    trainer.train(8)
    trainer.close()
    file = tmp_path / "run" / "run.json"
    description = json.loads(file.read_text())
    file.write_text(json.dumps({**description, "lanes": 3}))
    before = workers()
    with pytest.raises(CheckpointError, match="does not fit this run") as caught:
        wb.load(tmp_path / "run")
    assert workers() == before, caught


class Interrupted(Counter):
    """Is interrupted at its third step, once."""

    left = 0

    def step(self, action):
        Interrupted.left -= 1
        if Interrupted.left == 0:
            raise KeyboardInterrupt
        return super().step(action)


def test_training_goes_on_with_new_episodes_after_an_interrupt(tmp_path):
    trainer = wb.Trainer(Interrupted, small(), lanes=2, run_dir=tmp_path / "run")
    trainer.train(8)
    Interrupted.left = 3
    with pytest.raises(KeyboardInterrupt):
        trainer.train(8)
    restarted = []
    restart, trainer.loop.restart = trainer.loop.restart, lambda *seed: (restarted.append(seed), restart(*seed))
    for _ in range(2):
        trainer.train(8)
    assert len(restarted) == 1
    assert trainer.steps == 24
    trainer.close()


@pytest.mark.parametrize("own", [False, True])
def test_a_native_environments_time_limit_comes_back(tmp_path, own):
    made = wb.environment("CartPole-v1") if own else "CartPole-v1"
    trainer = wb.Trainer(wb.make(made, 4, time_limit=20), wb.PPO(horizon=8), run_dir=tmp_path / "run")
    trainer.train(64)
    loaded = wb.load(tmp_path / "run", env=made if own else None)
    assert loaded.env.time_limit == 20
    assert max(loaded.evaluate(episodes=8).lengths) <= 20
