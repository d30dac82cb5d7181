"""Recordings to frames of one size at an even rate."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bandpass.data.columns import ColumnWriter
from bandpass.data.series import DataError
from bandpass.data.video.clock import GAP_FRAMES, GAP_SECONDS
from bandpass.data.video.images import ImageFiles
from bandpass.data.video.reading import Lost, VideoFile
from bandpass.data.video.recording import Decoded, Frames, Images, Media, Recording, Video
from bandpass.data.video.resample import NOTHING, Resampler, RowWriter, Shot
from bandpass.data.video.scaling import FrameSettings, Scaler


def decode(recording: Recording, path: Path, settings: FrameSettings) -> Decoded:
    """Decode one recording.

    Row i shows the last frame of the source whose timestamp, from the first frame of the
    recording, is at most i / fps and half a source frame: sources of any rate, a changing one
    too, come out even. Only frames that are shown are scaled. A row is missing, and holds
    zeros, where frames could not be decoded, and in a gap of the timestamps of more than a second
    and more than three frames.

    What decodes of a damaged file is kept. Where it declares to go on, the rest is missing.

    Args:
        recording: What to decode.
        path: The ``.npy`` file to write the frames to, as they come.
        settings: What they shall be.

    Returns:
        The frames, memory-mapped from ``path``, and what is known of them.

    Raises:
        DataError: If nothing of it can be decoded.
        StoreError: If the disk does not take the frames.
    """
    digest = digest_of(recording.media)
    (found,) = decode_together([(recording, path)], settings, digest)
    if isinstance(found, DataError):
        raise found
    return found


def decode_together(
    wanted: Sequence[tuple[Recording, Path]],
    settings: FrameSettings,
    digest: str,
    tell: Callable[[int], None] = lambda frames: None,
) -> list[Decoded | DataError]:
    """Decode recordings as `decode` does, those of one video file by reading it once.

    Args:
        wanted: Recordings and where their frames go; more than one only of the same video file.
        settings: What the frames shall be.
        digest: Of the media, as `digest_of` makes it.
        tell: Told how many more source frames were read.

    Returns:
        In the same order; an error takes the place of a recording of which nothing decodes.

    Raises:
        StoreError: If the disk does not take the frames.
    """
    takes = [_Take(recording, path, settings) for recording, path in wanted]
    try:
        if isinstance(takes[0].media, Video):
            return _decode_video(takes, settings, digest, tell)
        (take,) = takes
        return [_decode_other(take, settings, digest, tell)]
    except DataError as error:
        return [error for _ in takes]
    finally:
        for take in takes:
            take.abandon()


class _Take:
    """Rows of one recording while its source is read."""

    def __init__(self, recording: Recording, path: Path, settings: FrameSettings) -> None:
        self.media = recording.media
        self.name, self._path, self._fps = recording.name, path, settings.fps
        self._file = ColumnWriter(path, np.dtype(np.uint8), settings.shape)
        self.rows = RowWriter(self._file)
        video = self.media if isinstance(self.media, Video) else None
        self.first = video.first if video else 0
        self.stop = self.first + video.count if video and video.count is not None else math.inf

    def begin(self, step: float, gap: float) -> None:
        """Say how far apart frames usually are, and what a gap is, in seconds."""
        self.step = step
        self.resampler = Resampler(self.rows, self._fps, step, gap)
        self.last = self.first - 1

    def add(self, shot: Shot) -> None:
        """Take a frame of the source; rows number them from the recording's first."""
        self.last = shot.index
        if self.first:
            shot = shot._replace(index=shot.index - self.first)
        self.resampler.add(shot, shot.index)

    def close(self, about: dict[str, Any], notes: list[str]) -> Decoded | DataError:
        """Finish the file."""
        shown, stamps = self.rows.close()
        missing = shown == NOTHING
        if missing.all():
            return DataError(f"{about['path']}: not one frame of {self.name!r} can be decoded")
        frames = np.load(self._path, mmap_mode="r")
        return Decoded(frames, missing, shown, self._fps, about | {"notes": notes}, stamps)

    def abandon(self) -> None:
        self._file.abandon()


def _decode_video(
    takes: list[_Take], settings: FrameSettings, digest: str, tell: Callable[[int], None]
) -> list[Decoded | DataError]:
    video = takes[0].media
    assert isinstance(video, Video)
    file = VideoFile(video.path)
    for take in takes:
        take.begin(file.clock.step, file.clock.gap)
    stop = max(take.stop for take in takes)
    for shot in _counted(file.shots(Scaler(settings)), tell):
        for take in takes:
            if take.first <= shot.index < take.stop:
                take.add(shot)
        if shot.index + 1 >= stop:
            break
    return [_close_video(take, file, digest) for take in takes]


def _close_video(take: _Take, file: VideoFile, digest: str) -> Decoded | DataError:
    facts, step = file.facts, file.clock.step
    end = file.end
    if not math.isinf(take.stop):
        short = take.stop - 1 - take.last
        end = take.resampler.now + (short + 1) * step if short else None
    ending = take.resampler.end(end, lost=not math.isinf(take.stop) or file.refusing)
    lost = [each for each in file.lost if take.first < each.index + each.frames <= take.stop]
    if ending:
        lost.append(Lost(take.last + 1, take.resampler.now + step, round(ending / step)))
    notes = [text for index, text in file.changes if take.first <= index < take.stop]
    notes += [*_losses(file.path, lost, take.resampler.zero), *file.notes()]
    about = {
        "path": file.path.name,
        "sha256": digest,
        "codec": facts.codec,
        "width": facts.width,
        "height": facts.height,
        "source_fps": round(file.rate, 6),
        "source_frames": take.last + 1 - take.first,
        "damaged": bool(lost),
    }
    if file.clock.was_set or not file.clock.rises:
        take.rows.forget_stamps()  # which may come twice
    return take.close(about, [f"{file.path.name}: {note}" for note in notes])


def _losses(path: Path, lost: list[Lost], zero: float) -> Iterator[str]:
    """A line on the frames that are lost."""
    if lost:
        frames = sum(each.frames for each in lost)
        places = f" and at {len(lost) - 1} places after it" if len(lost) > 1 else ""
        second = max(0.0, lost[0].second - zero)
        yield f"is damaged or cut off at {second:.1f} s{places}: {frames:,} frames are missing"


def _decode_other(
    take: _Take, settings: FrameSettings, digest: str, tell: Callable[[int], None]
) -> Decoded | DataError:
    media = take.media
    assert not isinstance(media, Video)
    if not 0 < media.fps < math.inf:
        raise DataError(f"recording {take.name!r} has fps={media.fps}: must be above 0")
    take.begin(1 / media.fps, max(GAP_SECONDS, GAP_FRAMES / media.fps))
    about = {"sha256": digest, "source_fps": media.fps}
    if isinstance(media, Images):
        return _decode_images(take, media, settings, about, tell)
    return _decode_array(take, media, settings, about, tell)


def _decode_images(
    take: _Take,
    media: Images,
    settings: FrameSettings,
    about: dict[str, Any],
    tell: Callable[[int], None],
) -> Decoded | DataError:
    if not media.paths:
        raise DataError(f"recording {take.name!r} has no images")
    files = ImageFiles(media)
    for shot in _counted(files.shots(Scaler(settings)), tell):
        take.add(shot)
    take.resampler.end()
    width, height = next(iter(files.sizes), (None, None))
    folder = media.paths[0].parent.name
    about |= {"path": folder, "codec": "images", "width": width, "height": height}
    about |= {"source_frames": len(media.paths), "damaged": bool(files.unreadable)}
    return take.close(about, [f"{folder}: {note}" for note in files.notes()])


def _decode_array(
    take: _Take,
    media: Frames,
    settings: FrameSettings,
    about: dict[str, Any],
    tell: Callable[[int], None],
) -> Decoded | DataError:
    frames = media.make()
    fits = frames.ndim in (3, 4) and frames.dtype == np.uint8 and frames.shape[3:] in ((), (3,))
    if not fits or not frames.size:
        raise DataError(
            f"recording {take.name!r} is made of {frames.dtype} {frames.shape}: "
            "must be (S, height, width) or (S, height, width, 3) uint8"
        )
    # Frames that are as they shall be need no PyAV: so the simulated world runs without it.
    same = frames.shape[1:3] == settings.size and frames[0].size == math.prod(settings.shape)
    scale = settings.reshaped if same else Scaler(settings).array
    shots = (
        Shot(index, index / media.fps, partial(scale, frame)) for index, frame in enumerate(frames)
    )
    for shot in _counted(shots, tell):
        take.add(shot)
    take.resampler.end()
    height, width = frames.shape[1:3]
    name = media.path.name if media.path else take.name
    about |= {"path": name, "codec": "array", "width": width, "height": height}
    about["sha256"] = about["sha256"] or hashlib.sha256(frames.tobytes()).hexdigest()
    return take.close(about | {"source_frames": len(frames), "damaged": False}, [])


def _counted(shots: Iterator[Shot], tell: Callable[[int], None], every: int = 64) -> Iterator[Shot]:
    """Pass shots on and tell of every so many."""
    number = 0
    for number, shot in enumerate(shots, 1):
        yield shot
        if not number % every:
            tell(every)
    tell(number % every)


def digest_of(media: Media) -> str:
    """Hash over the bytes of the files that frames come from; empty if they are made.

    Raises:
        DataError: If a file cannot be read.
    """
    if isinstance(media, Frames) and media.path is None:
        return ""
    paths = media.paths if isinstance(media, Images) else [media.path]
    digest = hashlib.sha256()
    for path in paths:
        assert path is not None
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
