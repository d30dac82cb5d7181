"""The frames of a video file, one after the other, and what is wrong with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bandpass.data.series import DataError
from bandpass.data.video.clock import FrameClock
from bandpass.data.video.resample import NOTHING, Shot
from bandpass.data.video.scaling import Scaler, needs_av, quarter_turns

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

_LOOKED_AT = 200
"""Packets that tell how far frames usually are apart."""

_RATE = 25
"""Frames a second of a file that tells nothing of them."""

_WRONG = 0.05
"""A declared rate that is further than this share from that of the timestamps is wrong."""


@dataclass(frozen=True)
class Facts:
    """What a video file says of itself.

    Attributes:
        codec: Name of the decoder.
        width: Of the frames as they are stored.
        height: Of them.
        declared: Frames a second that the file declares; None if it declares none.
        rate: Frames a second as timestamps usually follow each other.
        start: Second of the first frame; None if the file does not tell.
        end: Second at which the file declares to end, on the same clock; None if it does not.
    """

    codec: str
    width: int
    height: int
    declared: float | None
    rate: float
    start: float | None
    end: float | None


class Lost(NamedTuple):
    """Frames that could not be decoded: before which index, at which second, and how many."""

    index: int
    second: float
    frames: int


class VideoFile:
    """A file whose frames are read once, from its first to its last.

    Every frame that decodes is given; what a decoder refuses, or marks as corrupt, is lost. Frames
    after a loss and before the next key frame are given as the decoder conceals them.

    Args:
        path: Any container that FFmpeg reads.

    Attributes:
        facts: What it says of itself.
        clock: The times of its frames.
        lost: Where frames are lost, in order.
        changes: Index of the frame, and what changes there.

    Raises:
        DataError: If it is missing or empty, or has no video.
    """

    def __init__(self, path: Path) -> None:
        needs_av()
        self.path = path
        self.facts = probe(path)
        self.clock = FrameClock(self.facts.rate, self.facts.end)
        self.lost: list[Lost] = []
        self.changes: list[tuple[int, str]] = []
        self._refused = 0  # packets and frames, since the last that did not follow the one before
        self._index, self._time = -1, 0.0  # of the last frame
        self._steps, self._spent = 0, 0.0  # where nothing was lost
        self._look: tuple[int, int, int] | None = None

    def shots(self, scaler: Scaler) -> Iterator[Shot]:
        """Yield every frame."""
        for frame in self._frames():
            missing = self._advance(frame)
            pixels = partial(self._pixels, scaler, frame, self._index)
            stamp = NOTHING if frame.pts is None else frame.pts
            yield Shot(self._index, self._time, pixels, missing > 0, stamp)

    @property
    def end(self) -> float | None:
        """Second at which the file declares to end, unless its clock was set in between."""
        return None if self.clock.was_set else self.facts.end

    @property
    def refusing(self) -> bool:
        """Whether there was damage after which no frame has come."""
        return self._refused > 0

    @property
    def rate(self) -> float:
        """Frames a second, where none is lost."""
        return self._steps / self._spent if self._spent else self.facts.rate

    def notes(self) -> Iterator[str]:
        """What is wrong with the file beside its losses, once it was read."""
        yield from self.clock.notes()
        declared = self.facts.declared
        if declared is None:
            yield f"declares no frame rate: {self.facts.rate:.4g} frames a second are taken"
        elif all(abs(declared / rate - 1) > _WRONG for rate in (self.rate, self.facts.rate)):
            yield (
                f"declares {declared:.4g} frames a second, its timestamps say {self.rate:.4g}: "
                "the timestamps hold"
            )

    def _frames(self) -> Iterator["av.VideoFrame"]:
        """Whatever decodes."""
        with opened(self.path) as (container, stream):
            yield from decoding(container, stream, self._refuse)

    def _refuse(self) -> None:
        self._refused += 1

    def _advance(self, frame: "av.VideoFrame") -> int:
        """Take the next frame's time and index; returns the frames that are missing before it."""
        clock, before = self.clock, self._time
        missing = self._refused if frame.pts is None else 0
        time = clock.tick(frame.time, 1 + missing)
        first = self._index < 0
        if first:
            before = time if self.facts.start is None else self.facts.start - clock.step
        if self._refused and frame.pts is not None:
            missing = max(0, round((time - before) / clock.step) - 1)
        if missing:
            self.lost.append(Lost(self._index + 1, before + clock.step, missing))
            self._refused = max(0, self._refused - missing)
        elif not first and time - before <= clock.gap:
            self._steps, self._spent = self._steps + 1, self._spent + time - before
        self._index, self._time = self._index + 1 + missing, time
        return missing

    def _pixels(self, scaler: Scaler, frame: "av.VideoFrame", index: int) -> np.ndarray:
        look = frame.width, frame.height, quarter_turns(frame)
        if look != self._look:
            if self._look is None and look[2]:
                self.changes.append((index, f"was filmed turned: is turned by {look[2] * 90} deg"))
            if self._look is not None:
                (w, h, _), (wide, high, _) = self._look, look
                self.changes.append((index, f"changes from {w} x {h} to {wide} x {high} pixels"))
            self._look = look
        return scaler(frame, self.path)


def decoding(
    container: "InputContainer", stream: "VideoStream", refused: Callable[[], None]
) -> Iterator["av.VideoFrame"]:
    """Whatever decodes from where the container is; calls ``refused`` for each loss."""
    import av

    for packet in _packets(container, stream, refused):
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            refused()
            continue
        for frame in frames:
            if frame.is_corrupt:
                refused()
            else:
                yield frame


def _packets(
    container: "InputContainer", stream: "VideoStream", refused: Callable[[], None]
) -> Iterator["av.Packet[VideoStream] | None"]:
    """Packets as far as the container can be read, then what makes the decoder end."""
    import av

    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        refused()
        yield None


def probe(path: Path) -> Facts:
    """What a file says of itself, without decoding a frame.

    Raises:
        DataError: If it is missing or empty, or has no video.
    """
    with opened(path) as (container, stream):
        context, unit = stream.codec_context, float(stream.time_base or 0)
        start = None if stream.start_time is None else stream.start_time * unit
        ends = [] if stream.duration is None else [(start or 0.0) + stream.duration * unit]
        if container.duration is not None:
            ends.append(((container.start_time or 0) + container.duration) / 1e6)
        step = _usual_step(container, stream)
        # Of a stream without timestamps the average is FFmpeg's default, the guess is the codec's.
        declared = stream.average_rate if step else stream.guessed_rate
        return Facts(
            codec=context.name,
            width=context.width,
            height=context.height,
            declared=float(declared) if declared else None,
            rate=1 / step if step else float(declared or _RATE),
            start=start,
            end=min(ends) if ends else None,
        )


def length(path: Path) -> tuple[int, float]:
    """Frames and seconds that a file declares to have, or about as many; 0 if it does not tell."""
    try:
        with opened(path) as (container, stream):
            rate = float(stream.average_rate or stream.guessed_rate or _RATE)
            seconds = (container.duration or 0) / 1e6
            return stream.frames or round(rate * seconds), seconds or stream.frames / rate
    except DataError:  # is told when it is to be read
        return 0, 0.0


@contextmanager
def opened(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Open a file and its first video stream, to be decoded by one thread.

    Raises:
        DataError: If it is missing or empty, or has no video.
    """
    import av

    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if not path.stat().st_size:
        raise DataError(f"{path}: is empty; download the file again")
    try:
        container = av.open(f"file:{path}", metadata_errors="ignore")
    except av.FFmpegError as error:
        raise DataError(
            f"{path}: FFmpeg cannot open it ({_why(error)}): it is cut off, or no video at all"
        ) from error
    with container:
        pictures = [s for s in container.streams.video if not s.disposition & _cover()]
        if not pictures:
            kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
            raise DataError(f"{path}: there is no video in it, only {kinds}: leave the file out")
        stream = pictures[0]
        stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
        yield container, stream


def _cover() -> Any:
    """The mark of a picture that belongs to a sound file."""
    from av.stream import Disposition

    return Disposition.attached_pic


def _usual_step(container: "InputContainer", stream: "VideoStream") -> float | None:
    """Median seconds between the first frames; None if there are no timestamps to tell."""
    import av

    stamps: list[int] = []
    try:
        for packet in container.demux(stream):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None:
                stamps.append(stamp)
            if len(stamps) >= _LOOKED_AT:
                break
    except av.FFmpegError:
        pass  # it is damaged, which is found again when it is read
    steps = np.diff(np.unique(stamps))
    if not len(steps) or not stream.time_base:
        return None
    return float(np.median(steps) * stream.time_base)


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
