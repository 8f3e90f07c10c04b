"""MatrixGame-v0: what every pair of actions pays, against the table."""

import numpy as np
import pytest

from tests.kernels.batch import TARGETS, Lanes
from workbench_kernels.envs import make
from workbench_kernels.envs.matrix_game import CLIMBING, PENALTY

COMPILED = [name for name in TARGETS if name != "python"]
STAIRS = tuple(tuple(float(10 * r + c) - 7.5 for c in range(4)) for r in range(4))


def test_the_climbing_game_is_the_published_one():
    assert CLIMBING == ((11, -30, 0), (-30, 7, 0), (0, 6, 5))
    assert PENALTY == ((10, 0, -100), (0, 2, 0), (-100, 0, 10))
    assert make("workbench/MatrixGame-v0").options["payoff"] == CLIMBING


@pytest.mark.parametrize(("payoff", "rounds"), [(CLIMBING, 1), (PENALTY, 3), (STAIRS, 5)])
def test_a_hundred_thousand_steps_pay_what_the_table_says(payoff, rounds):
    game, many = make("workbench/MatrixGame-v0", payoff=payoff, rounds=rounds), 500
    lanes = Lanes(game, many, seed=1)
    draw = np.random.default_rng(2)
    played = 0
    for _ in range(100):
        action = draw.integers(0, len(payoff), (2, many))
        lanes.step(action)
        played += 1
        for i in range(many):
            paid = payoff[action[0, i]][action[1, i]]
            assert lanes.reward[:, i].tolist() == [paid, paid]
        over = played == rounds
        assert (lanes.terminated == over).all()
        assert not lanes.truncated.any()
        shown = lanes.final_observation if over else lanes.observation
        assert (shown == np.array([[1, 0], [1, 1]])[:, :, None]).all()
        whole = lanes.final_global_state if over else lanes.global_state
        np.testing.assert_allclose(whole, played / rounds, rtol=1e-6)
        if over:
            played = 0
            assert (lanes.state[:3] == np.array([[0], [-1], [-1]])).all()
        else:
            np.testing.assert_array_equal(lanes.state[1:3], action)


@pytest.mark.parametrize(("payoff", "rounds"), [(CLIMBING, 1), (PENALTY, 3), (STAIRS, 5)])
def test_the_optimal_return_is_that_of_the_best_pair(payoff, rounds):
    """Every pair of actions in a lane of its own, kept for a whole episode."""
    n = len(payoff)
    game = make("workbench/MatrixGame-v0", payoff=payoff, rounds=rounds)
    lanes = Lanes(game, n * n)
    pairs = np.stack(np.divmod(np.arange(n * n), n))
    returned = np.zeros((2, n * n))
    for _ in range(rounds):
        lanes.step(pairs)
        returned += lanes.reward
    assert lanes.terminated.all()
    assert returned.max() == game.optimal_return
    np.testing.assert_array_equal(returned[0], returned[1])


def test_payoffs_may_differ_from_lane_to_lane():
    game = make("workbench/MatrixGame-v0")
    lanes = Lanes(game, 4)
    lanes.state[game.rows.index("payoff_0_1")] = [-1, -2, -3, -4]
    for _ in range(2):
        lanes.step(np.array([[0] * 4, [1] * 4]))
        assert lanes.reward.tolist() == [[-1, -2, -3, -4]] * 2


@pytest.mark.parametrize("target", COMPILED)
def test_every_target_gives_the_oracles_bits(target):
    game = make("workbench/MatrixGame-v0", payoff=STAIRS, rounds=3)
    oracle, ours = (Lanes(game, 33, target=name, seed=9) for name in ("python", target))
    draw = np.random.default_rng(1)
    names = ("state", "observation", "final_observation", "reward", "terminated", "truncated", "global_state")
    for _ in range(30):
        action = draw.integers(0, 4, (2, 33))
        oracle.step(action)
        ours.step(action)
        for name in (*names, "final_global_state"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(oracle, name), err_msg=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"payoff": ((1.0, 2.0),)}, "no square"),
        ({"payoff": ((1.0, 2.0), (3.0,))}, "no square"),
        ({"payoff": ((1.0, np.inf), (0.0, 0.0))}, "not finite"),
        ({"rounds": 0}, "pass 1 to 1000"),
    ],
)
def test_options_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make("workbench/MatrixGame-v0", **options)
