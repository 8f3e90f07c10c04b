"""The environment doctor finds the one fault of each sick environment, and nothing in healthy ones."""

import importlib.abc
import random
import sys

import gymnasium
import numpy as np
import pytest

from tests.checking import exiting_environments as exits
from tests.checking import sick_agents
from tests.checking import sick_environments as sick
from workbench.checking import check
from workbench.envs import make, source_of
from workbench.errors import InputError


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """How fast something is has tests of its own."""
    monkeypatch.setattr("workbench.checking.speed.SECONDS", 0.0)
    monkeypatch.setattr("workbench.checking.surroundings.GRACE", 0.05)


def found(report):
    """Return level and subject of everything that is not in order."""
    return {(finding.level, finding.what) for finding in report.findings if finding.level != "ok"}


FAULTS = [
    (sick.NeedsArgument, "error", "construction", "missing 1 required positional argument: 'size'"),
    (sick.FailsToBuild, "error", "construction", "no licence for the simulator"),
    (sick.NoEnvironment, "error", "type", "derive it from one"),
    (sick.NoSpaces, "error", "spaces", "observation_space is set later"),
    (sick.ForeignSpace, "error", "observation space", "is of type builtins.str"),
    (sick.ForeignAction, "error", "action space", "it is of type int"),
    (sick.TextSpace, "error", "observation space", "Text"),
    (sick.SequenceAction, "error", "action space", "Sequence"),
    (sick.OldReset, "error", "reset signature", "(observation, info)"),
    (sick.OldStep, "error", "step signature", "a tuple of 4"),
    (sick.NoSeed, "error", "reset signature", "takes no seed"),
    (sick.NoOptions, "error", "reset signature", "takes no options"),
    (sick.RaisesAtStep, "error", "step", "ZeroDivisionError"),
    (sick.RaisesAtReset, "error", "reset", "KeyError: 'seed'"),
    (sick.WrongShape, "error", "observation shape", "has shape [2], and the space says [3]"),
    (sick.WideDtype, "warning", "observation dtype", "is float64, and the space says float32"),
    (sick.WrongDtype, "error", "observation dtype", "is float32, and the space says uint8"),
    (sick.ListObservation, "warning", "observation type", "is of type list"),
    (sick.NoNumbers, "error", "observation type", "is 'left' (str)"),
    (sick.OutOfBounds, "error", "observation bounds", "at step 7"),
    (sick.DiscreteBeyond, "error", "observation bounds", "observation[0] is 4, outside 0 to 3"),
    (sick.NotANumber, "error", "observation finite", "observation[0] is nan (3 of 3)"),
    (sick.MissingKey, "error", "observation keys", "lacks ['seen']"),
    (sick.ExtraKey, "warning", "observation keys", "has ['more']"),
    (sick.NoDict, "error", "observation type", "is of type ndarray"),
    (sick.NoTuple, "error", "observation type", "observation['seen'] is of type list, of length 2"),
    (sick.Aliased, "warning", "aliasing", "observation, returned before step 1, was overwritten"),
    (sick.UnboundedAction, "advice", "action bounds", "action is -inf to inf"),
    (sick.WideAction, "advice", "action bounds", "action is 0 to 2"),
    (sick.RaisesAtCorner, "error", "action corners", "ValueError: the arm has no room"),
    (sick.NotANumberAtCorner, "error", "action corners", "every component must be finite"),
    (sick.Unseeded, "error", "determinism", "differ in observation at the first reset"),
    (sick.SeedsOnce, "error", "reset seed", "another observation at the first reset"),
    (sick.IgnoresSeed, "advice", "seeds", "seeds 0 and 1 give the same"),
    (sick.NumpyRandom, "error", "global random state", "depends on numpy.random"),
    (sick.PythonRandom, "error", "global random state", "reward at step 1 depends on random"),
    (sick.SeedsNumpy, "warning", "global random state", "numpy.random changed"),
    (sick.NoSecondReset, "error", "reset", "reset before the end of the episode"),
    (sick.Endless, "advice", "time limit", "max_episode_steps"),
    (sick.LimitAsTermination, "advice", "termination", "terminated after 25 steps"),
    (sick.IntegerFlag, "warning", "flags", "terminated is 0 (int)"),
    (sick.NoFlag, "error", "flags", "terminated is None"),
    (sick.ArrayFlag, "error", "flags", "terminated is array([False, False]) (ndarray)"),
    (exits.ExitsAtStep, "error", "step", "SystemExit: 3"),
    (exits.ExitsAtConstruction, "error", "construction", "SystemExit: 3"),
    (exits.ExitsAtReset, "error", "reset", "SystemExit: 3"),
    (exits.ExitsAtCorner, "error", "action corners", "SystemExit: 3"),
    (exits.ExitsAtClose, "error", "close", "SystemExit: 3"),
    (exits.ExitsAtSecondReset, "error", "reset", "SystemExit: 3"),
    (exits.ExitsInSecondCopy, "error", "determinism", "a further copy raised SystemExit: 3"),
    (exits.Panics, "error", "step", "PanicError: of an extension"),
    (sick.ArrayReward, "warning", "reward type", "(ndarray)"),
    (sick.TextReward, "error", "reward type", "return one number"),
    (sick.InfiniteReward, "error", "reward finite", "it is inf at step 9"),
    (sick.HugeReward, "advice", "reward scale", "scale or normalise"),
    (sick.NoReward, "advice", "reward zero", "every reward of 200 random steps was 0"),
    (sick.NoInfo, "error", "info type", "it is of type NoneType at the first reset"),
    (sick.ChangingInfo, "advice", "info keys", "'bonus' is in"),
    (sick.WrongMask, "error", "action mask", "it has shape [3], and Discrete(4, start=2) has 4 choices"),
    (sick.NothingLegal, "error", "action mask", "forbids every action"),
    (sick.FloatMask, "warning", "action mask", "it is float32"),
    (sick.LateMask, "error", "action mask", "there is none"),
    (sick.ContinuousMask, "error", "action mask", "has no choices to forbid"),
    (sick.ClosesOnce, "warning", "close", "a second close() raised RuntimeError: closed already"),
    (sick.NeverCloses, "error", "close", "the server does not answer"),
]


AGENTS = [
    (sick_agents.Vanishes, "error", "agents", "[\"'b'\"] left at step 3, neither terminated nor truncated"),
    (sick_agents.Stranger, "error", "agents", "[\"'d'\"] live at the first reset and are not in possible_agents"),
    (sick_agents.Unlisted, "error", "agents", "possible_agents is missing"),
    (sick_agents.Blind, "error", "agents", "lives and got no observation; return one for each of env.agents (step 4)"),
    (sick_agents.LeavesUnseen, "error", "agents", "is truncated without a last observation"),
    (sick_agents.OneNumber, "error", "agents", "a value of type float came instead of a dict"),
    (sick_agents.never_removed, "error", "agents", "is out and stays after step(None)"),
    (sick_agents.Nobody, "error", "agents", "nobody lives after reset"),
    (sick_agents.FreshSpaces, "warning", "agent spaces", "those of 'a', 'b', 'c' are new objects at every call"),
    (sick_agents.Unlike, "error", "shared policy", "agents have 2 different action spaces"),
    (sick_agents.Revives, "warning", "api test", "cannot be revived"),
    (sick_agents.ArrayFlag, "error", "flags", "terminated is array([False, False]) (ndarray) at step 1, for 'a'"),
    (sick_agents.ExitsUnderTest, "warning", "api test", "pettingzoo.test raised SystemExit: 3"),
    (sick_agents.WrongReward, "error", "reward type", "it is None at step 2, for 'c'"),
]
CASES = [pytest.param(*case, id=case[0].__name__) for case in FAULTS + AGENTS]


@pytest.mark.parametrize(("env", "level", "what", "message"), CASES)
def test_each_fault_is_found_and_nothing_else(env, level, what, message):
    report = check(env, steps=200)
    assert found(report) == {(level, what)}
    (finding,) = (finding for finding in report.findings if finding.level != "ok")
    assert message in finding.message
    assert report.ok == (level != "error")


@pytest.mark.parametrize(
    ("env", "kind"),
    [
        (sick.Healthy, "gymnasium"),
        (sick.HealthyNested, "gymnasium"),
        (sick.HealthyMasked, "gymnasium"),
        (sick_agents.Healthy, "parallel"),
        (sick_agents.healthy_turns, "turns"),
        ("CartPole-v1", "gymnasium"),
        ("Acrobot-v1", "gymnasium"),
        ("workbench/Connect4-v0", "gymnasium"),
        ("gymnasium.envs.classic_control:CartPoleEnv", "gymnasium"),
        ("Blackjack-v1", "gymnasium"),
        ("mpe2.simple_spread_v3:parallel_env", "parallel"),
        ("mpe2.simple_spread_v3:env", "turns"),
    ],
)
def test_healthy_environments_are_healthy(env, kind):
    report = check(env, steps=200)
    assert found(report) == set()
    assert report.ok
    assert (report.kind, report.steps) == (kind, 200)
    assert report.speed.steps_per_second > 0


def test_a_game_without_chance_is_told_that_seeds_decide_nothing():
    report = check("pettingzoo.classic.tictactoe_v3:env", steps=100)
    assert found(report) == {("advice", "seeds")}


def test_the_place_of_a_crash_is_the_line_of_the_environment():
    (finding,) = check(sick.RaisesAtStep, steps=200).at("error")
    assert finding.message.startswith("step ")
    assert "sick_environments.py:" in finding.message
    assert finding.message.endswith("in step)")


def test_wrapped_environments_of_old_are_recognised_by_what_the_wrapper_raises():
    wrapped = lambda: gymnasium.wrappers.TimeLimit(sick.OldStep(), 50)  # noqa: E731
    assert found(check(wrapped)) == {("error", "step signature")}


def test_a_time_limit_is_found_in_the_wrapper():
    limited = lambda: gymnasium.wrappers.TimeLimit(sick.Endless(), 500)  # noqa: E731
    assert found(check(limited, steps=100)) == set()


def test_threads_left_behind_are_named_and_left_alone():
    sick.LeavesThread.end.clear()
    report = check(sick.LeavesThread, steps=200)
    try:
        assert found(report) == {("warning", "left behind")}
        assert "thread 'simulator'" in report.at("warning")[0].message
    finally:
        sick.LeavesThread.end.set()


def test_processes_left_behind_are_named_and_left_alone():
    report = check(sick.LeavesProcess, steps=200)
    started = sick.LeavesProcess.started
    try:
        assert found(report) == {("warning", "left behind")}
        assert f"process {started[0].pid}" in report.at("warning")[0].message
        assert all(process.poll() is None for process in started)
    finally:
        for process in started:
            process.communicate()
        started.clear()


def test_the_callers_random_numbers_are_as_if_nothing_had_happened():
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    check(sick.NumpyRandom, steps=50)
    check(sick.PythonRandom, steps=50)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002


def test_nobody_recommends_what_make_refuses():
    for env, message in ((sick_agents.Unlike, "one policy"), (sick_agents.Unlisted, "max_agents is missing")):
        report = check(env, steps=50, tune=True, tune_seconds=0.01)
        assert report.speed is not None
        assert report.recommended is report.tuning is None
        with pytest.raises(InputError, match=message):
            make(env, 2)
    report = check(sick_agents.Unlisted, steps=50, max_agents=3)
    assert found(report) == {("advice", "agents")}
    assert report.recommended is not None


def test_names_that_each_copy_makes_up_are_no_fault():
    report = check(sick_agents.Named, steps=60, max_agents=2)
    assert found(report) == {("advice", "agents")}
    assert report.speed.observation_bytes == 16
    assert report.recommended is not None


def test_agents_that_each_copy_makes_up_with_spaces_of_their_own_are_measured():
    report = check("pettingzoo.test.example_envs.generated_agents_parallel_v0:env", steps=100)
    assert found(report) == {("error", "agents"), ("error", "shared policy")}
    assert report.speed is not None


def test_spaces_that_each_episode_makes_up_are_no_wrong_observations():
    report = check(sick_agents.Shapeshifts, steps=100, max_agents=3)
    assert found(report) == {("advice", "agents"), ("error", "shared policy")}
    assert "different observation spaces" in report.at("error")[0].message
    assert "different action spaces" in report.at("error")[1].message


def test_an_agent_that_left_without_an_observation_has_none_to_copy():
    report = check(sick_agents.LeavesTerminated, steps=100)
    assert found(report) == set()
    assert report.speed is not None


def test_pettingzoos_own_test_is_left_out_where_it_is_missing(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "pettingzoo"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Without("pettingzoo"), *sys.meta_path])
    report = check(sick_agents.Duck, steps=60)
    assert found(report) == set()
    (finding,) = (finding for finding in report.findings if finding.what == "api test")
    assert finding.message == "not looked at: pettingzoo is not installed"


class Without(importlib.abc.MetaPathFinder):
    """Lets one package be missing."""

    def __init__(self, package):
        self.package = package

    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_module_that_exits_is_a_finding(tmp_path, monkeypatch):
    (tmp_path / "module_that_exits.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    report = check("module_that_exits:Env")
    assert found(report) == {("error", "construction")}
    assert "SystemExit: 0" in report.at("error")[0].message


@pytest.mark.parametrize("where", ["__init__", "reset", "step", "close"])
def test_ctrl_c_is_not_a_finding(where):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(type("Interrupted", (sick.Healthy,), {where: interrupt}), steps=5)


def test_ctrl_c_ends_the_checks_of_further_copies():
    class Interrupted(sick.Healthy):
        copies = 0

        def __init__(self):
            type(self).copies += 1
            if self.copies > 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(Interrupted, steps=5)
    assert Interrupted.copies == 2


def test_what_came_at_a_corner_is_written_like_any_other_observation():
    (finding,) = check(sick.NotANumberAtCorner, steps=50).at("error")
    assert "observation[0] is nan" in finding.message


@pytest.mark.parametrize(
    "make_one",
    [
        lambda: gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync"),
        lambda: make("CartPole-v1", 2),
        sick_agents.Healthy,
        sick_agents.healthy_turns,
    ],
    ids=["gymnasium's vector", "ours", "parallel", "turns"],
)
def test_what_is_built_already_is_refused(make_one):
    env = make_one()
    try:
        with pytest.raises(InputError, match=r"built already.*an id, a class or a function") as caught:
            check(env)
        assert "or a vector environment" not in str(caught.value)
    finally:
        env.close()


def test_a_source_can_be_checked():
    assert check(source_of(sick.NeedsArgument, size=3), steps=50).ok
    with pytest.raises(InputError, match="give them to source_of"):
        check(source_of(sick.NeedsArgument), size=3)


@pytest.mark.parametrize(
    ("env", "options", "native"),
    [
        ("CartPole-v1", {}, True),
        ("CartPole-v1", {"time_limit": 30}, True),
        ("CartPole-v1", {"max_episode_steps": 30}, False),
        ("CartPole-v1", {"render_mode": "rgb_array"}, False),
        ("workbench/CartPole-v1", {"render_mode": "rgb_array"}, False),
        ("workbench/BitFlip-v0", {"bits": 4}, True),
    ],
)
def test_the_native_backend_is_recommended_where_it_takes_the_options(env, options, native):
    report = check(env, steps=50, **options)
    assert report.ok
    assert (report.recommended.backend == "native") == native


@pytest.mark.parametrize(
    ("options", "native", "episodes"),
    [({"frame_skip": 3}, False, 0), ({"max_episode_steps": 20}, False, 2), ({"time_limit": 20}, True, 2)],
)
def test_mujocos_native_backend_is_recommended_where_it_takes_the_options(
    options, native, episodes, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    report = check("HalfCheetah-v5", steps=50, **options)
    assert report.ok
    assert report.episodes == episodes
    assert (report.recommended.backend == "native") == native
    assert list(tmp_path.iterdir()) == []
    assert "deprecated" not in "".join(capfd.readouterr())


def test_options_reach_the_environment():
    report = check("Acrobot-v1", steps=30, time_limit=10)
    assert report.episodes == 3
    assert found(check(sick.NeedsArgument, steps=50, size=3)) == set()


def test_the_same_check_says_the_same():
    first, second = (check(sick.Healthy, steps=100, seed=5) for _ in range(2))
    assert first.findings == second.findings
    assert first.episodes == second.episodes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": "CartPole-v1", "steps": 0}, "steps=0"),
        ({"env": "CartPole-v1", "seed": -1}, "seed=-1"),
        ({"env": "CartPole-v1", "tune_seconds": 0}, "tune_seconds=0"),
        ({"env": "CartPole-v1", "tune_seconds": "3"}, "tune_seconds='3'"),
        ({"env": "CartPole-v1", "tune_seconds": float("inf")}, "tune_seconds=inf"),
        ({"env": "CartPole-v1", "max_agents": "3"}, "max_agents='3'"),
        ({"env": "CartPole-v1", "max_agents": 0}, "max_agents=0"),
        ({"env": "CartPol-v1"}, "did you mean"),
        ({"env": "nowhere_at_all:env"}, "cannot be imported"),
        ({"env": 7}, "env=7"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        check(**arguments)


def test_the_report_is_a_table_and_plain_values():
    report = check(sick.WideAction, steps=50)
    text = repr(report)
    assert "\x1b" not in text
    assert all(finding.what in text for finding in report.findings)
    assert {"speed", "recommended", "1 advice"} <= {line.strip() for line in text.splitlines()}
    record = report.as_dict()
    assert record["ok"] is True
    assert record["findings"][0].keys() == {"level", "what", "message"}
    assert record["speed"]["steps_per_second"] == report.speed.steps_per_second


def test_colour_is_for_terminals(monkeypatch):
    report = check(sick.Healthy, steps=50)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in repr(report)
