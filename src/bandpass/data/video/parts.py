"""Recordings to parts: frames, their signals and corruption, in a working folder by the store."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from bandpass.data.atomic import sync, writing
from bandpass.data.pool import Tell
from bandpass.data.series import DataError
from bandpass.data.video.corruption import corrupt_in_place
from bandpass.data.video.decode import decode_together, digest_of
from bandpass.data.video.options import Injection
from bandpass.data.video.recording import Decoded, Frames, Recording, Video
from bandpass.data.video.scaling import FrameSettings
from bandpass.data.video.signals import signals

FORMAT = 2
"""Part of the name of every part: a part of another format is not found, but made again."""

_ROW = np.dtype([("missing", "?"), ("shown", "<i8"), ("stamp", "<i8"), ("corrupt", "i1")])
"""What a part knows of every row beside the frame and its signals."""


@dataclass(frozen=True)
class Job:
    """Recordings of one file, or one recording of something else.

    Attributes:
        recordings: Their names and media.
        settings: What frames shall be.
        injection: What shall be done to them.
        work: The folder for the parts.
    """

    recordings: tuple[Recording, ...]
    settings: FrameSettings
    injection: Injection
    work: Path


@dataclass(frozen=True)
class Part:
    """A recording that was decoded.

    Attributes:
        path: The folder.
        fps: Rows a second.
        about: As in `Decoded`.
    """

    path: Path
    fps: float
    about: dict[str, Any]

    @property
    def signals(self) -> np.ndarray:
        """(F, signals) float32."""
        return np.load(self.path / "signals.npy", mmap_mode="r")

    @property
    def corrupt(self) -> np.ndarray:
        """(F,) int8 code of the corruption that was added."""
        return np.load(self.path / "rows.npy")["corrupt"]

    def decoded(self) -> Decoded:
        """The frames and what is known of them."""
        frames, rows = (
            np.load(self.path / "frames.npy", mmap_mode="r"),
            np.load(self.path / "rows.npy"),
        )
        return Decoded(frames, rows["missing"], rows["shown"], self.fps, self.about, rows["stamp"])


def plan(
    recordings: Sequence[Recording], settings: FrameSettings, injection: Injection, work: Path
) -> list[Job]:
    """Divide recordings, in their order, into jobs: a file of many is read once."""
    groups: list[list[Recording]] = []
    files: dict[Path, list[Recording]] = {}
    for recording in recordings:
        # What is known of it stays here: labels and states may be large.
        bare = Recording(recording.name, recording.entity, recording.media)
        path = recording.media.path if isinstance(recording.media, Video) else None
        if path in files:
            files[path].append(bare)
            continue
        groups.append([bare])
        if path is not None:
            files[path] = groups[-1]
    return [Job(tuple(group), settings, injection, work) for group in groups]


def write_parts(job: Job, tell: Tell) -> list[Part | str]:
    """Write the parts of a job that are not there yet, each whole or not at all.

    Args:
        job: What to decode.
        tell: Told how many more source frames were read.

    Returns:
        A part for each recording; text, why nothing could be decoded, takes the place of one.

    Raises:
        StoreError: If the disk does not take it.
    """
    try:
        digest = digest_of(job.recordings[0].media)
    except DataError as error:
        return [str(error) for _ in job.recordings]
    paths = [job.work / _name(job, recording, digest) for recording in job.recordings]
    todo = [
        (recording, path)
        for recording, path in zip(job.recordings, paths, strict=True)
        if not path.exists()
    ]
    failed = dict(_write(job, todo, digest, tell))
    parts: list[Part | str] = []
    for path in paths:
        parts.append(failed[path] if path in failed else open_part(path))
    tell(sum(open_part(p).about["source_frames"] for p in set(paths) - {p for _, p in todo}))
    return parts


def open_part(path: Path) -> Part:
    """Open a part that was written."""
    part = json.loads((path / "part.json").read_text())
    return Part(path, part["fps"], part["about"])


def _name(job: Job, recording: Recording, digest: str) -> str:
    """Of what the part depends on."""
    media = recording.media
    cut: list[Any] = [media.first, media.count] if isinstance(media, Video) else [media.fps]
    if isinstance(media, Frames):
        cut.append(hashlib.sha256(pickle.dumps(media.make)).hexdigest())
    parts = [FORMAT, version("bandpass"), recording.name, digest, cut]
    known = json.dumps([*parts, asdict(job.settings), asdict(job.injection)])
    return hashlib.blake2b(known.encode(), digest_size=16).hexdigest()


def _write(
    job: Job, todo: list[tuple[Recording, Path]], digest: str, tell: Tell
) -> Iterator[tuple[Path, str]]:
    """Write parts; yields where one cannot be, and why."""
    partials = [path.with_name(f"{path.name}.partial") for _, path in todo]
    for partial in partials:
        with writing(partial):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
    wanted = [
        (recording, partial / "frames.npy")
        for (recording, _), partial in zip(todo, partials, strict=True)
    ]
    found = decode_together(wanted, job.settings, digest, tell) if wanted else []
    for (recording, path), partial, decoded in zip(todo, partials, found, strict=True):
        if isinstance(decoded, DataError):
            shutil.rmtree(partial, ignore_errors=True)
            yield path, str(decoded)
        else:
            _finish(partial, path, recording, decoded, job.injection)


def _finish(
    partial: Path, path: Path, recording: Recording, decoded: Decoded, injection: Injection
) -> None:
    """Corrupt and measure the frames, and put the part where it belongs."""
    assert decoded.stamps is not None
    rows = np.empty(len(decoded.frames), _ROW)
    rows["missing"], rows["shown"], rows["stamp"] = decoded.missing, decoded.shown, decoded.stamps
    rows["corrupt"] = _corrupt(partial / "frames.npy", recording.name, decoded, injection)
    measured = signals(decoded.frames, decoded.missing, decoded.fps)
    with writing(partial):
        np.save(partial / "rows.npy", rows)
        np.save(partial / "signals.npy", measured)
        (partial / "part.json").write_text(json.dumps({"fps": decoded.fps, "about": decoded.about}))
        for file in (*partial.iterdir(), partial):
            sync(file)
        partial.rename(path)
        sync(path.parent)


def _corrupt(file: Path, name: str, decoded: Decoded, injection: Injection) -> np.ndarray:
    """Corrupt frames where they are and return (F,) int8 codes; missing ones stay as they are."""
    if not injection.corrupt:
        return np.zeros(len(decoded.frames), np.int8)
    frames = np.load(file, mmap_mode="r+")
    codes = corrupt_in_place(
        frames,
        injection.corrupt,
        seed=(injection.corrupt_seed, crc32(name.encode())),
        fps=decoded.fps,
        kinds=injection.corrupt_kinds,
        spared=decoded.missing,
    )
    frames.flush()
    return codes
