import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.curriculum.cells import BANNED, KINDS, QUARANTINED, UNSEEN, Cells

kinds = st.sampled_from([0, 1, 2, 511, UNSEEN, QUARANTINED, BANNED])


def contents(cells: Cells) -> dict[int, list[int]]:
    """All member lists, read through the public way of drawing from them."""
    return {
        int(c): cells.members(np.full(k, c), np.arange(k) / k)
        for c, k in enumerate(cells.counts)
        if k
    }


def check(cells: Cells, expected: list[int]) -> None:
    assert cells.cell.tolist() == expected
    assert cells.counts.tolist() == np.bincount(expected, minlength=len(cells.counts)).tolist()
    for cell, members in contents(cells).items():
        assert sorted(members) == np.flatnonzero(np.array(expected) == cell).tolist()


@given(st.lists(st.dictionaries(st.integers(0, 11), kinds, min_size=1), max_size=20))
def test_any_sequence_of_moves_keeps_every_window_in_one_list(moves):
    buckets = np.arange(12) % 3
    cells = Cells(buckets)
    expected = (buckets * KINDS + UNSEEN).tolist()
    for move in moves:
        ids = np.array(list(move))
        cells.move(ids, np.array(list(move.values())))
        for window, kind in move.items():
            expected[window] = int(buckets[window]) * KINDS + kind
        check(cells, expected)
    assert cells.bucket(np.arange(12)).tolist() == buckets.tolist()
    banned = sum(cell % KINDS == BANNED for cell in expected)
    assert cells.population() == cells.drawable().sum() == 12 - banned


@given(st.lists(st.dictionaries(st.integers(0, 11), kinds, min_size=1), max_size=10))
def test_state_keeps_the_order_of_the_lists_since_it_decides_draws(moves):
    cells, again = Cells(np.arange(12) % 3), Cells(np.arange(12) % 3)
    for move in moves:
        cells.move(np.array(list(move)), np.array(list(move.values())))
    again.load_state_dict(cells.state_dict())
    assert contents(again) == contents(cells)
    check(again, cells.cell.tolist())


def test_other_buckets_are_refused():
    with pytest.raises(ValueError, match="window 1 was in bucket 1, is in 0"):
        Cells(np.array([0, 0, 1])).load_state_dict(Cells(np.array([0, 1, 1])).state_dict())
