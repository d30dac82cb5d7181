"""Which datasets there are raw files of, and what the manifest says of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bandpass.data.schedule.merging import Merged
from bandpass.data.schedule.parts import Part
from bandpass.data.schedule.record import EPOCH, SAMPLES, ScheduleSource
from bandpass.data.schedule.sources import SCHEDULE_SOURCES
from bandpass.data.series import DataError

ABSENT = "no raw files"


@dataclass(frozen=True)
class Dataset:
    """A source and its raw files.

    Attributes:
        source: The source.
        folder: Where its files are.
        files: In reading order; none if there are none, or none may be read.
    """

    source: ScheduleSource
    folder: Path
    files: tuple[Path, ...]

    @property
    def note(self) -> str:
        """Why there is nothing to read, if so."""
        return self.source.blocked or ("" if self.files else ABSENT)


def find_datasets(raw: Path, sources: Sequence[ScheduleSource] | None) -> list[Dataset]:
    """Look for the raw files of datasets.

    Args:
        raw: Folder with a folder for each dataset, or of the one dataset.
        sources: What is asked for; if None everything that is known, whether it is there or not.

    Raises:
        DataError: If nothing is there, or not everything that is asked for.
    """
    if not raw.is_dir():
        raise DataError(f"{raw} is no folder: name the one with the raw files of the datasets")
    found = []
    for source in SCHEDULE_SOURCES.values() if sources is None else sources:
        folder = raw / source.name
        if sources is not None and len(sources) == 1 and not folder.is_dir():
            folder = raw
        files = source.files(folder) if folder.is_dir() and not source.blocked else []
        dataset = Dataset(source, folder, tuple(files))
        if sources is not None and dataset.note:
            raise DataError(f"dataset {source.name!r} cannot be read: {_mend(dataset)}")
        found.append(dataset)
    if not any(dataset.files for dataset in found):
        names = ", ".join(dataset.source.name for dataset in found if not dataset.source.blocked)
        raise DataError(
            f"there are no raw files in {raw}: it should have folders named {names}{_alone(raw)}"
        )
    return found


def entry(dataset: Dataset, parts: Sequence[Part], merged: Merged) -> dict[str, Any]:
    """What the manifest says of a dataset.

    Files that share a part share an entry of ``files``.
    """
    source = dataset.source
    malformed: Counter[str] = Counter()
    for part in parts:
        malformed.update(part.about["malformed"])
    samples = [sample for part in parts for sample in part.about["samples"]]
    return {
        "name": source.name,
        "title": source.title,
        "licence": source.licence,
        "files": [
            {name: part.about[name] for name in ("name", "files", "bytes", "records")}
            for part in parts
        ],
        "records": sum(part.records for part in parts),
        "duplicates": merged.duplicates,
        "windows": {"record": merged.records, "actor_day": merged.actor_days},
        "events": merged.events,
        "days": [_iso(merged.first), _iso(merged.last)],
        "undated": merged.undated,
        "timeless": merged.timeless and merged.records > 0,
        "malformed": dict(sorted(malformed.items())),
        "malformed_samples": samples[:SAMPLES],
        "blocked": source.blocked,
        "note": dataset.note,
    }


def _alone(raw: Path) -> str:
    """What to say of a folder that may be that of one dataset."""
    if raw.name in SCHEDULE_SOURCES:
        return f"; if it is that of one dataset, say --dataset {raw.name}"
    if any(source.files(raw) for source in SCHEDULE_SOURCES.values()):
        return "; if it is that of one dataset, say which with --dataset NAME"
    return ""


def _mend(dataset: Dataset) -> str:
    if dataset.source.blocked:
        return dataset.source.blocked
    layout = " ".join(dataset.source.layout.split())
    home = dataset.source.home
    return f"{ABSENT} in {dataset.folder}; it should hold {layout}; they come from {home}"


def _iso(day: int | None) -> str | None:
    return None if day is None else date.fromordinal(day + EPOCH).isoformat()
