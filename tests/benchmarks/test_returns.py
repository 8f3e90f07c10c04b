"""The tasks of the record of returns, and how a record is made."""

import json

import numpy as np
import pytest

from benchmarks import returns
from workbench.algorithms import ALGORITHMS
from workbench.envs import native_id


@pytest.mark.parametrize("name", returns.TASKS)
def test_every_task_can_be_built(name):
    task = returns.TASKS[name]
    algorithm = returns.algorithm_for(task)
    assert type(algorithm) is ALGORITHMS[task.algorithm]
    assert native_id(task.environment) == task.environment
    assert all(getattr(algorithm, setting) == value for setting, value in task.settings.items())


def test_a_curve_has_a_point_for_each_part_of_the_run():
    steps, gains = np.array([1.0, 10.0, 11.0, 590.0, 600.0]), np.array([1.0, 3.0, 7.0, 5.0, 6.0])
    points = returns.curve(steps, gains, 600)
    assert len(points) == returns.BINS == 60
    assert (points[0], points[1], points[58], points[59]) == (2.0, 7.0, 5.0, 6.0)
    assert points[2] is None


@pytest.mark.parametrize(
    ("control", "threshold", "reached"), [(False, 5, True), (False, 600, False), (True, 600, True)]
)
def test_a_record_says_what_was_reached(monkeypatch, control, threshold, reached):
    task = returns.Task(
        "small", "CartPole-v1", "ppo", threshold, 512, lanes=8, settings={"horizon": 8}, control=control
    )
    monkeypatch.setitem(returns.TASKS, "small", task)
    record = json.loads(json.dumps(returns.measure("small", seeds=2, scale=0.5)))
    assert record["reached"] == reached
    assert [(row["seed"], row["steps"]) for row in record["seeds"]] == [(0, 256), (1, 256)]
    scores = [row["evaluation_mean"] for row in record["seeds"]]
    assert record["iqm"] == np.mean(scores)
    assert record["interval"] == [min(scores), max(scores)]  # of two seeds
    assert record["configuration"] | {"horizon": 8, "lanes": 8, "threads": 1} == record["configuration"]
    assert record["curve"]["steps"] == 256


def test_a_task_may_go_on_after_its_evaluation(monkeypatch):
    task = returns.Task("small", "CartPole-v1", "ppo", 5, 1024, lanes=8, settings={"horizon": 8}, further=2048)
    monkeypatch.setitem(returns.TASKS, "small", task)
    record = returns.measure("small", seeds=1, scale=0.5)
    assert record["seeds"][0]["steps"] == 512
    assert record["curve"]["steps"] == record["configuration"]["schedule_steps"] == 1536
