"""Comparisons of runs whose numbers are known."""

import numpy as np
import pandas
import pytest

import workbench as wb
from tests.analysis.made import constant, make_run, rising
from workbench.errors import InputError, UnknownNameError


@pytest.fixture
def folder(tmp_path):
    """Two learning rates of four seeds each: at 1e-3 they score 10 to 13, at 1e-2 they score 20 to 23."""
    for rate, base in ((1e-3, 10.0), (1e-2, 20.0)):
        for seed in range(4):
            make_run(tmp_path, f"{rate:g}-{seed}", constant(base + seed), seed=seed, learning_rate=rate)
    return tmp_path


LOW, HIGH = "learning_rate=0.001", "learning_rate=0.01"


def test_scores_by_hand(folder):
    found = wb.compare(folder)
    assert found.groups == [LOW, HIGH]
    (task,) = found.tasks
    assert task.results[LOW].scores.tolist() == [10.0, 11.0, 12.0, 13.0]
    assert (found.summary[LOW].value, found.summary[HIGH].value) == (11.5, 21.5)  # of four runs the middle two
    assert 10.0 <= found.summary[LOW].low < 11.5 < found.summary[LOW].high <= 13.0
    (better,) = found.improvements
    assert (better.better, better.worse, better.probability) == (HIGH, LOW, (1.0, 1.0, 1.0))
    assert found.profiles[LOW].value[np.searchsorted(found.thresholds, 11.5)] == 0.5
    assert not found.normalised
    assert found.gaps == {}
    assert repr(found) == "<Comparison of 2 groups, 8 runs of CartPole-v1: episode_return>"


def test_curves_are_interquartile_means_at_each_point(folder):
    (task,) = wb.compare(folder).tasks
    assert task.steps[-1] == 1000.0
    assert task.seconds[-1] == 1.0
    result = task.results[LOW]
    for estimate in (result.by_steps, result.by_seconds):
        known = np.isfinite(estimate.value)
        assert np.flatnonzero(known)[0] == 9  # the first row is at the tenth of a hundred points
        assert known[9:].all()
        np.testing.assert_allclose(estimate.value[known], 11.5)
        assert (estimate.low[known] >= 10.0).all()
        assert (estimate.high[known] <= 13.0).all()


def test_steps_until_a_return(tmp_path):
    for seed, top in enumerate((50.0, 100.0, 200.0)):
        make_run(tmp_path, str(seed), rising(top), seed=seed)
    found = wb.compare(tmp_path, target=50.0)
    (result,) = found.tasks[0].results.values()
    assert (result.steps_to_target.value, result.seconds_to_target.value) == (500.0, 0.5)  # of 1000, 500 and 250
    assert wb.compare(tmp_path, target=150.0).table()["steps_to_target"].tolist() == [np.inf]
    assert "never" in str(wb.compare(tmp_path, target={"CartPole-v1": 150.0}))


def test_runs_are_judged_where_the_shortest_ends(tmp_path):
    make_run(tmp_path, "short", rising(100.0, end=1000), learning_rate=1)
    make_run(tmp_path, "long", rising(400.0, end=4000), learning_rate=2)
    found = wb.compare(tmp_path)
    assert found.tasks[0].budget == 1000.0
    assert [round(estimate.value) for estimate in found.summary.values()] == [100, 100]
    later = wb.compare(tmp_path, at=4000)
    assert [estimate.value for estimate in later.summary.values()] == [100.0, np.mean([370, 380, 390, 400])]


def test_the_shorter_runs_curve_ends_with_it(tmp_path):
    make_run(tmp_path, "short", constant(1.0, end=1000), seed=1)
    make_run(tmp_path, "long", constant(3.0, end=2000), seed=2)
    (result,) = wb.compare(tmp_path).tasks[0].results.values()
    assert np.flatnonzero(np.isfinite(result.by_steps.value))[-1] == 49
    assert result.by_steps.value[49] == 2.0


def test_a_single_run_has_no_interval(tmp_path):
    found = wb.compare([make_run(tmp_path, rows=constant(7.0))])
    assert found.groups == ["PPO"]
    assert found.summary["PPO"].value == 7.0
    assert np.isnan(found.summary["PPO"].low)
    assert found.improvements == []
    assert "-" in str(found)
    assert found.figure().axes


def test_environments_are_averaged_between_their_bounds(tmp_path):
    for algorithm, scores in (("ppo", {"A": 5.0, "B": 300.0}), ("sac", {"A": 10.0, "B": 100.0})):
        for env, value in scores.items():
            for seed in range(2):
                make_run(
                    tmp_path, f"{algorithm}-{env}-{seed}", constant(value), env=env, algorithm=algorithm, seed=seed
                )
    found = wb.compare(tmp_path, bounds={"A": (0, 10), "B": (100, 500)})
    assert found.normalised
    assert found.summary["PPO"].value == pytest.approx((0.5 + 0.5) / 2)
    assert found.summary["SAC"].value == pytest.approx((1.0 + 0.0) / 2)
    assert found.gaps["SAC"].value == pytest.approx(0.5)
    assert found.improvements[0].probability.value == 0.5
    bare = wb.compare(tmp_path)
    assert [task.bounds for task in bare.tasks] == [(5.0, 10.0), (100.0, 300.0)]
    table = bare.table()
    assert table["environment"].tolist() == ["A", "A", "B", "B", "all, normalised", "all, normalised"]
    assert len(bare.panels()) == 9


def test_bounds_of_one_environment_give_an_optimality_gap(folder):
    found = wb.compare(folder, bounds={"CartPole-v1": (0, 20)})
    assert found.gaps[LOW].value == pytest.approx(1 - np.mean([10, 11, 12, 13]) / 20)
    assert found.gaps[HIGH].value == 0.0
    assert "optimality_gap" in found.table()


def test_evaluations_are_compared_where_all_runs_have_them(tmp_path):
    rows = [{"steps": 100, "episode_return": 1.0}, {"steps": 200, "evaluation_return": 9.0}]
    runs = [make_run(tmp_path, str(seed), rows, seed=seed) for seed in range(2)]
    assert wb.compare(runs).metric == "evaluation_return"
    assert wb.compare(runs).summary["PPO"].value == 9.0
    runs.append(make_run(tmp_path, "2", rows[:1], seed=2))
    assert wb.compare(runs).metric == "episode_return"
    chosen = wb.compare(runs, metric="evaluation_return")
    assert chosen.left_out == {"2": "it has no evaluation_return"}
    assert "Left out" in chosen.markdown()


def test_runs_without_values_are_left_out_and_said_so(folder):
    make_run(folder, "young", [], learning_rate=1e-3)
    (folder / "sick").mkdir()
    (folder / "sick" / "run.json").write_text("{")
    found = wb.compare(folder)
    assert found.left_out == {"young": "no episode has ended"}
    assert "young" in str(found)


def test_runs_in_every_form_are_the_same_runs(folder):
    wanted = str(wb.compare(folder))
    paths = sorted(path for path in folder.iterdir())
    assert str(wb.compare(str(folder))) == wanted
    assert str(wb.compare(wb.runs(folder))) == wanted
    assert str(wb.compare([*paths, folder])) == wanted  # none twice
    assert str(wb.runs(folder).compare()) == wanted
    named = wb.compare({"slow": paths[:4], "fast": [*wb.runs(folder).where(learning_rate=1e-2)]})
    assert named.groups == ["slow", "fast"]
    assert wb.compare(folder, by="seed").groups == [f"seed={seed}" for seed in range(4)]


def test_trainers_are_compared_by_what_they_left(tmp_path):
    trainers = [
        wb.Trainer("CartPole-v1", wb.PPO(horizon=8), lanes=8, seed=seed, run_dir=tmp_path / str(seed))
        for seed in (0, 1)
    ]
    with pytest.raises(InputError, match="has not trained yet; call train"):
        wb.compare(trainers)
    for trainer in trainers:
        trainer.train(2000)
        trainer.close()
    found = wb.compare(trainers)
    assert [len(result.runs) for result in found.tasks[0].results.values()] == [2]
    last = [
        np.mean(trainer.metrics.series("episode_return")[1][trainer.metrics.series("episode_return")[0] > 0.9 * 2048])
        for trainer in trainers
    ]
    np.testing.assert_allclose(found.tasks[0].results["PPO"].scores, last)


def test_many_groups_are_set_against_the_best_alone(tmp_path):
    for rate in range(6):
        for seed in range(2):
            make_run(tmp_path, f"{rate}-{seed}", constant(float(rate)), learning_rate=rate, seed=seed)
    assert [(each.better, each.worse) for each in wb.compare(tmp_path).improvements] == [
        ("learning_rate=5", f"learning_rate={rate}") for rate in (4, 3, 2, 1, 0)
    ]


def test_the_seed_of_the_bootstrap_gives_the_same_comparison(folder):
    assert str(wb.compare(folder)) == str(wb.compare(folder))
    tables = [wb.compare(folder, seed=seed, resamples=50).table() for seed in (0, 0, 1)]
    pandas.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0].equals(tables[2])
    narrow = wb.compare(folder, confidence=0.5).summary[LOW]
    assert narrow.high - narrow.low < wb.compare(folder).summary[LOW].high - wb.compare(folder).summary[LOW].low


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"metric": "nothing"}, "metric='nothing' is in none of the runs; all of them have episode_return, seconds"),
        ({"at": 50}, "at=50 is before the first value of run '0.01-3'"),
        ({"at": 0}, "at=0 is no number of environment steps"),
        ({"target": "high"}, "target='high' is no finite number"),
        ({"target": {"Pong": 1.0}}, "target names 'Pong'; the runs are of CartPole-v1"),
        ({"bounds": (0, 500)}, r"bounds=\(0, 500\) names no environment"),
        ({"bounds": {"CartPole-v1": (5, 5)}}, "bounds of 'CartPole-v1' are 5 and 5; the first has to be less"),
        ({"confidence": 95}, "confidence=95 is out of range"),
    ],
)
def test_what_does_not_fit_is_refused(folder, options, says):
    with pytest.raises(InputError, match=says):
        wb.compare(folder, **options)


def test_an_unknown_name_to_group_by_is_refused(folder):
    with pytest.raises(UnknownNameError, match="did you mean 'learning_rate'"):
        wb.compare(folder, by="learning_rte")


def test_nothing_to_compare_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no run that can be read"):
        wb.compare(tmp_path)
    with pytest.raises(InputError, match="runs=7 is no run; pass runs"):
        wb.compare(7)
    make_run(tmp_path, "young", [])
    with pytest.raises(InputError, match="runs have no metrics yet"):
        wb.compare(tmp_path)


def test_groups_that_share_no_environment_are_refused(tmp_path):
    for env, algorithm in (("A", "ppo"), ("B", "sac")):
        make_run(tmp_path, env, constant(1.0), env=env, algorithm=algorithm)
    with pytest.raises(InputError, match="no environment was run by every group"):
        wb.compare(tmp_path)
