import numpy as np
import pytest

from workbench.errors import InputError, UnknownNameError
from workbench.hyperparameters import changeable, configurable, declared, hyperparameter, lock, values


@configurable
class Example:
    """An example."""

    rate: float = hyperparameter(0.1, low=1e-3, high=1.0, log=True, live=True, help="per step")
    count: int = hyperparameter(3, low=1)
    kind: str = hyperparameter("a", choices=("a", "b"))
    flag: bool = hyperparameter(False)


def test_a_declaration_says_everything():
    rate = declared(Example)["rate"]
    assert (rate.kind, rate.default, rate.low, rate.high, rate.log, rate.live) == (float, 0.1, 1e-3, 1.0, True, True)
    assert rate.help == "per step"
    assert list(declared(Example())) == ["rate", "count", "kind", "flag"]
    assert values(Example(count=5)) == {"rate": 0.1, "count": 5, "kind": "a", "flag": False}


def test_values_take_their_declared_kind():
    example = Example(rate=1, count=4.0)
    assert (example.rate, type(example.rate)) == (1.0, float)
    assert (example.count, type(example.count)) == (4, int)
    example = Example(rate=np.float32(0.5), count=np.int64(7), flag=np.bool_(True))
    assert [(x, type(x)) for x in (example.rate, example.count, example.flag)] == [(0.5, float), (7, int), (True, bool)]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rate", 2.0, r"Example\.rate=2\.0 is out of range; choose a value from 0\.001 to 1"),
        ("rate", float("nan"), "is not finite"),
        ("rate", "fast", "is not of type float"),
        ("rate", True, "is not of type float"),
        ("count", 0, r"count=0 is out of range; choose a value of at least 1"),
        ("count", 1.5, "is not of type int; pass an int"),
        ("count", False, "is not of type int"),
        ("kind", "c", "is not accepted; choose one of 'a', 'b'"),
        ("flag", 1, "is not of type bool"),
    ],
)
def test_values_that_do_not_fit_are_refused_and_the_old_one_stays(name, value, message):
    with pytest.raises(InputError, match=message):
        Example(**{name: value})
    example = Example()
    with pytest.raises(InputError, match=message):
        setattr(example, name, value)
    assert values(example) == values(Example())


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Example hyperparameter 'ratee' is unknown; did you mean 'rate'\?"):
        Example(ratee=1)
    with pytest.raises(UnknownNameError, match=r"known: count, flag, kind, rate"):
        Example(zzzzzz=1)


def test_only_live_ones_change_once_it_is_in_use():
    example = Example()
    lock(example)
    example.rate = 0.5
    example.count = 3  # the same value is no change
    with pytest.raises(InputError, match=r"Example\.count=4 cannot change once training has begun; .* live one: rate"):
        example.count = 4
    assert Example(count=4).count == 4


def test_a_live_one_may_be_fixed_where_it_would_do_nothing():
    example = Example()
    lock(example, {"rate": "walk instead"})
    assert changeable(example) == {}
    with pytest.raises(InputError, match=r"Example\.rate=0\.5 cannot change once training has begun; walk instead"):
        example.rate = 0.5


def test_zero_may_turn_off_what_begins_further_up():
    @configurable
    class Dial:
        level: float = hyperparameter(0.0, low=1.0, high=9.0, off=True)

    assert [Dial(level=x).level for x in (0, 1, 9)] == [0.0, 1.0, 9.0]
    with pytest.raises(InputError, match=r"choose a value of 0, or from 1 to 9"):
        Dial(level=0.5)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("rate", "1e-2", 0.01), ("count", "1e3", 1000), ("count", "7", 7), ("kind", "b", "b"), ("flag", "true", True)],
)
def test_text_is_read(name, text, value):
    assert declared(Example)[name].parse(text, "Example") == value


@pytest.mark.parametrize(("name", "text"), [("rate", "x"), ("count", "1.5"), ("count", ""), ("flag", "maybe")])
def test_text_that_does_not_fit_is_refused(name, text):
    with pytest.raises(InputError, match=rf"Example\.{name}='{text}' is not of type"):
        declared(Example)[name].parse(text, "Example")
