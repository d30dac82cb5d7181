"""Raw files of many datasets to one store of schedule windows."""

import functools
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bandpass.data.atomic import publishing, writing
from bandpass.data.manifest import read_manifest
from bandpass.data.pool import work_through
from bandpass.data.schedule.check import verify_windows
from bandpass.data.schedule.datasets import Dataset, entry, find_datasets
from bandpass.data.schedule.keys import find_key, fingerprint
from bandpass.data.schedule.merging import merge_parts
from bandpass.data.schedule.parts import Job, Part, finished, open_part, plan, write_part
from bandpass.data.schedule.record import ScheduleSource
from bandpass.data.schedule.store import ScheduleStore, ScheduleWriter
from bandpass.data.series import DataError

READING, WRITING, CHECKING = "reading", "writing", "checking"
UNITS = {READING: "bytes", WRITING: "windows", CHECKING: "windows"}


class Seen(NamedTuple):
    """How far the preparation is.

    Attributes:
        stage: One of ``UNITS``.
        done: Units of the stage.
        total: Units of the stage; when writing, at most so many.
        files: When reading: those that were read, by a call that was stopped too.
        records: In them.
        note: What happened, if anything is worth a line.
    """

    stage: str
    done: int
    total: int
    files: int = 0
    records: int = 0
    note: str = ""


Progress = Callable[[Seen], None]


@dataclass(frozen=True)
class Options:
    """How to prepare.

    Attributes:
        workers: Processes that read; one a processor if None.
        key: File with the key of the identifier hashes; if None, see `find_key`.
        overwrite: Replace a store that is there.
        keep_damaged: Keep what was read of a damaged file before the damage, and go on.
    """

    workers: int | None = None
    key: Path | None = None
    overwrite: bool = False
    keep_damaged: bool = False

    def __post_init__(self) -> None:
        """Refuse a number of workers that does nothing."""
        if self.workers is not None and self.workers < 1:
            raise DataError(f"workers is {self.workers}: at least one has to read")


def prepare_schedule(
    raw: Path | str,
    store: Path | str,
    sources: Sequence[ScheduleSource] | None = None,
    options: Options = Options(),
    progress: Progress = lambda seen: None,
) -> ScheduleStore:
    """Read datasets and write their store, whole or not at all.

    What has been read of each file is kept in a working folder beside the store until the store is
    there, so that the same call goes on where another was stopped. Equal files and an equal key
    make an equal store, however many workers there are.

    Args:
        raw: Folder with a folder of raw files for each dataset; for one dataset it may be that
            folder itself.
        store: The directory to write; it appears when everything is in it and was checked.
        sources: What to read. If None, all that are known; those without raw files then are empty
            entries of the manifest, with the reason.
        options: How.
        progress: Told how far it is.

    Returns:
        The opened store.

    Raises:
        DataError: If raw files are missing or damaged, or nothing can be read of them.
        StoreError: If the store cannot be written, or fails its check.
    """
    store = Path(store).absolute()
    datasets = find_datasets(Path(raw).resolve(), sources)
    work = store.with_name(f".{store.name}.parts")
    with publishing(store, overwrite=options.overwrite) as partial:
        key, note = find_key(store, options.key)
        if note:
            progress(Seen(READING, 0, 0, note=note))
        with writing(work):
            work.mkdir(exist_ok=True)
        jobs = [plan(d.source, d.folder, d.files, work, fingerprint(key)) for d in datasets]
        _read([job for some in jobs for job in some], key, options, progress)
        parts = [[open_part(job) for job in some] for some in jobs]
        _write(partial, datasets, parts, fingerprint(key), progress)
        _check(partial, progress)
    shutil.rmtree(work, ignore_errors=True)
    return ScheduleStore(store, read_manifest(store))


def _read(jobs: list[Job], key: bytes, options: Options, progress: Progress) -> None:
    """Write the parts that are not there yet."""
    keep = options.keep_damaged
    parts = {job.part: finished(job, keep_damaged=keep) for job in jobs}
    left = [job for job in jobs if parts[job.part] is None]
    there = [part.about for part in parts.values() if part is not None]
    files, records, size = (sum(a[name] for a in there) for name in ("files", "records", "bytes"))
    total = size + sum(job.bytes for job in left)
    again = f"{files:,} files were read before, {sum(len(job.files) for job in left):,} are left"
    progress(Seen(READING, size, total, files, records, again if there else ""))

    def tell(more_files: int, more_records: int, more_bytes: int) -> None:
        nonlocal files, records, size
        files, records, size = files + more_files, records + more_records, size + more_bytes
        progress(Seen(READING, size, total, files, records))

    write = functools.partial(write_part, key=key, keep_damaged=keep)
    workers = options.workers or os.cpu_count() or 1
    for _ in work_through(left, write, tell, workers=workers, size=lambda job: job.bytes):
        pass  # a part is on the disk


def _write(
    partial: Path,
    datasets: list[Dataset],
    parts: list[list[Part]],
    mark: str,
    progress: Progress,
) -> None:
    """Write the store from the parts of all datasets."""
    abouts = [part.about for some in parts for part in some]
    most, done = sum(about["records"] + about["links"] for about in abouts), 0

    def tell(windows: int) -> None:
        nonlocal done
        done += windows
        progress(Seen(WRITING, done, max(most, done)))

    writer = ScheduleWriter(partial)
    entries = []
    try:
        for number, (dataset, some) in enumerate(zip(datasets, parts, strict=True)):
            with TemporaryDirectory(dir=partial) as scratch:
                merged = merge_parts(writer, number, some, Path(scratch), tell)
            entries.append(entry(dataset, some, merged))
        if not done:
            counts = sum((Counter(each["malformed"]) for each in entries), Counter[str]())
            why = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
            places = [place for each in entries for place, _ in each["malformed_samples"]]
            first = f"; first {places[0]}" if places else ""
            raise DataError(
                f"there is no record in the raw files: {why or 'they are empty'}{first}"
            )
        writer.finish({"key": mark, "datasets": entries})
    finally:
        writer.abandon()


def _check(partial: Path, progress: Progress) -> None:
    """Look every window over before anybody sees the store."""
    store = ScheduleStore(partial, read_manifest(partial))
    done = 0

    def tell(windows: int) -> None:
        nonlocal done
        done += windows
        progress(Seen(CHECKING, done, len(store.windows)))

    verify_windows(store, tell)
