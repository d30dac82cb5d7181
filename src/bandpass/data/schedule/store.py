"""A schedule corpus on disk: one row a window, one row a run, memory-mapped."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bandpass.data.atomic import writing
from bandpass.data.columns import Columns, ColumnWriter
from bandpass.data.manifest import FORMAT, MANIFEST, VERSION, store_hash
from bandpass.data.schedule.tokens import FEATURES, RUN, SLOTS, dense
from bandpass.data.series import DataError

MODALITY = "schedule"
KINDS = ("record", "actor_day")
RECORD_WINDOW, ACTOR_DAY = range(2)

WINDOW = np.dtype(
    [
        ("id", "<u8"),
        ("actor", "<u8"),
        ("first", "<u4"),
        ("day", "<i4"),
        ("events", "<u2"),
        ("dataset", "u1"),
        ("kind", "u1"),
        ("what", "u1"),
        ("active", "u1"),
        ("runs", "u1"),
    ]
)
"""A window: keyed hash of its record (of actor and day, for an actor_day) and of its actor; its
first run; days since 1970-01-01 or ``UNDATED``; raw records in it; number of its dataset and of its
kind; the union of its flags; slots that are not empty; and its number of runs."""

MOST_RUNS = 1 << 32
"""Of a store: ``first`` counts no further."""


class ScheduleStore:
    """Windows of schedules and work activity, read-only; `open_store` makes one.

    Attributes:
        modality: "schedule".
        path: The directory.
        manifest: Datasets with their counts, settings and hashes, as in ``manifest.json``.
    """

    modality = MODALITY

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._columns = Columns(path, manifest["columns"])

    def __repr__(self) -> str:
        return (
            f"ScheduleStore({str(self.path)!r}: {len(self.windows)} windows of "
            f"{len(self.datasets)} datasets)"
        )

    @property
    def channels(self) -> list[str]:
        """Features of a slot, in order."""
        return list(FEATURES)

    @property
    def shape(self) -> tuple[int]:
        """Of a slot: (features,)."""
        return (len(FEATURES),)

    @property
    def datasets(self) -> list[str]:
        """Dataset names in the order of ``windows["dataset"]``."""
        return [entry["name"] for entry in self.manifest["datasets"]]

    @property
    def series_names(self) -> list[str]:
        """Dataset names: where a person would look for a window."""
        return self.datasets

    @property
    def entity_names(self) -> list[str]:
        """Dataset names."""
        return self.datasets

    @property
    def hash(self) -> str:
        """Hash over everything that windows are made of; equal stores have equal hashes."""
        return self.manifest["hash"]

    @property
    def windows(self) -> np.ndarray:
        """(n,) of ``WINDOW``, a memory map."""
        return self._columns["windows"]

    @property
    def runs(self) -> np.ndarray:
        """(R,) of ``RUN``, a memory map; those of a window are contiguous."""
        return self._columns["runs"]

    def tokens(self, rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Rebuild windows from their runs.

        Args:
            rows: (B,) of the windows.
            out: (B, 96, 16) float32 to write into; made if None.

        Returns:
            (B, 96, 16) float32.
        """
        runs, window = self.runs_in(rows)
        if out is None:
            out = np.empty((len(rows), SLOTS, len(FEATURES)), np.float32)
        return dense(runs, window, out)

    def runs_in(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Look up what windows are made of.

        Args:
            rows: (B,) of the windows.

        Returns:
            (R,) of ``RUN``, and the (R,) int64 window of each, an index into ``rows``, ascending.
        """
        found = self.windows[rows]
        count = found["runs"].astype(np.int64)
        window = np.repeat(np.arange(len(rows)), count)
        inside = np.arange(len(window)) - np.repeat(np.cumsum(count) - count, count)
        return self.runs[found["first"].astype(np.int64)[window] + inside], window

    def verify(self) -> None:
        """Read every column again and compare the hashes with the manifest.

        Raises:
            StoreError: If one differs; names it.
        """
        self._columns.verify()


class ScheduleWriter:
    """Writes a store window by window, holding none of them.

    Args:
        path: An empty directory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: dict[str, ColumnWriter] = {}
        try:
            for name, dtype in (("windows", WINDOW), ("runs", RUN)):
                self._columns[name] = ColumnWriter(path / f"{name}.npy", dtype)
        except BaseException:
            self.abandon()
            raise

    def add(self, windows: np.ndarray, runs: np.ndarray, window: np.ndarray) -> None:
        """Append windows and their runs.

        Args:
            windows: (n,) of ``WINDOW``; what follows from the runs is filled in here: ``first``,
                ``runs``, ``what`` and ``active``.
            runs: (R,) of ``RUN``, disjoint within a window.
            window: (R,) int64 window of each run, ascending.

        Raises:
            DataError: If a window has no run at all: such a window says nothing. If there are more
                runs than ``MOST_RUNS``.
            StoreError: If the disk does not take it.
        """
        count = np.bincount(window, minlength=len(windows))
        if not count.all():
            raise DataError(f"window {int(np.argmin(count))} has no run, so it says nothing")
        total = self._columns["runs"].rows + len(runs)
        if total > MOST_RUNS:
            raise DataError(
                f"{self._path} would have {total} runs, a store has {MOST_RUNS} at most: make two "
                "stores, of some of the datasets each"
            )
        first = np.cumsum(count) - count
        complete = windows.copy()
        complete["first"] = self._columns["runs"].rows + first
        complete["runs"] = count
        if len(windows):
            complete["what"] = np.bitwise_or.reduceat(runs["what"], first)
            complete["active"] = np.add.reduceat(runs["slots"].astype(np.int64), first)
        self._columns["runs"].append(runs)
        self._columns["windows"].append(complete)

    def finish(self, about: Mapping[str, Any]) -> None:
        """Close the columns and write the manifest.

        Args:
            about: What the manifest says beside the columns: ``datasets``, a list of dicts with at
                least a ``name``, and whatever a person wants to know.
        """
        columns = {name: column.close() for name, column in self._columns.items()}
        head = {"format": FORMAT, "version": VERSION, "modality": MODALITY, "source": MODALITY}
        manifest = head | dict(about) | {"columns": columns, "tables": {}}
        manifest["hash"] = store_hash(manifest)
        with writing(self._path):
            (self._path / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")

    def abandon(self) -> None:
        """Close the files of a store that will not be finished."""
        for column in self._columns.values():
            column.abandon()
