from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandpass.data.schedule import buckets, days
from bandpass.data.schedule.buckets import Buckets
from bandpass.data.schedule.days import EVENT, MOST_EVENTS, actor_days
from bandpass.data.schedule.record import UNDATED, Record
from bandpass.data.schedule.records import Hasher, pack
from bandpass.data.schedule.tokens import SLOTS, TASK, dense

PAIR = np.dtype([("hash", "<u8"), ("row", "<i8")])


class Memory:
    """A part that lies in memory, in blocks of a few records."""

    def __init__(self, records: list[Record], size: int) -> None:
        packed = pack(records, Hasher(b"key", "test"))
        counts = np.bincount(packed.of, minlength=len(records))
        self.about = {"links": len(packed.actors), "records": len(records)}
        self._rows, self._actors, self._counts, self._size = (
            packed.records,
            packed.actors,
            counts,
            size,
        )

    def blocks(self):
        for start in range(0, len(self._rows), self._size):
            first = self._counts[:start].sum()
            count = self._counts[start : start + self._size]
            actors = self._actors[first : first + count.sum()]
            yield self._rows[start : start + self._size], actors, count


def record(actors: tuple[str, ...], day: int, minute: int, minutes: int = 0, text: float = 0.1):
    return Record("r", actors, day, minute, minutes, TASK, 0.5, 0.0, text, 0.0, 0.8)


def collect(records, folder, keep=None, size: int = 3):
    """Tokens of every actor and day, and the events of each, in the order in which they come."""
    keep = np.ones(len(records), bool) if keep is None else np.array(keep)
    found = {}
    for windows, runs, window in actor_days([Memory(records, size)], keep, folder):
        tokens = dense(runs, window, np.empty((len(windows), SLOTS, 16), np.float32))
        for about, own in zip(windows, tokens, strict=True):
            found[int(about["actor"]), int(about["day"])] = int(about["events"]), own
    return found


def test_days_of_an_actor_come_together_and_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(buckets, "ROWS", 16)
    monkeypatch.setattr(days, "_WINDOWS", 5)
    generator = np.random.default_rng(0)
    records = [
        record((f"u:{generator.integers(20)}", "p:1"), int(generator.integers(-9, 9)), 0)
        for _ in range(300)
    ]
    found = collect(records, tmp_path)
    actors = [actor for actor, _ in found]
    assert len(set(actors)) == 21
    assert sum(a != b for a, b in pairwise(actors)) == 20
    assert list(found) == sorted(found)
    assert sum(events for events, _ in found.values()) == 600


def test_a_record_over_midnight_is_part_of_both_days(tmp_path):
    found = collect([record(("u:1",), 5, 23 * 60, 120)], tmp_path)
    (first, last) = found.values()
    assert [day for _, day in found] == [5, 6]
    assert np.flatnonzero(first[1][:, 3]).tolist() == [92, 93, 94, 95]
    assert np.flatnonzero(last[1][:, 3]).tolist() == [0, 1, 2, 3]


def test_what_is_not_kept_or_has_no_day_or_no_actor_is_nobodys_day(tmp_path):
    records = [
        record(("u:1",), 5, 0),
        record(("u:1",), UNDATED, 0),
        record((), 5, 0),
        record(("u:2", "u:3"), 6, 0),
    ]
    assert len(collect(records, tmp_path)) == 3
    assert len(collect(records, tmp_path, keep=[True, True, True, False])) == 1
    assert collect(records, tmp_path, keep=[False, True, True, False]) == {}


def test_a_day_of_very_many_events_is_counted_as_far_as_it_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(days, "MOST_EVENTS", 7)
    ((events, _),) = collect([record(("u:1",), 5, 0)] * 9, tmp_path).values()
    assert events == 7
    assert MOST_EVENTS == 65535


moments = st.tuples(
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 1439),
    st.integers(0, 3000),
    st.integers(0, 9),
)


@settings(max_examples=40)
@given(
    some=st.lists(moments, max_size=40),
    runs=st.sampled_from([1, 7, 1 << 14]),
    windows=st.sampled_from([1, 3, 2048]),
    size=st.integers(1, 9),
)
def test_a_day_is_the_maximum_of_its_records_however_it_is_cut(
    tmp_path_factory, some, runs, windows, size
):
    records = [record((f"u:{a}",), d, m, n, t / 9) for a, d, m, n, t in some]
    expected: dict[tuple[int, int], list[np.ndarray]] = {}
    for each in records:
        for where, (_, tokens) in collect([each], tmp_path_factory.mktemp("one")).items():
            expected.setdefault(where, []).append(tokens)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(days, "_RUNS", runs)
        patch.setattr(days, "_WINDOWS", windows)
        patch.setattr(buckets, "ROWS", 4)
        found = collect(records, tmp_path_factory.mktemp("all"), size=size)
    assert found.keys() == expected.keys()
    for where, (events, tokens) in found.items():
        assert events == len(expected[where])
        np.testing.assert_array_equal(tokens, np.max(expected[where], axis=0))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60), st.integers(1, 20), st.integers(1, 30))
def test_equal_hashes_meet_in_one_bucket_in_the_order_in_which_they_came(
    tmp_path_factory, hashes, block, rows
):
    every = np.zeros(2 * len(hashes), PAIR)
    every["hash"], every["row"] = hashes * 2, np.arange(2 * len(hashes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "ROWS", rows)
        made = Buckets(tmp_path_factory.mktemp("rows") / "deep", PAIR, "hash", len(every))
        for start in range(0, len(every), block):
            made.add(every[start : start + block])
        found = list(made)
    whole = np.concatenate(found)
    assert sorted(whole.tolist()) == sorted(every.tolist())
    assert all((np.diff(bucket["row"]) > 0).all() for bucket in found)
    homes = [set(bucket["hash"].tolist()) for bucket in found]
    assert sum(map(len, homes)) == len(set(hashes)), "no hash is in two"
    full = [home for home in homes if home]
    assert all(max(a) < min(b) for a, b in pairwise(full))


def test_an_event_is_as_small_as_it_can_be():
    assert EVENT.itemsize == 27
