"""JSON lines to a store."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from bandpass.data.atomic import publishing
from bandpass.data.schedule.jsonl import Line, read_windows
from bandpass.data.schedule.record import EPOCH, SAMPLES, UNDATED, Malformed
from bandpass.data.schedule.sources import SCHEDULE_SOURCES
from bandpass.data.schedule.store import (
    ACTOR_DAY,
    KINDS,
    RECORD_WINDOW,
    WINDOW,
    ScheduleStore,
    ScheduleWriter,
)
from bandpass.data.schedule.tokens import SLOTS
from bandpass.data.series import DataError
from bandpass.data.store import open_store

Progress = Callable[[str, int], None]
"""Called with the file that is read and the windows written so far, of all files."""

MOST_DATASETS = 256


def import_jsonl(
    paths: Sequence[Path],
    store: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ScheduleStore:
    """Write a store of the windows in JSON lines, such as `bandpass export` writes.

    Windows keep their order, and datasets that of their first windows. Of two windows of one
    dataset, kind and ``source_id`` the first is kept and the other counted as a duplicate. Lines
    that hold no window are counted by reason in the manifest, the first few with their number.

    Args:
        paths: The files, plain or gzip.
        store: The directory to write; it appears when everything is in it.
        overwrite: Replace a store that is there.
        progress: Told now and then.

    Raises:
        DataError: If a file cannot be read to its end, or not one of its lines holds a window.
        StoreError: If the store cannot be written.
    """
    if not paths:
        raise DataError("no file to import: name at least one, such as train.jsonl.gz")
    store = Path(store).absolute()
    with publishing(store, overwrite=overwrite) as partial:
        importer = _Importer(partial)
        try:
            for path in map(Path, paths):
                importer.read(path, progress)
            importer.finish()
        finally:
            importer.writer.abandon()
    opened = open_store(store)
    assert isinstance(opened, ScheduleStore)
    return opened


class _Importer:
    """A store that is being filled with the windows of files."""

    def __init__(self, path: Path) -> None:
        self.writer = ScheduleWriter(path)
        self._datasets: dict[str, _Dataset] = {}
        self._malformed = Malformed()
        self._written = 0

    def read(self, path: Path, progress: Progress | None) -> None:
        """Append the windows of a file."""
        bad, found = Malformed(), 0
        for lines, runs, of in read_windows(path, bad):
            found += len(lines)
            for name, number in Counter(line.dataset for line in lines).items():
                self._dataset(name).files.setdefault(path, 0)
                self._dataset(name).files[path] += number
            self._add(lines, runs, of)
            if progress is not None:
                progress(path.name, self._written)
        if not found:
            place, reason = (bad.samples or [(f"{path.name}:1", "it is blank")])[0]
            raise DataError(
                f"{path}: not one of its lines holds a window, the first that does not: {place}: "
                f"{reason}; name a file that `bandpass export` wrote"
            )
        for reason, number in bad.counts.items():
            self._malformed.counts[reason] = self._malformed.counts.get(reason, 0) + number
        self._malformed.samples += bad.samples[: SAMPLES - len(self._malformed.samples)]

    def finish(self) -> None:
        """Write the manifest."""
        malformed = self._malformed
        bad = sum(malformed.counts.values())
        reasons = ", ".join(f"{reason} ({n})" for reason, n in malformed.counts.items())
        notes = [f"{bad} lines hold no window and were left out: {reasons}"] if bad else []
        about = {
            "title": "windows imported from JSON lines",
            "datasets": [dataset.entry(name) for name, dataset in self._datasets.items()],
            "malformed": malformed.counts,
            "malformed_samples": malformed.samples,
            "notes": notes,
        }
        self.writer.finish(about)

    def _dataset(self, name: str) -> "_Dataset":
        if name not in self._datasets:
            if len(self._datasets) == MOST_DATASETS:
                raise DataError(
                    f"dataset {name!r} is one more than the {MOST_DATASETS} that a store can have: "
                    "import fewer files"
                )
            self._datasets[name] = _Dataset(len(self._datasets))
        return self._datasets[name]

    def _add(self, lines: list[Line], runs: np.ndarray, of: np.ndarray) -> None:
        windows = np.zeros(len(lines), WINDOW)
        windows["dataset"] = [self._datasets[line.dataset].number for line in lines]
        for name in ("kind", "id", "actor", "day", "events"):
            windows[name] = [getattr(line, name) for line in lines]
        slots = np.bincount(of, runs["slots"] == SLOTS, minlength=len(lines)) > 0
        new = np.zeros(len(lines), bool)
        for dataset in self._datasets.values():
            own = np.flatnonzero(windows["dataset"] == dataset.number)
            if len(own):
                new[own] = dataset.add(windows[own], slots[own])
        number = np.cumsum(new) - 1
        self.writer.add(windows[new], runs[new[of]], number[of[new[of]]])
        self._written += int(new.sum())


@dataclass
class _Dataset:
    """What is counted of a dataset."""

    number: int
    files: dict[Path, int] = field(default_factory=dict)
    duplicates: int = 0
    windows: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    events: int = 0
    undated: int = 0
    days: tuple[int, int] | None = None
    timeless: bool = True
    seen: list["_Seen"] = field(default_factory=lambda: [_Seen() for _ in KINDS])

    def add(self, windows: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """Count windows; say which of them were not there before.

        Args:
            windows: (n,) of ``WINDOW``.
            whole: (n,) bool, which are one run over all slots.
        """
        new = np.zeros(len(windows), bool)
        for kind, seen in enumerate(self.seen):
            own = np.flatnonzero(windows["kind"] == kind)
            new[own] = seen.first(windows["id"][own])
            self.windows[kind] += int(new[own].sum())
        kept, day = windows[new], windows["day"][new]
        self.duplicates += len(windows) - len(kept)
        daily = kept["kind"] == ACTOR_DAY
        self.events += int(kept["events"][daily].sum(dtype=np.int64))
        undated = day == UNDATED
        self.undated += int((undated & (kept["kind"] == RECORD_WINDOW)).sum())
        self.timeless &= bool((undated & whole[new]).all())
        if not undated.all():
            known = [*(self.days or ()), int(day[~undated].min()), int(day[~undated].max())]
            self.days = min(known), max(known)
        return new

    def entry(self, name: str) -> Mapping[str, Any]:
        """What the manifest says of the dataset."""
        source = SCHEDULE_SOURCES.get(name)
        days = [date.fromordinal(day + EPOCH).isoformat() for day in self.days or ()]
        files = [
            {"name": path.name, "files": 1, "bytes": path.stat().st_size, "records": number}
            for path, number in self.files.items()
        ]
        return {
            "name": name,
            "title": source.title if source else name,
            "licence": source.licence if source else "unknown",
            "files": files,
            "records": self.windows[KINDS.index("record")],
            "duplicates": self.duplicates,
            "windows": dict(zip(KINDS, self.windows, strict=True)),
            "events": self.events,
            "days": days or [None, None],
            "undated": self.undated,
            "timeless": self.timeless,
            "malformed": {},
            "malformed_samples": [],
            "blocked": "",
            "note": "imported from JSON lines",
        }


class _Seen:
    """Numbers met so far, 8 bytes each: sorted arrays, each at least twice as long as the next."""

    def __init__(self) -> None:
        self._sorted: list[np.ndarray] = []

    def first(self, numbers: np.ndarray) -> np.ndarray:
        """(n,) bool: which were not met before, in these numbers or in any given earlier."""
        distinct, where = np.unique(numbers, return_index=True)
        met = np.zeros(len(distinct), bool)
        for known in self._sorted:
            place = np.minimum(np.searchsorted(known, distinct), len(known) - 1)
            met |= known[place] == distinct
        if not met.all():
            self._sorted.append(distinct[~met])
        while len(self._sorted) > 1 and len(self._sorted[-2]) < 2 * len(self._sorted[-1]):
            last, before = self._sorted.pop(), self._sorted.pop()
            self._sorted.append(np.sort(np.concatenate([before, last])))
        first = np.zeros(len(numbers), bool)
        first[where[~met]] = True
        return first
