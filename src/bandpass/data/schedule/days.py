"""What one actor did on one day, from all the records of a dataset."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bandpass.data.schedule.buckets import Buckets
from bandpass.data.schedule.parts import Part
from bandpass.data.schedule.records import by_day, merge
from bandpass.data.schedule.store import ACTOR_DAY, WINDOW
from bandpass.data.schedule.tokens import RUN

EVENT = np.dtype([("actor", "<u8"), ("day", "<i4"), ("run", RUN)])
"""What one record is of one actor's day."""

MOST_EVENTS = np.iinfo(WINDOW["events"]).max

_WINDOWS = 2048
"""Merged at a time."""

_RUNS = 1 << 14


def actor_days(
    parts: Sequence[Part], keep: np.ndarray, folder: Path
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the days of all actors, those of one actor together and in order of day.

    Args:
        parts: Of one dataset.
        keep: (n,) bool, which of their records count.
        folder: An empty one for what does not fit in memory. The busiest actor has to fit: about
            100 bytes for each day that each of its records touches.

    Yields:
        (n,) of ``WINDOW``, the (R,) runs of them, and the (R,) int64 window of each run. More than
        ``MOST_EVENTS`` records on a day count as so many.
    """
    links = sum(part.about["links"] for part in parts)
    buckets = Buckets(folder, EVENT, "actor", links)
    try:
        first = 0
        for part in parts:
            for records, actors, counts in part.blocks():
                own = keep[first : first + len(records)]
                buckets.add(_events(records, actors, counts, own))
                first += len(records)
        for events in buckets:
            yield from _windows(events)
    finally:
        buckets.abandon()


def _events(
    records: np.ndarray, actors: np.ndarray, counts: np.ndarray, keep: np.ndarray
) -> np.ndarray:
    """Every actor of every record that is kept, on every day that the record touches."""
    runs, record, day = by_day(records[keep])
    days = np.bincount(record, minlength=int(keep.sum()))
    first = np.cumsum(days) - days
    mine = np.repeat(keep, counts)
    of = np.repeat(np.arange(len(days)), counts[keep])
    repeats = days[of]
    inside = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    which = np.repeat(first[of], repeats) + inside
    events = np.empty(len(which), EVENT)
    events["actor"] = np.repeat(actors[mine], repeats)
    events["day"], events["run"] = day[which], runs[which]
    return events


def _windows(events: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Merge events that are of the same actor and day."""
    events = events[np.lexsort((events["day"], events["actor"]))]
    actor, day = events["actor"], events["day"]
    new = np.ones(len(events), bool)
    new[1:] = (actor[1:] != actor[:-1]) | (day[1:] != day[:-1])
    starts = np.append(np.flatnonzero(new), len(events))
    for first in range(0, len(starts) - 1, _WINDOWS):
        edges = starts[first : first + _WINDOWS + 1]
        windows = np.zeros(len(edges) - 1, WINDOW)
        windows["kind"] = ACTOR_DAY
        windows["actor"], windows["day"] = actor[edges[:-1]], day[edges[:-1]]
        windows["id"] = _id(windows["actor"], windows["day"])
        windows["events"] = np.minimum(np.diff(edges), MOST_EVENTS)
        of = np.repeat(np.arange(len(windows)), np.diff(edges))
        runs, window = _union(events["run"][edges[0] : edges[-1]], of, len(windows))
        yield windows, runs, window


def _union(runs: np.ndarray, window: np.ndarray, windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Merge runs, a bounded number at a time, however many a window has."""
    if len(runs) > _RUNS:
        pieces = [
            merge(runs[start : start + _RUNS], window[start : start + _RUNS], windows)
            for start in range(0, len(runs), _RUNS)
        ]
        runs = np.concatenate([piece[0] for piece in pieces])
        window = np.concatenate([piece[1] for piece in pieces])
    return merge(runs, window, windows)


def _id(actor: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Mix the keyed hash of an actor with a day (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = actor + day.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return mixed ^ (mixed >> np.uint64(31))
