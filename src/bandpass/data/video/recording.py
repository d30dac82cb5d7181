"""What a source of videos yields: recordings, where their frames come from, what is labelled."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bandpass.data.series import Split


@dataclass(frozen=True)
class Event:
    """A labelled stretch of a recording; stretches may overlap.

    Attributes:
        start: Seconds from the first frame.
        stop: Seconds from the first frame; the stretch is half-open.
        label: What happens.
        track: What kind of label: "action" tells classes apart, others only mark frames.
    """

    start: float
    stop: float
    label: str
    track: str = "action"


@dataclass(frozen=True)
class Video:
    """Frames of a file that PyAV reads, or of some consecutive ones of its frames.

    Attributes:
        path: The file.
        first: First frame that belongs to the recording.
        count: Frames that do; all that follow if None.
    """

    path: Path
    first: int = 0
    count: int | None = None


@dataclass(frozen=True)
class Images:
    """Frames that are image files, in this order.

    Attributes:
        paths: The files.
        fps: Frames a second; files have no clock.
    """

    paths: tuple[Path, ...]
    fps: float


@dataclass(frozen=True)
class Frames:
    """Frames that are made or read whole: a simulation, an array of another sensor.

    Attributes:
        make: Returns (S, height, width) or (S, height, width, 3) uint8; must be picklable.
        fps: Frames a second.
        path: The file they come from, if any.
    """

    make: Callable[[], np.ndarray]
    fps: float
    path: Path | None = None


Media = Video | Images | Frames


@dataclass(frozen=True)
class Recording:
    """One take of one camera.

    Attributes:
        name: Unique within the source.
        entity: What was watched, by which camera; normalisation and buckets go by it.
        media: Where the frames come from.
        events: Labelled stretches.
        label: (S,) int8 of source frames: 1 event, 0 normal, -1 unlabelled. None: a frame inside an
            event whose label is among the source's ``rare`` is an event, and any other is normal if
            the recording has events at all, unlabelled if it has none.
        corrupt: (S,) int8 of source frames, 0 clean, else 1 + index into ``corruption.KINDS``.
        state: (S, k) float32 of source frames, a known state of what is seen.
        split: The split the publishers put the recording in, or None for the source's rule.
        rare: Labels of its events that are rare and matter, beside those of the source.
    """

    name: str
    entity: str
    media: Media
    events: tuple[Event, ...] = ()
    label: np.ndarray | None = None
    corrupt: np.ndarray | None = None
    state: np.ndarray | None = None
    split: str | None = None
    rare: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Decoded:
    """The frames of a recording at an even rate, of one size.

    Attributes:
        frames: (F, height, width, colours) uint8; may be a memory map.
        missing: (F,) bool, where no frame could be decoded: the frame then holds zeros.
        shown: (F,) int64 index of the source frame that each row shows, -1 where missing.
        fps: Rows a second.
        about: What a person wants to know, ready for JSON: ``path``, ``sha256``, ``codec``,
            ``width``, ``height``, ``source_fps`` and ``source_frames``, ``damaged`` (whether some
            of it could not be decoded), ``notes`` (list of str).
        stamps: (F,) int64 timestamp of the source frame that each row shows, in units of its file;
            -1 where there is none. None if nothing has timestamps.
    """

    frames: np.ndarray
    missing: np.ndarray
    shown: np.ndarray
    fps: float
    about: dict[str, Any]
    stamps: np.ndarray | None = None


@dataclass(frozen=True)
class VideoSource:
    """One public dataset of videos, the simulated world, or a user's folder.

    Attributes:
        name: What the command line calls it.
        title: One line on what was recorded.
        licence: Licence of the data, as its publishers state it.
        home: Where the original is downloaded.
        layout: The exact raw layout expected under ``--raw``.
        recordings: ``recordings(raw, **options)`` yields them in a fixed order; cheap, decodes
            nothing.
        size: (height, width) that frames are scaled to unless told otherwise.
        fps: Rows a second unless told otherwise.
        rare: Labels of events that are rare and matter.
        split: The default split.
        state: Names of the numbers of ``Recording.state``, empty if there is none.
        options: Option names that ``recordings`` takes, with a one-line help each. Values may be
            the text of a command line.
    """

    name: str
    title: str
    licence: str
    home: str
    layout: str
    recordings: Callable[..., Iterator[Recording]]
    size: tuple[int, int] = (48, 64)
    fps: float = 10.0
    rare: frozenset[str] = frozenset()
    split: Split = field(default_factory=Split)
    state: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
