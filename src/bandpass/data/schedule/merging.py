"""The parts of a dataset to its windows: first the records, then the days of their actors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bandpass.data.schedule.buckets import Buckets
from bandpass.data.schedule.days import actor_days
from bandpass.data.schedule.parts import Part
from bandpass.data.schedule.record import UNDATED
from bandpass.data.schedule.records import runs_of
from bandpass.data.schedule.store import WINDOW, ScheduleWriter
from bandpass.data.schedule.tokens import DAY

_ID = np.dtype([("id", "<u8"), ("row", "<i8")])


@dataclass
class Merged:
    """What became of the records of a dataset.

    Attributes:
        records: Windows of one record.
        actor_days: Windows of an actor's day.
        duplicates: Records that are left out, because one before has the same id.
        events: Records in all ``actor_days``; one of two actors counts in both.
        undated: Records that are of no day.
        first: First day, since 1970-01-01, if any.
        last: Last day.
        timeless: Whether no record says anything of its day or time of day.
    """

    records: int = 0
    actor_days: int = 0
    duplicates: int = 0
    events: int = 0
    undated: int = 0
    first: int | None = None
    last: int | None = None
    timeless: bool = True


def merge_parts(
    writer: ScheduleWriter,
    dataset: int,
    parts: Sequence[Part],
    folder: Path,
    tell: Callable[[int], None],
) -> Merged:
    """Append all windows of a dataset to a store.

    Memory does not grow with the dataset, but for a byte a record.

    Args:
        writer: Of the store.
        dataset: Number of the dataset.
        parts: In the order in which their files are read.
        folder: For what does not fit in memory.
        tell: Called with the windows written since the last call.
    """
    merged = Merged()
    keep = _distinct(parts, folder / "ids")
    merged.duplicates = len(keep) - int(keep.sum())
    first = 0
    for part in parts:
        for records, _, _ in part.blocks():
            own = records[keep[first : first + len(records)]]
            first += len(records)
            writer.add(_windows(own, dataset), runs_of(own), np.arange(len(own)))
            _measure(own, merged)
            tell(len(own))
    for windows, runs, window in actor_days(parts, keep, folder / "days"):
        windows["dataset"] = dataset
        writer.add(windows, runs, window)
        merged.actor_days += len(windows)
        merged.events += int(windows["events"].sum(dtype=np.int64))
        tell(len(windows))
    return merged


def _distinct(parts: Sequence[Part], folder: Path) -> np.ndarray:
    """Which records have an id that none before them has."""
    total = sum(part.records for part in parts)
    keep = np.ones(total, bool)
    buckets = Buckets(folder, _ID, "id", total)
    try:
        row = 0
        for part in parts:
            for records, _, _ in part.blocks():
                ids = np.empty(len(records), _ID)
                ids["id"], ids["row"] = records["id"], np.arange(row, row + len(records))
                buckets.add(ids)
                row += len(records)
        for ids in buckets:
            ids = ids[np.argsort(ids["id"], kind="stable")]
            keep[ids["row"][1:][ids["id"][1:] == ids["id"][:-1]]] = False
    finally:
        buckets.abandon()
    return keep


def _windows(records: np.ndarray, dataset: int) -> np.ndarray:
    windows = np.zeros(len(records), WINDOW)
    windows["id"], windows["actor"], windows["day"] = (
        records[name] for name in ("id", "owner", "day")
    )
    windows["events"], windows["dataset"] = 1, dataset
    return windows


def _measure(records: np.ndarray, merged: Merged) -> None:
    day = records["day"][records["day"] != UNDATED]
    merged.records += len(records)
    merged.undated += len(records) - len(day)
    whole = (records["minute"] == 0) & (records["minutes"] >= DAY)
    merged.timeless &= not len(day) and bool(whole.all())
    if len(day):
        low, high = int(day.min()), int(day.max())
        merged.first = low if merged.first is None else min(low, merged.first)
        merged.last = high if merged.last is None else max(high, merged.last)
