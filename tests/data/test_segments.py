"""Segments by hand, and what drawing them by priority must give in the mean."""

import pytest
import torch

from workbench.data import Batch
from workbench.data.segments import Segments, packed, pieces, prioritised, shuffled, unpacked


def rollout(T, B, valid=None, carry=False):
    index = torch.arange(T * B).view(T, B)
    fields = {"reward": index.float(), "index": index, "pair": torch.stack([index, -index], -1)}
    if carry:
        fields["carry"] = fields["pair"].float() + 0.5
    if valid is not None:
        fields["valid"] = torch.arange(T)[:, None] >= T - torch.tensor(valid)
    return Batch(**fields)


def test_segments_of_one_step_are_the_transitions_in_order():
    cut = Segments(rollout(4, 3), 1)
    assert cut.rows.tolist() == [list(range(12))]
    assert cut.inside.all()
    assert len(cut) == 12


def test_the_last_segment_of_a_lane_is_a_rest():
    cut = Segments(rollout(5, 2), 2)
    assert cut.rows.T.tolist() == [[0, 2], [1, 3], [4, 6], [5, 7], [8, 8], [9, 9]]
    assert cut.inside.T.tolist() == [[True, True]] * 4 + [[True, False]] * 2


def test_segments_begin_with_the_first_valid_transition():
    cut = Segments(rollout(5, 3, valid=[5, 3, 0]), 2)
    assert cut.rows[:, cut.inside.all(0)].T.tolist() == [[0, 3], [6, 9], [7, 10]]
    assert cut.rows[:, ~cut.inside.all(0)].T.tolist() == [[12, 12], [13, 13]]


@pytest.mark.parametrize("valid", [None, [7, 4, 1]])
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_every_valid_transition_is_in_one_segment(valid, length):
    given = rollout(7, 3, valid)
    cut = Segments(given, length)
    taken = cut.take(("index", "pair"), torch.arange(len(cut)))
    expected = given.index[given.valid] if valid else given.index.flatten()
    assert sorted(taken.index.tolist()) == expected.tolist()
    torch.testing.assert_close(taken.pair[:, 0], taken.index)
    assert "valid" not in taken.fields


def test_with_a_carry_they_stay_in_order_of_time():
    given = rollout(5, 2, carry=True)
    cut = Segments(given, 2)
    taken = cut.take(("index",), torch.tensor([5, 2]), torch.tensor([0.25, 4.0]))
    assert taken.index.tolist() == [[9, 4], [9, 6]]
    assert taken.valid.tolist() == [[True, True], [False, True]]
    assert taken.carry.tolist() == [[9.5, -8.5], [4.5, -3.5]]
    assert packed(taken, "index").tolist() == [9, 4, 6]
    assert packed(taken, "importance").tolist() == [0.25, 4.0, 4.0]
    taken.fields["advantage"] = torch.zeros(2, 2)
    assert unpacked(taken, torch.tensor([1.0, 2.0, 3.0])).tolist() == [[1.0, 2.0], [0.0, 3.0]]
    assert "valid" not in Segments(given, 5).take(("index",), torch.tensor([1])).fields


def test_without_a_carry_importances_are_spread_over_transitions():
    taken = Segments(rollout(5, 2), 2).take(("index",), torch.tensor([4, 3]), torch.tensor([2.0, 3.0]))
    assert taken.index.tolist() == [8, 5, 7]
    assert taken.importance.tolist() == [2.0, 3.0, 3.0]


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_pieces_together_are_the_whole(carry, count):
    cut = Segments(rollout(6, 5, carry=carry), 3)
    whole = cut.take(("index", "pair"), torch.arange(len(cut)))
    parts = pieces(whole, count)
    assert len(parts) == min(count, 10 if carry else 30)
    for name, x in whole.fields.items():
        dim = int(carry and name != "carry")
        torch.testing.assert_close(torch.cat([part.fields[name] for part in parts], dim), x)


def test_shuffling_takes_every_segment_once():
    draws = [chosen for chosen, _ in shuffled(10, 4, torch.Generator().manual_seed(0), torch.device("cpu"))]
    assert [len(chosen) for chosen in draws] == [3, 3, 2, 2]
    order = torch.cat(draws).tolist()
    assert sorted(order) == list(range(10))
    assert order != list(range(10))
    assert list(shuffled(0, 4, torch.Generator(), torch.device("cpu"))) == []


@pytest.mark.parametrize(("count", "parts"), [(10, 4), (33, 16), (65, 16), (3, 4), (0, 4)])
def test_parts_are_as_many_as_asked_for_and_as_equal_as_can_be(count, parts):
    sizes = [len(chosen) for chosen, _ in shuffled(count, parts, torch.Generator(), torch.device("cpu"))]
    assert len(sizes) == min(count, parts)
    assert sum(sizes) == count
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_priorities_draw_in_proportion_and_importances_put_it_right():
    priority, x = torch.tensor([0.0, 1.0, 4.0, 9.0]), torch.tensor([5.0, -1.0, 2.0, 8.0])
    generator = torch.Generator().manual_seed(0)
    ((chosen, importance),) = prioritised(priority, 0.5, 1.0, 60_000, 1, generator)
    share = torch.bincount(chosen, minlength=4) / len(chosen)
    torch.testing.assert_close(share, torch.tensor([0.0, 1.0, 2.0, 3.0]) / 6.0, atol=0.01, rtol=0.0)
    # A segment without priority is not drawn; of the others the weighted mean is theirs.
    assert (importance * x[chosen]).mean().item() == pytest.approx(x[1:].sum().item() / 4, abs=0.05)
    ((chosen, importance),) = prioritised(priority + 1.0, 0.7, 0.0, 8, 1, generator)
    assert importance.tolist() == [1.0] * 8


def test_without_any_priority_all_are_alike():
    ((chosen, importance),) = prioritised(torch.zeros(5), 1.0, 1.0, 20_000, 1, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.bincount(chosen) / 20_000, torch.full((5,), 0.2), atol=0.02, rtol=0.0)
    torch.testing.assert_close(importance, torch.ones(20_000))
    assert list(prioritised(torch.zeros(0), 1.0, 1.0, 3, 2, torch.Generator())) == []
