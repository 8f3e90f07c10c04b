"""A description that does not fit is refused by name."""

import numpy as np
import pytest

from workbench_kernels import Box, Discrete, Environment


def build(**changes):
    given = {
        "id": "Given-v0",
        "state": ("x",),
        "observation": Box(0.0, 1.0),
        "action": Discrete(2),
        "time_limit": 10,
        "reset": lambda i, state, random: None,
        "step": lambda i, state, action, reward, terminated, random: None,
        "observe": lambda i, state, observation: None,
    }
    return Environment(**given | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": "xy"}, r"state='xy' of 'Given-v0' must be names"),
        ({"state": ()}, "must be names"),
        ({"state": ("x", "x")}, "each once"),
        ({"state": ("x",), "settings": {"x": 1.0}}, "each once"),
        ({"settings": {"p": 0.5}, "integer": True}, r"setting p=0.5 .*pass whole numbers"),
        ({"settings": {"p": np.nan}}, "pass finite numbers"),
        ({"time_limit": None}, "time_limit=None is no number of steps"),
        ({"time_limit": 2**31}, "time_limit=2147483648 is no number"),
        ({"agents": 0}, "agents=0"),
        ({"observation": Discrete(3)}, "pass a Box to observation"),
        ({"reset": None}, "reset=None of 'Given-v0' is not a function"),
        ({"step": lambda i, state: None}, r"step of 'Given-v0' takes 2 arguments; write step\(i, state, action"),
        ({"action": Box(0.0, 1.0), "action_mask": lambda i, state, mask: None}, "needs a Discrete action"),
        ({"global_state": lambda i, state, out: None}, "go together"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 1.0, "high": 0.0}, "low=1.0 is above high=0.0"),
        ({"low": np.nan, "high": 0.0}, "or not a number"),
        ({"low": (0.0, 0.0), "high": (1.0, 1.0), "shape": (3,)}, "low has 2 components; pass 3"),
        ({"low": 0.0, "high": 1.0, "dtype": "float64"}, "dtype='float64' is none of a box"),
    ],
)
def test_bad_boxes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Box(**arguments)


def test_lists_are_bounds_too():
    assert Box([0.0, 1.0], [1.0, 2.0]) == Box((0.0, 1.0), (1.0, 2.0))
    assert Box([0.0, 1.0], [1.0, 2.0]).shape == (2,)


@pytest.mark.parametrize("n", [0, 2.5, True, "2"])
def test_bad_numbers_of_actions_are_refused(n):
    with pytest.raises(ValueError, match="is no number of actions"):
        Discrete(n)
