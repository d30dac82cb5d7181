"""The last look at a schedule store: is every window in it one?"""

from collections.abc import Callable

import numpy as np

from bandpass.data.manifest import MEND, StoreError
from bandpass.data.schedule.store import ACTOR_DAY, KINDS, RECORD_WINDOW, ScheduleStore
from bandpass.data.schedule.tokens import AMOUNTS, EMPTY, FLAGS, POSITIONS, SCALE, SLOTS

_BLOCK = 8192
_EVERY = 64


def verify_windows(
    store: ScheduleStore, tell: Callable[[int], None] = lambda windows: None
) -> None:
    """Check every window, and all counts against the manifest.

    All windows are checked by their runs: a window whose runs lie within its slots, in order and
    not over each other, with known flags and amounts from 0 to 1, is 96 x 16 finite numbers in
    [0, 1]. One in 64 is rebuilt and looked at as well.

    Args:
        store: Finished.
        tell: Called with the number of windows seen since the last call.

    Raises:
        StoreError: If a window is wrong, or a count; names it.
    """
    counts = np.zeros((len(store.datasets), len(KINDS)), np.int64)
    first = 0
    for start in range(0, len(store.windows), _BLOCK):
        windows = store.windows[start : start + _BLOCK]
        first += _check_runs(store, windows, start, first)
        _check_tokens(store, np.arange(start, start + len(windows), _EVERY))
        np.add.at(counts, (windows["dataset"], windows["kind"]), 1)
        tell(len(windows))
    if first != len(store.runs):
        raise StoreError(f"{store.path}: {len(store.runs)} runs, windows have {first}: {MEND}")
    for entry, found in zip(store.manifest["datasets"], counts.tolist(), strict=True):
        told = entry["windows"]
        if list(told.values()) != found:
            raise StoreError(
                f"{store.path}: {entry['name']} has {found[RECORD_WINDOW]} record and "
                f"{found[ACTOR_DAY]} actor_day windows, the manifest says {told}: {MEND}"
            )


def _check_runs(store: ScheduleStore, windows: np.ndarray, start: int, first: int) -> int:
    """Check windows from ``start`` and their runs from ``first``; return how many those are."""
    count = windows["runs"].astype(np.int64)
    stop = np.cumsum(count)
    for wrong, what in (
        (count == 0, "has no run"),
        (windows["first"] != first + stop - count, "does not begin where the one before it ends"),
        (windows["dataset"] >= len(store.datasets), "is of a dataset that the manifest lacks"),
        (windows["kind"] >= len(KINDS), "is of no known kind"),
    ):
        _refuse(store, start + np.flatnonzero(wrong), what)
    runs = store.runs[first : first + int(stop[-1])]
    if len(runs) < stop[-1]:
        _refuse(store, start + np.flatnonzero(stop > len(runs)), "has runs that are not there")
    end = runs["slot"].astype(np.int64) + runs["slots"]
    before = np.append(0, end[:-1])
    before[stop[:-1]] = 0
    outside = (runs["slots"] == 0) | (runs["slot"] < before) | (end > SLOTS)
    much = np.any([runs[name] > SCALE for name in AMOUNTS], axis=0)
    for wrong, what in (
        (outside, f"has runs outside its {SLOTS} slots, or over each other"),
        (runs["what"] >> len(FLAGS) > 0, "has flags that mean nothing"),
        (much, "has values above 1"),
    ):
        _refuse(store, start + np.searchsorted(stop, np.flatnonzero(wrong), "right"), what)
    return len(runs)


def _check_tokens(store: ScheduleStore, rows: np.ndarray) -> None:
    tokens = store.tokens(rows)
    if tokens.shape[1:] != EMPTY.shape:
        raise StoreError(f"{store.path}: windows are {tokens.shape[1:]}, not {EMPTY.shape}: {MEND}")
    inside = ((tokens >= 0) & (tokens <= 1)).all(axis=(1, 2))  # NaN is not
    _refuse(store, rows[~inside], "has values outside [0, 1]")
    placed = (tokens[:, :, :2] == POSITIONS).all(axis=(1, 2))
    _refuse(store, rows[~placed], "has positions that are not i / 95")


def _refuse(store: ScheduleStore, rows: np.ndarray, what: str) -> None:
    """Name the first of the windows that are wrong, if there is one."""
    if len(rows):
        about = store.windows[rows[0]]
        number = int(about["dataset"])
        name = store.datasets[number] if number < len(store.datasets) else f"number {number}"
        raise StoreError(
            f"{store.path}: window {rows[0]} (dataset {name}, id {int(about['id']):016x}) "
            f"{what}: {MEND}"
        )
