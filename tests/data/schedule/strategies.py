"""Records of any kind, and a store of them, for the tests of what every source goes through."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from bandpass.data import open_store
from bandpass.data.schedule.record import LAST_DAY, UNDATED, Record
from bandpass.data.schedule.records import Hasher, by_day, merge, pack, runs_of
from bandpass.data.schedule.store import ACTOR_DAY, WINDOW, ScheduleStore, ScheduleWriter

FIRST_DAY = -719162
DAYS = [UNDATED, FIRST_DAY, -1, 0, 19_000, 19_001, 19_002, LAST_DAY - 1, LAST_DAY]
MINUTES = [0, 1, 14, 15, 90, 1439, 1440, 1441, 3000, 50_000]

amounts = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
people = st.lists(st.sampled_from(["u:1", "u:2", "p:3"]), max_size=3, unique=True).map(tuple)


def some_records(most: int = 8) -> st.SearchStrategy[list[Record]]:
    record = st.builds(
        Record,
        id=st.text(max_size=4),
        actors=people,
        day=st.sampled_from(DAYS),
        minute=st.integers(0, 1439),
        minutes=st.sampled_from(MINUTES),
        what=st.integers(1, 127),
        priority=amounts,
        participants=amounts,
        text=amounts,
        completion=amounts,
        confidence=amounts,
    )
    return st.lists(record, min_size=1, max_size=most, unique_by=lambda record: record.id)


def packed(records: list[Record], dataset: str = "one") -> np.ndarray:
    return pack(records, Hasher(b"key", dataset)).records


def windows_of(records: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Record windows, then the days of their owners: windows, runs, window of each run."""
    single = np.zeros(len(records), WINDOW)
    single["id"], single["actor"] = records["id"], records["owner"]
    single["day"], single["events"] = records["day"], 1
    own = records[records["owner"] != 0]
    runs, of, day = by_day(own)
    key = np.empty(len(of), [("actor", "<u8"), ("day", "<i4")])
    key["actor"], key["day"] = own["owner"][of], day
    days, window, events = np.unique(key, return_inverse=True, return_counts=True)
    daily = np.zeros(len(days), WINDOW)
    daily["id"], daily["actor"] = days["actor"] ^ days["day"].astype(np.uint64), days["actor"]
    daily["day"], daily["events"], daily["kind"] = days["day"], events, ACTOR_DAY
    return [
        (single, runs_of(records), np.arange(len(records))),
        (daily, *merge(runs, window.astype(np.int64), len(days))),
    ]


def write_store(path: Path, datasets: dict[str, list[Record]]) -> ScheduleStore:
    path.mkdir(parents=True)
    writer = ScheduleWriter(path)
    entries = []
    for number, (name, records) in enumerate(datasets.items()):
        own = packed(records, name)
        for windows, runs, window in windows_of(own):
            windows["dataset"] = number
            writer.add(windows, runs, window)
        timeless = bool((own["day"] == UNDATED).all() and (own["minutes"] >= 1440).all())
        entries.append({"name": name, "timeless": timeless})
    writer.finish({"datasets": entries})
    store = open_store(path)
    assert isinstance(store, ScheduleStore)
    return store
