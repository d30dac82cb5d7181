"""Decoded recordings in, a video store out: labels by row, runs, statistics and the manifest."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data.atomic import writing
from bandpass.data.columns import ColumnWriter
from bandpass.data.manifest import FORMAT, MANIFEST, VERSION, store_hash, table_hash
from bandpass.data.series import DataError, Split
from bandpass.data.splits import TRAIN, Segment
from bandpass.data.video.access import FILE, media_entry
from bandpass.data.video.recording import Decoded, Recording, VideoSource
from bandpass.data.video.rows import corruptions, labels, regimes, rows_of, runs_of, shown_of
from bandpass.data.video.signals import SIGNALS
from bandpass.data.video.store import MODALITY

BACKGROUND = 256
"""Frames that the background is the median of, at most."""

LEAST_DEVIATION = 1.0
"""Levels: a view in which nothing ever moves is not blown up to its noise."""

BLOCK_VALUES = 1 << 20
"""Values of frames looked at together: 4 MB in float32, but one frame at least."""

_TEXT, _WHOLE, _REAL = pa.string(), pa.int64(), pa.float64()
_ABOUT = {"path": _TEXT, "sha256": _TEXT, "codec": _TEXT}
_ABOUT |= {"width": _WHOLE, "height": _WHOLE, "source_fps": _REAL, "source_frames": _WHOLE}
_SCHEMAS = {
    "series": {"name": _TEXT, "entity": _TEXT, "offset": _WHOLE, "rows": _WHOLE}
    | {"missing": _WHOLE}
    | _ABOUT,
    "segments": {"series": _WHOLE, "split": _TEXT, "start": _WHOLE, "stop": _WHOLE},
    "entities": {"entity": _TEXT, "deviation": _REAL},
    "events": {"series": _WHOLE, "start": _WHOLE, "stop": _WHOLE, "label": _TEXT, "track": _TEXT},
}


class ClipWriter:
    """Writes one recording after the other into a directory; holds the frames of none.

    Args:
        path: An empty directory.
        source: Named in the manifest; says what is rare and how to split.
        fps: Rows a second of all recordings.
        frame: (height, width, colours).
        cached: Whether to keep the frames; if not, they are decoded on access.
    """

    def __init__(
        self,
        path: Path,
        source: VideoSource,
        fps: float,
        frame: tuple[int, int, int],
        *,
        cached: bool = True,
    ) -> None:
        self.rows = 0
        self._media: list[dict[str, Any]] | None = None if cached else []
        self._path, self._source, self._fps, self._frame = path, source, fps, frame
        self._columns: dict[str, ColumnWriter] = {}
        self._tables: dict[str, list[dict[str, Any]]] = {name: [] for name in _SCHEMAS}
        self._squares: dict[str, np.ndarray] = {}
        self._actions: dict[str, int] = {}
        self._counts = {name: Counter[int]() for name in ("label", "regime", "corrupt")}
        self._notes: list[str] = []
        self._rare = source.rare

    def add(
        self,
        recording: Recording,
        decoded: Decoded,
        signals: np.ndarray,
        corrupt: np.ndarray | None = None,
    ) -> None:
        """Append one recording.

        Args:
            recording: What is known of it.
            decoded: Its frames.
            signals: (F, SIGNALS) float32 of the frames.
            corrupt: (F,) int8 codes of injected corruption; what the recording knows goes first.

        Raises:
            DataError: If its arrays do not fit each other, or its name came before.
            StoreError: If the disk does not take it.
        """
        rows, number = len(decoded.frames), len(self._tables["series"])
        if recording.name in (row["name"] for row in self._tables["series"]):
            raise DataError(f"recording {recording.name!r} comes twice: names must be unique")
        if decoded.frames.shape[1:] != self._frame:
            raise DataError(
                f"recording {recording.name!r} has frames of {decoded.frames.shape[1:]}, the store "
                f"is of {self._frame}"
            )
        self._notes += [f"{recording.name}: {note}" for note in decoded.about.get("notes", ())]
        runs = runs_of(recording, decoded, self._source.split)
        background = self._background(decoded, runs)
        self._measure(recording.entity, decoded, background, runs)
        self._write(recording, decoded, signals, corrupt)
        self._column("backgrounds", np.dtype("f4"), self._frame).append(background[None])
        about = {name: decoded.about.get(name) for name in _ABOUT}
        place = {"name": recording.name, "entity": recording.entity, "offset": self.rows}
        missing = int(decoded.missing.sum())
        self._tables["series"].append(place | {"rows": rows, "missing": missing} | about)
        self._tables["segments"] += [
            {"series": number, "split": split, "start": start, "stop": stop}
            for split, start, stop in runs
        ]
        self.rows += rows

    def finish(self, options: dict[str, Any], notes: list[str]) -> None:
        """Close the columns, write the tables, and last the manifest.

        Args:
            options: What the store was asked to be, by name.
            notes: Of what is in no recording, such as files that were left out.

        Raises:
            DataError: If there is no frame at all, or the split names what is not there.
        """
        if not self.rows:
            raise DataError(f"source {self._source.name!r} yielded no frame at all")
        self._check_split()
        self._tables["entities"] = [
            {"entity": entity, "deviation": self._deviation(*sums)}
            for entity, sums in self._squares.items()
        ]
        columns = {name: column.close() for name, column in self._columns.items()}
        tables = {
            name: pa.Table.from_pylist(self._tables[name], pa.schema(schema))
            for name, schema in _SCHEMAS.items()
        }
        with writing(self._path):
            for name, table in tables.items():
                pq.write_table(table, self._path / f"{name}.parquet")
            if self._media is not None:
                (self._path / FILE).write_text(json.dumps(self._media))
        manifest = self._manifest(options, notes) | {"columns": columns}
        manifest["tables"] = {name: table_hash(table) for name, table in tables.items()}
        manifest["hash"] = store_hash(manifest)
        with writing(self._path):
            (self._path / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")

    def abandon(self) -> None:
        """Close the files of a store that will not be finished."""
        for column in self._columns.values():
            column.abandon()

    def _write(
        self,
        recording: Recording,
        decoded: Decoded,
        signals: np.ndarray,
        corrupt: np.ndarray | None,
    ) -> None:
        number = len(self._tables["series"])
        events, note = rows_of(recording, decoded)
        self._notes += note
        self._tables["events"] += [{"series": number, **event._asdict()} for event in events]
        self._keep(recording, decoded)
        self._column("signals", np.dtype("f4"), (len(SIGNALS),)).append(signals)
        self._column("missing", np.dtype("i1")).append(decoded.missing)
        self._rare |= recording.rare
        codes = {
            "label": labels(recording, decoded, events, self._source.rare | recording.rare),
            "regime": regimes(len(decoded.frames), events, self._actions),
            "corrupt": corruptions(recording, decoded, corrupt),
        }
        for name, own in codes.items():
            self._column(name, np.dtype("i2" if name == "regime" else "i1")).append(own)
            self._counts[name].update(own.tolist())
        if self._source.state:
            shown = shown_of(recording.state, decoded, np.nan, (len(self._source.state),))
            self._column("state", np.dtype("f4"), shown.shape[1:]).append(shown)

    def _keep(self, recording: Recording, decoded: Decoded) -> None:
        """Append the frames, or what finds them again."""
        if self._media is None:
            frames = self._column("frames", np.dtype("u1"), self._frame)
            for some in self._blocks(len(decoded.frames)):
                frames.append(decoded.frames[some])
            return
        self._media.append(media_entry(recording))
        stamps = np.full_like(decoded.shown, -1) if decoded.stamps is None else decoded.stamps
        self._column("shown", np.dtype("i8")).append(decoded.shown)
        self._column("stamps", np.dtype("i8")).append(stamps)

    def _background(self, decoded: Decoded, runs: list[Segment]) -> np.ndarray:
        """Per-pixel median of evenly spaced frames: of train rows, of all if there are none."""
        train = [np.arange(start, stop) for split, start, stop in runs if split == TRAIN]
        there = np.flatnonzero(~decoded.missing)
        if not len(there):
            return np.zeros(self._frame, np.float32)
        if train and (~decoded.missing[own := np.concatenate(train)]).any():
            there = own[~decoded.missing[own]]
        some = there[np.linspace(0, len(there) - 1, min(len(there), BACKGROUND)).astype(np.int64)]
        return np.median(decoded.frames[some], axis=0).astype(np.float32)

    def _measure(
        self, entity: str, decoded: Decoded, background: np.ndarray, runs: list[Segment]
    ) -> None:
        """Add to the squares of an entity: of its train rows, and of all of them."""
        sums = self._squares.setdefault(entity, np.zeros((2, 2)))
        train = np.zeros(len(decoded.frames), bool)
        for split, start, stop in runs:
            train[start:stop] = split == TRAIN
        for some in self._blocks(len(train)):
            there = ~decoded.missing[some]
            off = np.square(decoded.frames[some][there] - background).mean(axis=(1, 2, 3))
            own = train[some][there]
            sums += [
                [own.sum(), off[own].sum(dtype=np.float64)],
                [len(off), off.sum(dtype=np.float64)],
            ]

    def _blocks(self, rows: int) -> Iterator[slice]:
        step = max(1, BLOCK_VALUES // math.prod(self._frame))
        return (slice(start, start + step) for start in range(0, rows, step))

    def _deviation(self, train: np.ndarray, whole: np.ndarray) -> float:
        count, total = train if train[0] else whole
        return max(float(np.sqrt(total / max(count, 1))), LEAST_DEVIATION)

    def _column(self, name: str, dtype: np.dtype, width: tuple[int, ...] = ()) -> ColumnWriter:
        if name not in self._columns:
            self._columns[name] = ColumnWriter(self._path / f"{name}.npy", dtype, width)
        return self._columns[name]

    def _check_split(self) -> None:
        split, rows = self._source.split, self._tables["series"]
        if split.by == "time":
            return
        names = {row["name" if split.by == "series" else "entity"] for row in rows}
        if unknown := sorted(split.test - names):
            raise DataError(
                f"source {self._source.name!r} tests on {split.by} {', '.join(unknown)}, which the "
                f"raw files do not have: download them from {self._source.home}"
            )

    def _manifest(self, options: dict[str, Any], notes: list[str]) -> dict[str, Any]:
        source, split = self._source, self._source.split
        by_split = Counter[str]()
        for run in self._tables["segments"]:
            by_split[run["split"]] += run["stop"] - run["start"]
        return {
            "format": FORMAT,
            "version": VERSION,
            "modality": MODALITY,
            "source": source.name,
            "title": source.title,
            "licence": source.licence,
            "options": options,
            "split": _split_entry(split),
            "fps": self._fps,
            "frame": list(self._frame),
            "signals": list(SIGNALS),
            "state": list(source.state),
            "regimes": list(self._actions),
            "rare": sorted(self._rare),
            "tracks": sorted({event["track"] for event in self._tables["events"]}),
            "rows": self.rows,
            "series": len(self._tables["series"]),
            "entities": len(self._squares),
            "rows_by_split": dict(by_split),
            "rows_by_code": {name: dict(sorted(c.items())) for name, c in self._counts.items()},
            "missing": sum(row["missing"] for row in self._tables["series"]),
            "notes": [*notes, *self._notes],
        }


def _split_entry(split: Split) -> dict[str, Any]:
    return {
        "by": split.by,
        "test_share": split.test_share,
        "test": sorted(split.test),
        "embargo": split.embargo,
    }
