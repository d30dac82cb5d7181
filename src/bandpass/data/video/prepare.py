"""Videos to a store of clips: decoded by all processors, resumed where it was stopped."""

import math
import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from bandpass.data.atomic import publishing, writing
from bandpass.data.manifest import read_manifest
from bandpass.data.pool import work_through
from bandpass.data.series import DataError
from bandpass.data.video.access import media_entry
from bandpass.data.video.options import CACHES, Options
from bandpass.data.video.parts import Job, Part, plan, write_parts
from bandpass.data.video.reading import length
from bandpass.data.video.recording import Frames, Images, Media, Recording, Video, VideoSource
from bandpass.data.video.scaling import FrameSettings, needs_av
from bandpass.data.video.store import ClipStore
from bandpass.data.video.writer import ClipWriter

SHARE = 0.9
"""Of the free disk that frames may take, twice over while they are decoded."""

AHEAD = 4
"""Jobs done beyond the one to be written next, where the disk has no room for all."""


class Seen(NamedTuple):
    """How far the preparation is.

    Attributes:
        done: Source frames that were read.
        total: Source frames there are, as far as files tell.
        note: What happened, if anything is worth a line.
    """

    done: int
    total: int
    note: str = ""


Progress = Callable[[Seen], None]


def prepare_video(
    source: VideoSource,
    raw: Path | str,
    store: Path | str,
    options: Options | None = None,
    told: Progress = lambda seen: None,
) -> ClipStore:
    """Decode recordings and write their store, whole or not at all.

    Every recording that was decoded is kept in a working folder beside the store until the store
    is there, so that the same call goes on where another was stopped. Equal files and options make
    an equal store, however many workers there are. Of a store that is not to keep the frames, a
    recording is kept only until it is written: a stopped preparation decodes it again.

    Args:
        source: What to read.
        raw: Where its files are.
        store: The directory to write; it appears when everything is in it.
        options: How; as the source has it if None.
        told: Told how far it is.

    Returns:
        The opened store.

    Raises:
        DataError: If raw files or an option cannot be used, or nothing decodes.
        StoreError: If the store cannot be written.
    """
    options, store = options or Options(), Path(store).absolute()
    frames = options.frames(source)
    recordings = list(source.recordings(Path(raw), **options.of_source))
    _check(source, recordings)
    with publishing(store, overwrite=options.overwrite) as partial:
        work = store.with_name(f".{store.name}.parts")
        with writing(work):
            work.mkdir(exist_ok=True)
        jobs = plan(recordings, frames, options.injection, work)
        extents = _extents(recordings)
        seconds = sum(seconds for _, seconds in extents.values())
        cached, note = _cached(options, recordings, seconds, frames, work)
        if note:
            told(Seen(0, 0, note))
        writer = ClipWriter(partial, source, frames.fps, frames.shape, cached=cached)
        try:
            notes = _fill(
                writer, recordings, _parts(jobs, extents, options, told, cached=cached), cached
            )
            writer.finish(_entry(options, frames), notes)
        finally:
            writer.abandon()
    shutil.rmtree(work, ignore_errors=True)
    return ClipStore(store, read_manifest(store))


def _check(source: VideoSource, recordings: Sequence[Recording]) -> None:
    """Find out before anything is decoded what could not be written."""
    names = set[str]()
    for recording in recordings:
        if recording.name in names:
            raise DataError(f"recording {recording.name!r} comes twice: names must be unique")
        names.add(recording.name)
    if not recordings:
        raise DataError(
            f"source {source.name!r} has no recording there; its layout is\n{source.layout}"
        )
    if any(not isinstance(recording.media, Frames) for recording in recordings):
        needs_av()


def _cached(
    options: Options,
    recordings: Sequence[Recording],
    seconds: float,
    frames: FrameSettings,
    work: Path,
) -> tuple[bool, str]:
    """Whether the store keeps the frames, and a note if that was not asked for."""
    cached, note = CACHES[options.cache], ""
    if cached is None:
        needed = 2 * math.prod(frames.shape) * frames.fps * seconds
        # What was decoded before takes room that was free then: the answer has to stay the same.
        free = shutil.disk_usage(work).free + _taken(work)
        cached = needed < SHARE * free
        if not cached:
            note = (
                f"the frames take {needed / 1e9:,.1f} GB while they are written, of which "
                f"{free / 1e9:,.1f} are free: they are not kept, but decoded on access"
            )
    if not cached and options.corrupt:
        raise DataError(
            f"corrupt={options.corrupt} is done to frames that are kept: take cache=true, or leave "
            "corrupt out"
        )
    for recording in [] if cached else recordings:
        media_entry(recording)  # which has to be possible
    return cached, note


def _taken(work: Path) -> int:
    """Bytes of the parts of a preparation that was stopped."""
    return sum(path.stat().st_size for path in work.rglob("*") if path.is_file())


def _fill(
    writer: ClipWriter,
    recordings: Sequence[Recording],
    parts: Generator[tuple[str, Part | str], None, None],
    cached: bool,
) -> list[str]:
    """Write recordings in their order, each as soon as its turn comes; returns notes."""
    made: dict[str, Part | str] = {}
    left_out: list[str] = []
    waiting = deque(recordings)
    with closing(parts):
        for name, part in parts:
            made[name] = part
            while waiting and waiting[0].name in made:
                recording = waiting.popleft()
                own = made.pop(recording.name)
                if isinstance(own, str):
                    left_out.append(f"{recording.name} is left out: {own}")
                    continue
                writer.add(recording, own.decoded(), own.signals, own.corrupt)
                if not cached:  # the disk may not hold the frames of many
                    shutil.rmtree(own.path, ignore_errors=True)
    if not writer.rows:
        raise DataError(f"nothing can be decoded; {left_out[0]}")
    return left_out


def _parts(
    jobs: Sequence[Job],
    extents: Mapping[str, tuple[int, float]],
    options: Options,
    told: Progress,
    *,
    cached: bool,
) -> Generator[tuple[str, Part | str], None, None]:
    """Decode all jobs; yields the name of each recording with its part, or why there is none."""
    sizes = {job: sum(extents[each.name][0] for each in job.recordings) for job in jobs}
    done, total = 0, sum(sizes.values())
    there = sum(path.parent.suffix == "" for path in jobs[0].work.glob("*/part.json"))
    told(Seen(0, total, f"{there} recordings were decoded before" if there else ""))

    def tell(frames: int) -> None:
        nonlocal done
        done += frames
        told(Seen(done, max(total, done)))

    results = work_through(
        jobs,
        write_parts,
        tell,
        workers=options.workers or os.cpu_count() or 1,
        ahead=None if cached else AHEAD,
        size=sizes.__getitem__,
    )
    with closing(results):
        for job, parts in zip(jobs, results, strict=True):
            for recording, part in zip(job.recordings, parts, strict=True):
                _refuse(part, options)
                yield recording.name, part


def _refuse(part: Part | str, options: Options) -> None:
    if not options.keep_damaged and (isinstance(part, str) or part.about["damaged"]):
        what = part if isinstance(part, str) else part.about["notes"][0]
        raise DataError(f"{what}; keep_damaged=true keeps what decodes and goes on")


def _extents(recordings: Sequence[Recording]) -> dict[str, tuple[int, float]]:
    """Source frames and seconds of recordings by name, about; 0 where only reading it tells."""
    media = {recording.name: recording.media for recording in recordings}
    files = {
        path: length(path) for path in {m.path for m in media.values() if isinstance(m, Video)}
    }
    return {name: _extent(one, files) for name, one in media.items()}


def _extent(media: Media, files: Mapping[Path, tuple[int, float]]) -> tuple[int, float]:
    if isinstance(media, Images):
        return len(media.paths), len(media.paths) / media.fps
    if isinstance(media, Frames):
        return 0, 0.0
    whole, seconds = files[media.path]
    frames = max(0, whole - media.first) if media.count is None else media.count
    return frames, seconds * frames / whole if whole else 0.0


def _entry(options: Options, frames: FrameSettings) -> dict[str, Any]:
    """What the manifest keeps of the options."""
    entry: dict[str, Any] = {"colour": frames.colour, "keep_damaged": options.keep_damaged}
    return entry | asdict(options.injection) | {k: str(v) for k, v in options.of_source.items()}
