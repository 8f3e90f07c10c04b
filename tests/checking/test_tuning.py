"""Settings that follow from a speed, and settings that are measured: with a clock and environments made up here."""

import functools
import math
import sys
import threading
import types
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from gymnasium.vector.utils import batch_space

from tests.checking import sick_agents
from tests.checking import sick_environments as sick
from workbench import envs
from workbench.checking import check, speed, tuning
from workbench.checking.recording import Subject, record
from workbench.checking.speed import Settings, Speed, recommend
from workbench.envs.sources import source_of
from workbench.errors import InputError

FAST = Speed(
    step=5, step_p99=9, reset=10, observation_bytes=16, steps_per_second=2e5, overhead=0.1, busy=1, parallel=1, cores=4
)
SLOW = replace(FAST, step=2000, step_p99=2500, steps_per_second=500)


def test_a_fast_environment_gives_each_worker_many_lanes_and_a_slow_one_few():
    assert recommend(FAST).arguments() == {"lanes": 256, "backend": "processes", "workers": 4}
    assert recommend(SLOW).arguments() == {"lanes": 16, "backend": "processes", "workers": 4}


def test_what_releases_the_gil_runs_in_threads():
    settings = recommend(replace(SLOW, parallel=1.9))
    assert (settings.backend, settings.workers) == ("threads", 4)
    assert recommend(replace(SLOW, parallel=None)).backend == "processes"


def test_what_waits_gets_more_workers_than_cores():
    settings = recommend(replace(SLOW, busy=0.1, parallel=2.0))
    assert (settings.backend, settings.workers, settings.lanes) == ("threads", 40, 40)
    assert recommend(replace(SLOW, busy=0.0, parallel=2.0)).workers == speed.MOST_WORKERS
    assert any("more workers than cores" in reason for reason in settings.why)


def test_one_core_is_served_in_turn():
    assert recommend(replace(FAST, cores=1)).arguments() == {"lanes": 64, "backend": "serial"}
    assert recommend(replace(FAST, cores=1, busy=0.1)).workers == 10


@pytest.mark.parametrize("uneven", [{"step_p99": 40_000.0}, {"reset": 500_000.0}])
def test_uneven_steps_want_a_batch_that_need_not_wait(uneven):
    settings = recommend(replace(SLOW, **uneven))
    assert settings.batch == settings.lanes // 2
    assert "batch" not in recommend(SLOW).arguments()


def test_an_environment_with_threads_of_its_own_is_told_to_limit_them():
    assert any("3.0 cores by itself" in reason for reason in recommend(replace(SLOW, busy=3.0)).why)


def test_native_environments_want_many_lanes():
    assert recommend(FAST, native="kernel").arguments() == {"lanes": 4096, "backend": "native"}
    assert recommend(FAST, native="mujoco").arguments() == {"lanes": 64, "backend": "native"}


class Waiting(sick.Healthy):
    """Waits for nothing that comes, and lets other threads run meanwhile."""

    def step(self, action):
        sick.LeavesThread.end.wait(0.002)
        return super().step(action)


def measured(env, **options):
    source = source_of(env, **options)
    return speed.measure(Subject(source, 0, record(source, 0, 50)))


def test_the_speed_of_an_environment_is_measured(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.05)
    sick.LeavesThread.end.clear()
    busy, waiting = measured(sick.Healthy), measured(Waiting)
    assert busy.step < waiting.step
    assert waiting.step >= 2000
    assert waiting.waits
    assert busy.observation_bytes == 12
    assert 0 < busy.overhead < 1
    assert busy.step <= busy.step_p99
    assert measured(sick_agents.Healthy).observation_bytes == 8 * 3


def test_two_threads_that_fail_are_a_result(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.0)

    class OneThread(sick.Healthy):
        """Belongs to the thread that made it."""

        def __init__(self):
            self.owner = threading.get_ident()

        def step(self, action):
            assert threading.get_ident() == self.owner
            return super().step(action)

    found = measured(OneThread)
    assert found.parallel is None
    assert not found.releases_gil
    assert ("GIL", "two threads fail") in found.lines()


def test_a_copy_that_exits_in_a_thread_is_a_result(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    daemons = set()

    class Exits(sick.Healthy):
        def step(self, action):
            if threading.current_thread() is not threading.main_thread():
                daemons.add(threading.current_thread().daemon)
                raise SystemExit(3)
            return super().step(action)

    assert measured(Exits).parallel is None
    assert daemons == {True}


def test_a_copy_that_fails_while_its_speed_is_measured_is_an_error(monkeypatch):
    monkeypatch.setattr(speed, "measure", lambda _: sys.exit(3))
    (finding,) = check(sick.Healthy, steps=20).at("error")
    assert finding.what == "speed"
    assert "SystemExit: 3" in finding.message


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Vector:
    """Pretends to be `lanes` lanes, whose step takes as long as `cost` says."""

    single_action_space = Discrete(3)

    def __init__(self, clock, cost, lanes, log):
        self.clock, self.cost, self.lanes, self.log = clock, cost, lanes, log
        self.action_space = batch_space(self.single_action_space, lanes)
        self.closed = False
        log.append(self)

    def reset(self, seed):
        self.clock.now += self.cost
        return None, self.info()

    def step(self, actions):
        self.take(actions)
        self.clock.now += self.cost
        return None, np.zeros(self.lanes), None, None, self.info()

    def take(self, actions):
        assert self.action_space.contains(actions)

    def info(self):
        return {}

    def close(self):
        self.closed = True


def seconds_per_call(lanes, backend, workers=1, **_):
    """A machine of two cores, on which processes cost a millisecond to wake and threads take turns."""
    parallel = min(workers, 2) if backend == "processes" else 1
    return {"serial": 0.0, "threads": 2e-4, "processes": 1e-3}[backend] + lanes * 1e-4 / parallel


@pytest.fixture
def machine():
    """A clock, everything that was made, and how to make it."""
    clock, log = Clock(), []

    def make(env, lanes, **settings):
        clock.now += 0.1
        return Vector(clock, seconds_per_call(lanes, **settings), lanes, log)

    return types.SimpleNamespace(clock=clock, log=log, make=make)


START = Settings("serial", 8)


def test_the_fastest_settings_are_found_and_everything_is_closed(machine):
    found = tuning.tune("x", START, cores=2, seconds=60, make=machine.make, clock=machine.clock)
    rates = {s.text(): s.lanes / seconds_per_call(**s.arguments()) for s in tuning.candidates(START, 2)}
    assert found.best.text() == max(rates, key=rates.get)
    for row in found.rows:
        assert row.steps_per_second == pytest.approx(rates[row.settings.text()])
    assert found.left == 0
    assert all(env.closed for env in machine.log)
    assert machine.clock.now <= 90


def test_the_time_is_bounded_and_what_it_did_not_reach_is_counted(machine):
    found = tuning.tune("x", START, cores=2, seconds=0.5, make=machine.make, clock=machine.clock)
    tried = len(tuning.candidates(START, 2)) - found.left
    assert 0 < len(found.rows) == tried < len(tuning.candidates(START, 2))
    assert machine.clock.now < 1
    assert f"no time for {found.left} more" in dict(found.lines())[""]


def test_at_least_one_setting_is_measured(machine):
    found = tuning.tune("x", START, cores=2, seconds=1e-9, make=machine.make, clock=machine.clock)
    assert [row.settings for row in found.rows] == [START]
    assert found.best == START


def test_settings_that_fail_are_listed_last_with_their_reason(machine):
    def make(env, lanes, backend, **settings):
        if backend == "processes":
            raise InputError("it cannot be pickled.\nTraceback")
        return machine.make(env, lanes, backend=backend, **settings)

    found = tuning.tune("x", START, cores=2, make=make, clock=machine.clock)
    failed = [row for row in found.rows if row.steps_per_second is None]
    assert failed
    assert list(found.rows[-len(failed) :]) == failed
    assert {row.failure for row in failed} == {"InputError: it cannot be pickled."}
    assert {row.settings.backend for row in failed} == {"processes"}
    assert found.best.backend != "processes"


def test_nothing_works_is_a_result(machine):
    def make(env, lanes, **settings):
        raise OSError("no")

    found = tuning.tune("x", START, cores=2, make=make, clock=machine.clock)
    assert found.best is None
    assert found.code == ""
    assert found.lines()[-1] == ("best", "none works")


def test_an_environment_that_fails_while_it_is_stepped_is_closed(machine):
    def make(env, lanes, **settings):
        made = machine.make(env, lanes, **settings)
        made.step = lambda actions: 1 / 0
        return made

    found = tuning.tune("x", START, cores=2, make=make, clock=machine.clock)
    assert found.best is None
    assert all(env.closed for env in machine.log)


def test_an_environment_that_exits_is_a_setting_that_does_not_work(machine):
    def make(env, lanes, **settings):
        raise SystemExit(3)

    found = tuning.tune("x", START, cores=2, make=make, clock=machine.clock)
    assert {row.failure for row in found.rows} == {"SystemExit: 3"}


def test_ctrl_c_ends_tuning(machine):
    def make(env, lanes, **settings):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuning.tune("x", START, cores=2, make=make, clock=machine.clock)


def test_the_code_can_be_pasted(machine):
    found = tuning.tune(
        "Some-v0",
        START,
        cores=2,
        options={"size": 3},
        make=lambda env, lanes, size, **rest: machine.make(env, lanes, **rest),
        clock=machine.clock,
    )
    pasted = {}
    eval(found.code, {"wb": types.SimpleNamespace(make=lambda env, **given: pasted.update(env=env, **given))})
    assert pasted == {"env": "Some-v0", "size": 3, **found.best.arguments()}
    named = tuning.tune(sick.Healthy, START, cores=2, make=machine.make, clock=machine.clock)
    assert named.code.startswith("wb.make(Healthy, lanes=")


class Outer:
    class Inner(sick.Healthy):
        """Has a dotted name."""

    def build(self):
        return sick.Healthy()


def test_what_has_no_name_is_called_env_and_options_are_plain(machine):
    def written(env, **options):
        make = lambda env, lanes, backend, workers=1, **_: machine.make(env, lanes, backend=backend, workers=workers)  # noqa: E731
        tuned = tuning.tune(env, START, cores=2, seconds=1e-9, options=options, make=make, clock=machine.clock)
        given = {}
        names = {
            "wb": types.SimpleNamespace(make=lambda env, **pasted: given.update(env=env, **pasted)),
            "env": env,
            "Outer": Outer,
            "machine": options.get("machine"),
        }
        eval(tuned.code, names)
        assert given.pop("env") is env
        return {name: given[name] for name in options}, tuned.code

    class Local(sick.Healthy):
        """Cannot be imported."""

    for nameless in (lambda size=3: sick.NeedsArgument(size), Local, functools.partial(sick.Healthy), Outer().build):
        assert written(nameless)[1].startswith("wb.make(env, lanes=")
    assert written(Outer.Inner)[1].startswith("wb.make(Outer.Inner, lanes=")
    options = {
        "size": np.int64(3),
        "scale": np.float32(0.5),
        "on": np.True_,
        "goal": np.array([1, 2]),
        "nested": {"a": (np.int8(1), [np.float64(2)])},
        "far": np.float64("inf"),
        "word": "x",
    }
    plain = {"size": 3, "scale": 0.5, "on": True, "goal": [1, 2], "nested": {"a": (1, [2.0])}, "far": math.inf}
    assert written(Outer.Inner, **options)[0] == {**plain, "word": "x"}
    assert "machine=machine" in written(Outer.Inner, machine=machine)[1]


@pytest.mark.parametrize(
    ("space", "shape"),
    [
        (Discrete(4), (4,)),
        (MultiDiscrete([2, 3]), (5,)),
        (MultiDiscrete([4, 4]), (2, 4)),
        (Dict(discrete=MultiDiscrete([2, 3]), continuous=Box(-1, 1, (2,), np.float32)), (5,)),
    ],
    ids=["discrete", "several", "agents", "both"],
)
def test_random_actions_are_legal(machine, space, shape):
    taken = []

    class Masked(Vector):
        single_action_space = space

        def info(self):
            return {"action_mask": np.broadcast_to(np.eye(shape[-1], dtype=bool)[0] | self.late, (self.lanes, *shape))}

        late = np.arange(shape[-1]) == shape[-1] - 1

        def take(self, actions):
            super().take(actions)
            taken.append(actions["discrete"] if isinstance(actions, dict) else actions)

    make = lambda env, lanes, **_: Masked(machine.clock, 0.1, lanes, [])  # noqa: E731
    assert tuning.tune("x", START, cores=1, seconds=1, make=make, clock=machine.clock).best
    actions = np.concatenate([np.reshape(each, (-1, *np.shape(each)[1:])) for each in taken])
    if shape == (5,):
        assert {tuple(action) for action in actions.tolist()} == {(0, 2)}
    else:
        assert set(np.unique(actions)) == {0, 3}


def test_rows_without_an_agent_do_not_count(machine):
    class Turns(Vector):
        def info(self):
            return {"active": np.arange(self.lanes) % 2 == 0}

    make = lambda env, lanes, **_: Turns(machine.clock, 0.1, lanes, [])  # noqa: E731
    found = tuning.tune("x", START, cores=1, seconds=1, make=make, clock=machine.clock)
    assert [row.steps_per_second / row.settings.lanes for row in found.rows] == pytest.approx([5.0] * len(found.rows))


def test_native_candidates_vary_lanes_and_threads():
    found = tuning.candidates(recommend(FAST, native="kernel"), 2)
    assert {settings.backend for settings in found} == {"native"}
    assert {settings.threads for settings in found} == {1, 2}
    assert len({settings.lanes for settings in found}) > 2


@pytest.mark.parametrize(
    "env", [sick.HealthyNested, sick.HealthyMasked, sick_agents.Healthy, sick_agents.healthy_turns]
)
def test_real_environments_are_tuned(env, monkeypatch):
    monkeypatch.setattr(tuning, "candidates", lambda *_: [Settings("serial", 2), Settings("threads", 4, 2)])
    found = tuning.tune(env, Settings("serial", 2), cores=2, seconds=0.1)
    assert [row.failure for row in found.rows] == ["", ""]
    assert {row.settings.backend for row in found.rows} == {"serial", "threads"}


def test_check_tunes_when_asked(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.01)
    report = check("CartPole-v1", steps=50, tune=True, tune_seconds=0.05)
    assert report.tuning.best.backend == "native"
    assert report.tuning.code in repr(report)
    assert check("CartPole-v1", steps=50).tuning is None


def test_where_nothing_native_works_the_others_are_tuned(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.01)
    monkeypatch.setattr(tuning, "candidates", lambda first, _: [Settings(first.backend, 2)])
    tune = tuning.tune

    def make(env, lanes, backend, **settings):
        if backend == "native":
            raise InputError("the native backend is too old.")
        return envs.make(env, lanes, backend="serial")

    monkeypatch.setattr(tuning, "tune", lambda *given, **named: tune(*given, make=make, **named))
    report = check("CartPole-v1", steps=50, tune=True, tune_seconds=0.05)
    assert report.ok
    assert report.recommended.backend != "native"
    assert [row.failure for row in report.tuning.rows] == ["", "InputError: the native backend is too old."]
    assert report.tuning.best.backend == report.recommended.backend


def test_options_that_only_the_original_takes_are_tuned_with_it(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 0.01)
    monkeypatch.setattr(tuning, "candidates", lambda *_: [Settings("serial", 2)])
    report = check("CartPole-v1", steps=50, tune=True, tune_seconds=0.05, max_episode_steps=30)
    assert report.ok
    assert report.tuning.best.backend == "serial"
    assert "max_episode_steps=30" in report.tuning.code


@pytest.mark.slow
def test_the_native_backend_of_a_mujoco_task_is_recommended_and_tuned(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # MuJoCo leaves a log in the working directory
    report = check("HalfCheetah-v5", steps=50, tune=True, tune_seconds=2)
    assert report.ok
    assert report.recommended.arguments() == {"lanes": 64, "backend": "native"}
    assert {row.settings.backend for row in report.tuning.rows} == {"native"}
    assert report.tuning.best.backend == "native"


@pytest.mark.slow
def test_processes_are_tuned_too():
    report = check(sick.Healthy, tune=True, tune_seconds=30)
    assert all(row.failure == "" for row in report.tuning.rows)
    assert {row.settings.backend for row in report.tuning.rows} == {"serial", "threads", "processes"}
    env = eval(report.tuning.code, {"wb": envs, "Healthy": sick.Healthy})
    try:
        assert isinstance(env, gymnasium.vector.VectorEnv)
        assert math.prod(env.reset(seed=0)[0].shape) == 3 * env.num_envs
    finally:
        env.close()
