"""Runs that are alike are put together, under labels that say what distinguishes them."""

import pytest

from tests.analysis.made import make_run
from workbench.analysis.grouping import differing, grouped, settings, short, value
from workbench.errors import InputError, UnknownNameError


@pytest.fixture
def runs(tmp_path):
    kinds = [
        ("ppo", {"learning_rate": 1e-3, "clip": 0.2}),
        ("ppo", {"learning_rate": 1e-4, "clip": 0.2}),
        ("sac", {"tau": 0.5}),
    ]
    return [
        make_run(tmp_path, f"{number}-{seed}", algorithm=algorithm, seed=seed, **hyperparameters)
        for seed in (1, 2)
        for number, (algorithm, hyperparameters) in enumerate(kinds)
    ]


def labels(groups):
    return {label: [run.name for run in members] for label, members in groups.items()}


def test_runs_are_grouped_by_algorithm_and_what_differs(runs):
    assert labels(grouped(runs)) == {
        "PPO · learning_rate=0.0001": ["1-1", "1-2"],
        "PPO · learning_rate=0.001": ["0-1", "0-2"],
        "SAC": ["2-1", "2-2"],
    }


def test_what_all_share_is_not_told(runs):
    assert list(grouped(runs[:2])) == ["learning_rate=0.0001", "learning_rate=0.001"]
    assert list(grouped(runs[2:3])) == ["SAC"]


def test_what_differs_between_environments_alone_distinguishes_nothing(tmp_path):
    runs = [make_run(tmp_path, env, env=env, learning_rate=rate) for env, rate in (("A", 1e-3), ("B", 1e-2))]
    assert differing(runs) == []
    assert labels(grouped(runs)) == {"PPO": ["A", "B"]}


def test_lanes_and_options_are_settings_too(tmp_path):
    run = make_run(tmp_path, learning_rate=1e-3)
    run.description |= {"options": {"velocity": False}}
    assert settings(run) == {"lanes": 8, "velocity": False, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("seed", ["seed=1", "seed=2"]),
        ("algorithm", ["PPO", "SAC"]),
        (["environment", "seed"], ["CartPole-v1 · seed=1", "CartPole-v1 · seed=2"]),
        ("git", ["git=abcdef123456"]),
        ("tau", ["tau=0.5", "PPO"]),
        (lambda run: run.name[0], ["0", "1", "2"]),
    ],
)
def test_groups_by_what_is_asked_for(runs, by, wanted):
    assert list(grouped(runs, by)) == wanted


def test_a_value_is_a_setting_or_an_entry(runs):
    assert (value(runs[0], "clip"), value(runs[0], "environment"), value(runs[0], "nothing")) == (
        0.2,
        "CartPole-v1",
        None,
    )


def test_what_no_run_has_is_refused(runs):
    with pytest.raises(UnknownNameError, match="by 'learning_rat' is unknown; did you mean 'learning_rate'"):
        grouped(runs, "learning_rat")
    with pytest.raises(InputError, match=r"by=\[\] names nothing"):
        grouped(runs, [])


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (3e-4, "0.0003"),
        (True, "True"),
        ([64, 64], "64x64"),
        ({"kind": "lstm", "size": 8}, "kind=lstm, size=8"),
        (None, "None"),
    ],
)
def test_values_are_written_short(setting, text):
    assert short(setting) == text
