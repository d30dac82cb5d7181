"""Raw files to parts: the records of some files, packed, in a working folder beside the store."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bandpass.data.atomic import sync, writing
from bandpass.data.columns import ColumnWriter
from bandpass.data.schedule.record import Malformed, Record, ScheduleSource
from bandpass.data.schedule.records import RECORD, Hasher, pack
from bandpass.data.series import DataError

FORMAT = 1
"""Part of the name of every part: a part of another format is not found, but read again."""

BLOCK = 8192
"""Records held at a time."""

SMALL_BYTES, SMALL_FILES = 1 << 20, 256
"""Files that follow each other share a part until they have so many bytes, or are so many: a
mailbox has half a million files."""

DAMAGED = "damaged file"

_COLUMNS = {"records": RECORD, "actors": np.dtype("<u8"), "counts": np.dtype("<u4")}
"""Of a part: its records, the hashes of all their actors, and how many of those each has."""

Tell = Callable[[int, int, int], None]
"""Called with the files, records and bytes that were read since the last call."""


@dataclass(frozen=True)
class Job:
    """Raw files of one dataset that become one part.

    Attributes:
        dataset: Its name.
        read: As in `ScheduleSource`.
        folder: The files' common folder.
        files: Not empty.
        bytes: Of all files.
        part: Where the part shall be; the name is made of what the part depends on.
    """

    dataset: str
    read: Callable[[Path, Malformed], Iterator[Record]]
    folder: Path
    files: tuple[Path, ...]
    bytes: int
    part: Path

    @property
    def name(self) -> str:
        """The files, as the manifest has them."""
        first = self.files[0].relative_to(self.folder).as_posix()
        return first if len(self.files) == 1 else f"{first} and {len(self.files) - 1} after it"


@dataclass(frozen=True)
class Part:
    """What was read of the files of a job.

    Attributes:
        path: The folder.
        about: Numbers of ``files``, ``bytes``, ``records`` and ``links`` of those with actors, and
            what was ``malformed``.
    """

    path: Path
    about: dict[str, Any]

    @property
    def records(self) -> int:
        """Number of records."""
        return self.about["records"]

    def blocks(self, size: int = 1 << 15) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield records, their actors, and how many of those each record has."""
        # Mapped here and not kept: a dataset has more parts than a process can open files.
        records, actors, counts = (
            np.load(self.path / f"{name}.npy", mmap_mode="r") for name in _COLUMNS
        )
        seen = 0
        for start in range(0, len(records), size):
            count = counts[start : start + size]
            some = int(count.sum())
            yield records[start : start + size], actors[seen : seen + some], count
            seen += some


def plan(
    source: ScheduleSource, folder: Path, files: Sequence[Path], work: Path, key: str
) -> list[Job]:
    """Divide the raw files of a dataset into jobs.

    Args:
        source: The dataset.
        folder: Where its files are.
        files: In reading order.
        work: Where the parts shall be.
        key: Fingerprint of the key.
    """
    jobs: list[Job] = []
    for some in _groups(files):
        stats = [file.stat() for file in some]
        names = [file.relative_to(folder).as_posix() for file in some]
        marks = [(n, s.st_size, s.st_mtime_ns) for n, s in zip(names, stats, strict=True)]
        known = json.dumps([FORMAT, version("bandpass"), source.name, key, marks]).encode()
        part = work / f"{source.name}-{hashlib.blake2b(known, digest_size=12).hexdigest()}"
        size = sum(stat.st_size for stat in stats)
        jobs.append(Job(source.name, source.read, folder, tuple(some), size, part))
    return jobs


def _groups(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Large files each by itself, and small ones that follow each other together."""
    group: list[Path] = []
    size = 0
    for file in files:
        size += file.stat().st_size
        if group and (size > SMALL_BYTES or len(group) == SMALL_FILES):
            yield group
            group = []
            size = file.stat().st_size
        group.append(file)
    if group:
        yield group


def open_part(job: Job) -> Part:
    """Open the part of a job, which has been written."""
    return Part(job.part, json.loads((job.part / "part.json").read_text()))


def finished(job: Job, *, keep_damaged: bool) -> Part | None:
    """Open the part of a job if it has been written.

    One that lacks the rest of a damaged file counts only for who wants to keep such.
    """
    if not job.part.exists():
        return None
    part = open_part(job)
    return part if keep_damaged or DAMAGED not in part.about["malformed"] else None


def write_part(job: Job, tell: Tell, *, key: bytes, keep_damaged: bool) -> None:
    """Read the files of a job and write its part, whole or not at all.

    Raises:
        DataError: If a file is damaged, unless what was read before the damage is to be kept.
        StoreError: If the disk does not take it.
    """
    partial = job.part.with_name(f"{job.part.name}.partial")
    with writing(partial):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    columns: dict[str, ColumnWriter] = {}
    try:
        for name, dtype in _COLUMNS.items():
            columns[name] = ColumnWriter(partial / f"{name}.npy", dtype)
        reading = _Reading(job, keep_damaged)
        hasher = Hasher(key, job.dataset)
        for block in _blocks(iter(reading)):
            packed = pack(block, hasher)
            columns["records"].append(packed.records)
            columns["actors"].append(packed.actors)
            columns["counts"].append(np.bincount(packed.of, minlength=len(block)))
            tell(*reading.advance(len(block)))
        tell(*reading.advance(0))
        rows = {"records": columns["records"].rows, "links": columns["actors"].rows}
        for column in columns.values():
            column.close()
        _publish(partial, job, rows | reading.about())
    finally:
        for column in columns.values():
            column.abandon()


class _Reading:
    """The records of a job's files one after the other, and how far it is."""

    def __init__(self, job: Job, keep_damaged: bool) -> None:
        self._job, self._keep = job, keep_damaged
        self._malformed = Malformed()
        self._open: Path | None = None
        self._done = self._told = (0, 0)  # files and bytes

    def __iter__(self) -> Iterator[Record]:
        for file in self._job.files:
            self._open = file
            try:
                yield from self._job.read(file, self._malformed)
            except DataError as error:
                if isinstance(error.__cause__, ImportError):  # nothing is wrong with the file
                    raise
                if not self._keep:
                    keep = "keep_damaged=true keeps what comes before the damage"
                    raise DataError(f"{error}; {keep}") from error
                self._malformed.add(str(file.relative_to(self._job.folder)), DAMAGED)
            except Exception as error:
                error.add_note(f"while reading {file}: this is a fault of its adapter")
                raise
            self._done = self._done[0] + 1, self._done[1] + file.stat().st_size
        self._open = None

    def advance(self, records: int) -> tuple[int, int, int]:
        """Files, records and bytes since this was last asked."""
        files, size = self._done
        size += _offset(self._open) if self._open else 0
        before, self._told = self._told, (files, size)
        return files - before[0], records, size - before[1]

    def about(self) -> dict[str, Any]:
        """What a part says of itself."""
        job, found = self._job, self._malformed
        head = {"name": job.name, "files": len(job.files), "bytes": job.bytes}
        return head | {"malformed": found.counts, "samples": found.samples}


def _blocks(records: Iterator[Record]) -> Iterator[list[Record]]:
    block: list[Record] = []
    for record in records:
        block.append(record)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


def _publish(partial: Path, job: Job, about: dict[str, Any]) -> None:
    with writing(partial):
        (partial / "part.json").write_text(json.dumps(about))
        for file in (*partial.iterdir(), partial):
            sync(file)
        shutil.rmtree(job.part, ignore_errors=True)  # that of a damaged file, if there is one
        partial.rename(job.part)
        sync(job.part.parent)


def _offset(path: Path) -> int:
    """How far this process has read a file that it has open; 0 where the system does not tell."""
    with suppress(OSError):
        for number in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/self/fd/{number}") == str(path):
                    position = Path(f"/proc/self/fdinfo/{number}").read_text().split(maxsplit=2)
                    return int(position[1])
    return 0
