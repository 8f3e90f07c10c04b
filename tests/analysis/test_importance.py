"""Importance. Oracles: the classical analysis of variance over full grids, naive averages over all cells."""

import itertools

import numpy as np
import pytest

import workbench as wb
from tests.analysis.made import constant, make_run
from workbench.analysis.coordinates import nice
from workbench.analysis.forest import decomposed, grow, predicted
from workbench.analysis.importance import importance, levels
from workbench.errors import InputError

SIZES = [3, 4, 2]


def grid(function):
    x = np.array(list(itertools.product(*map(range, SIZES))))
    return x, np.array([function(*row) for row in x], dtype=float)


def even(sizes):
    return [np.full(size, 1 / size) for size in sizes]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    "function",
    [
        lambda a, b, c: 3.0 * a + b**2,
        lambda a, b, c: a * b + 5 * c,
        lambda a, b, c: (a - 1) * (c - 0.5),
        lambda a, b, c: float(np.sin(17 * a + 5 * b + 3 * c)),
    ],
)
def test_over_a_full_grid_it_is_the_classical_analysis_of_variance(function, ordered):
    x, y = grid(function)
    found = decomposed(grow(x, y, [ordered] * 3, SIZES), even(SIZES))
    assert found.total == pytest.approx(y.var())
    for setting, size in enumerate(SIZES):
        means = [y[x[:, setting] == level].mean() for level in range(size)]
        np.testing.assert_allclose(found.effects[setting], means, atol=1e-12)
        assert found.single[setting] == pytest.approx(np.var(means), abs=1e-12)


def test_marginals_are_what_a_naive_average_over_all_cells_gives():
    """Whatever the tree and however uneven the shares: each cell's prediction, weighted by all shares."""
    random = np.random.default_rng(0)
    x = np.stack([random.integers(size, size=25) for size in SIZES], axis=1)
    leaves = grow(x, random.standard_normal(25), [True, False, True], SIZES, least=4)
    shares = [np.bincount(x[:, setting], minlength=size) / 25 for setting, size in enumerate(SIZES)]
    cells = np.array(list(itertools.product(*map(range, SIZES))))
    weights = np.prod([shares[setting][cells[:, setting]] for setting in range(3)], axis=0)
    values = predicted(leaves, cells)
    assert np.isfinite(values).all()  # every cell lies in a leaf
    found = decomposed(leaves, shares)
    mean = weights @ values
    assert found.total == pytest.approx(weights @ (values - mean) ** 2)
    for setting, size in enumerate(SIZES):
        for level in range(size):
            here = cells[:, setting] == level
            others = weights[here] / weights[here].sum() if weights[here].sum() else None
            if others is not None:
                assert found.effects[setting][level] == pytest.approx(others @ values[here])


def test_leaves_do_not_overlap():
    random = np.random.default_rng(1)
    x = np.stack([random.integers(size, size=30) for size in SIZES], axis=1)
    leaves = grow(x, random.standard_normal(30), [True, False, True], SIZES)
    for cell in itertools.product(*map(range, SIZES)):
        assert sum(all(leaf.levels[k][cell[k]] for k in range(3)) for leaf in leaves) == 1


def test_a_grown_tree_foretells_what_it_has_seen():
    x, y = grid(lambda a, b, c: a + 10 * b + 100 * c)
    np.testing.assert_allclose(predicted(grow(x, y, [True] * 3, SIZES), x), y)


def test_values_without_an_order_are_split_by_their_scores():
    x = np.array([[0], [1], [2], [3]])
    leaves = grow(x, np.array([0.0, 1.0, 0.0, 1.0]), [False], [4])
    assert len(leaves) == 2
    assert len(grow(x, np.array([0.0, 1.0, 0.0, 1.0]), [True], [4])) == 4


def test_levels_are_numbered_in_their_order():
    numbers, ordered, distinct = levels([1e-2, 1e-4, 1e-2, 1e-3])
    assert (numbers.tolist(), ordered, distinct) == ([2, 0, 2, 1], True, [1e-4, 1e-3, 1e-2])
    assert levels(["b", "a", None])[1:] == (False, ["a", "b", None])
    assert levels([[64, 64], [32]])[0].tolist() == [1, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A hundred runs: the learning rate decides, the activation adds to it, the clip nothing."""
    root = tmp_path_factory.mktemp("runs")
    random = np.random.default_rng(0)
    for number in range(100):
        rate, activation, clip = 10 ** random.uniform(-4, -2), random.choice(["tanh", "relu"]), random.uniform(0.1, 0.3)
        top = 100 * (np.log10(rate) + 4) + 60 * (activation == "relu") + random.standard_normal()
        make_run(
            root,
            f"{number:03d}",
            constant(float(top)),
            seed=number,
            learning_rate=rate,
            activation=str(activation),
            clip=clip,
        )
    return root


@pytest.fixture(scope="module")
def found(folder):
    return wb.runs(folder).importance()


def test_what_decides_comes_first(found):
    assert found.names == ["learning_rate", "activation", "clip"]
    rate, activation, clip = (share.value for share in found.shares)
    # Of the variance 100**2 * 2**2 / 12 = 3333 and 60**2 / 4 = 900: 79 and 21 %.
    assert rate == pytest.approx(0.79, abs=0.08)
    assert activation == pytest.approx(0.21, abs=0.08)
    assert clip < 0.02
    assert rate + activation + clip + found.together.value == pytest.approx(1.0, abs=0.02)
    assert all(0 <= share.low <= share.value <= share.high <= 1 for share in found.shares)
    assert found.explained > 0.9
    effect = found.effects[0].value
    assert effect[0] < 50 < 150 < effect[-1]


def test_it_is_shown_and_saved(found, tmp_path):
    assert str(found).startswith(
        "Importance: CartPole-v1 · importance for the episode return: 100 runs\nlearning_rate "
    )
    assert [panel.title for panel in found.panels()] == [
        "all runs",
        "importance",
        "effect of learning_rate",
        "effect of activation",
    ]
    data, _ = found._repr_mimebundle_()
    assert {"text/plain", "image/png"} < set(data)
    for kind in ("html", "md", "csv", "png", "svg"):
        assert found.save(tmp_path / f"importance.{kind}").stat().st_size > 100
    assert len(found.table()) == 4
    assert "learning_rate" in found.save(tmp_path / "importance.md").read_text()


def test_every_run_crosses_every_axis(found):
    paths = found.panels()[0]
    assert paths.places.shape == (100, 4)
    assert paths.names == ["learning_rate", "activation", "clip", "episode return"]
    assert (paths.places.min(axis=0) == 0.0).all()
    assert (paths.places.max(axis=0) == 1.0).all()
    rates = np.array([row[0] for row in found.settings])
    logarithmic = np.log(rates / rates.min()) / np.log(rates.max() / rates.min())
    np.testing.assert_allclose(paths.places[:, 0], logarithmic)
    assert [text for _, text in paths.ticks[0]] == ["0.001"]
    assert [text for _, text in paths.ticks[1]] == ["relu", "tanh"]


def test_the_same_seed_gives_the_same_importance(folder, found):
    assert str(wb.runs(folder).importance()) == str(found)
    assert str(wb.runs(folder).importance(seed=1)) != str(found)


def test_noise_explains_nothing_and_it_says_so(tmp_path):
    random = np.random.default_rng(3)
    for number in range(30):
        make_run(
            tmp_path, str(number), constant(float(random.standard_normal())), clip=float(random.uniform()), seed=number
        )
    found = wb.runs(tmp_path).importance()
    assert found.explained < 0.1
    assert "so it tells little about what matters" in str(found)


def test_too_few_runs_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match="runs have 9 with a episode return, and importance needs 10 or more"):
        importance(list(wb.runs(folder))[:9])
    for number in range(10):
        make_run(tmp_path, str(number), constant(1.0), seed=number)
    with pytest.raises(InputError, match="runs differ in no hyperparameter"):
        wb.runs(tmp_path).importance()
    make_run(tmp_path, "other", constant(1.0), env="Pong")
    with pytest.raises(
        InputError, match=r"runs are of several kinds \(ppo on CartPole-v1, ppo on Pong\); choose one with"
    ):
        wb.runs(tmp_path).importance()


def test_runs_that_all_score_the_same_explain_nothing(tmp_path):
    for number in range(10):
        make_run(tmp_path, str(number), constant(1.0), clip=number / 10)
    found = wb.runs(tmp_path).importance()
    assert (found.shares[0].value, found.explained) == (0.0, 0.0)
    assert found.figure().axes


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [((0.0, 10.0), [0, 5, 10]), ((3.0, 27.0), [10, 20]), ((0.0, 0.07), [0, 0.02, 0.04, 0.06]), ((2.0, 2.0), [2.0])],
)
def test_ticks_are_round_numbers(arguments, wanted):
    assert nice(*arguments) == pytest.approx(wanted)


def test_logarithmic_ticks_are_powers_of_ten():
    assert nice(2e-4, 0.3, logarithmic=True) == pytest.approx([1e-3, 1e-2, 1e-1])
