import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data.series import DataError, Split
from bandpass.data.splits import segments

ROWS = st.integers(0, 400)
GAPS = st.lists(st.integers(-5, 420), max_size=5, unique=True).map(sorted)
SPLITS = st.builds(Split, test_share=st.floats(0, 1), embargo=st.integers(0, 80))


def test_by_time_the_last_rows_test_and_the_embargo_costs_train():
    assert segments(100, Split(test_share=0.4, embargo=10), "s", "e") == [
        ("train", 0, 50),
        ("test", 60, 100),
    ]


@given(ROWS, SPLITS, GAPS)
def test_windows_of_different_splits_are_an_embargo_apart(rows, split, gaps):
    runs = segments(rows, split, "s", "e", gaps=gaps)
    train = [stop for which, _, stop in runs if which == "train"]
    test = [start for which, start, _ in runs if which == "test"]
    if train and test:
        assert min(test) - max(train) >= split.embargo


@given(ROWS, SPLITS, GAPS)
def test_runs_are_disjoint_ordered_and_contain_no_gap(rows, split, gaps):
    runs = segments(rows, split, "s", "e", gaps=gaps)
    edges = [edge for _, start, stop in runs for edge in (start, stop)]
    assert edges == sorted(edges)
    assert all(0 <= start < stop <= rows for _, start, stop in runs)
    assert not any(start < gap < stop for _, start, stop in runs for gap in gaps)


@given(ROWS, SPLITS, GAPS)
def test_only_the_embargo_is_left_out_and_test_has_its_share(rows, split, gaps):
    runs = segments(rows, split, "s", "e", gaps=gaps)
    held = {
        which: sum(stop - start for name, start, stop in runs if name == which)
        for which in ("train", "test")
    }
    assert held["test"] == round(rows * split.test_share)
    embargo = split.embargo if held["test"] else 0
    assert held["train"] == max(rows - held["test"] - embargo, 0)


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (Split("series", test=frozenset({"s"})), "test"),
        (Split("series", test=frozenset({"e"})), "train"),
        (Split("entity", test=frozenset({"e"})), "test"),
        (Split("entity", test=frozenset({"s"})), "train"),
    ],
)
def test_by_name_a_series_goes_whole(split, expected):
    assert segments(50, split, "s", "e") == [(expected, 0, 50)]


def test_what_the_publishers_fixed_goes_before_the_rule():
    runs = segments(50, Split("series", test=frozenset({"s"})), "s", "e", fixed="train", gaps=[20])
    assert runs == [("train", 0, 20), ("train", 20, 50)]


@pytest.mark.parametrize(
    ("split", "fixed", "match"),
    [
        (Split("machine"), None, "split.by is 'machine': use 'time', 'entity' or 'series'"),
        (Split(test_share=1.4), None, "split.test_share is 1.4"),
        (Split(embargo=-1), None, "split.embargo is -1"),
        (Split(), "dev", "split 'dev': use 'train', 'test' or None"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(split, fixed, match):
    with pytest.raises(DataError, match=match):
        segments(100, split, "s", "e", fixed)
