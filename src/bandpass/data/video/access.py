"""Frames of a store that does not keep them: decoded when they are asked for."""

import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bandpass.data.manifest import MEND, StoreError
from bandpass.data.series import DataError
from bandpass.data.video.images import ImageFiles
from bandpass.data.video.reading import VideoFile, decoding, opened
from bandpass.data.video.recording import Images, Media, Recording, Video
from bandpass.data.video.resample import NOTHING, Shot
from bandpass.data.video.scaling import FrameSettings, Scaler

if TYPE_CHECKING:
    import av

FILE = "media.json"
"""Of a store without frames: where those of each recording are."""

OPEN = 8
"""Files kept open."""

REACH = 48
"""Frames that are rather decoded one after the other than jumped over."""


def media_entry(recording: Recording) -> dict[str, Any]:
    """Where the frames of a recording are, ready for JSON.

    Raises:
        DataError: If they are in no file.
    """
    media = recording.media
    if isinstance(media, Video):
        return {"path": str(media.path.absolute()), "first": media.first, "count": media.count}
    if isinstance(media, Images):
        return {"paths": [str(path.absolute()) for path in media.paths], "fps": media.fps}
    raise DataError(
        f"recording {recording.name!r} is made, not filmed: its frames cannot be decoded on "
        "access, keep them with cache=true"
    )


def media_of(entry: dict[str, Any]) -> Media:
    """Undo `media_entry`."""
    if "paths" in entry:
        return Images(tuple(map(Path, entry["paths"])), entry["fps"])
    return Video(Path(entry["path"]), entry["first"], entry["count"])


class Reader:
    """Decodes single frames of recordings.

    Files stay open from call to call, but not in another process: what is pickled or forked opens
    its own.

    Args:
        media: Of every recording.
        settings: What frames shall be.
    """

    def __init__(self, media: Sequence[Media], settings: FrameSettings) -> None:
        self._media, self._settings = list(media), settings
        self._films: OrderedDict[Path, _Film] = OrderedDict()
        self._process = os.getpid()

    @classmethod
    def of_store(cls, path: Path, settings: FrameSettings) -> "Reader":
        """Of a store that was prepared with ``cache=false``.

        Raises:
            StoreError: If what it knows of its files cannot be read.
        """
        try:
            entries = json.loads((path / FILE).read_text())
            return cls([media_of(entry) for entry in entries], settings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path / FILE} cannot be read ({error!r}): {MEND}") from error

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_films": OrderedDict()}

    def __call__(self, number: int, shown: np.ndarray, stamps: np.ndarray) -> np.ndarray:
        """Decode frames of one recording.

        Args:
            number: Of the recording.
            shown: (n,) int64 index of frames, -1 for zeros; as in `Decoded`.
            stamps: (n,) int64 their timestamps, -1 where there are none.

        Returns:
            (n, height, width, colours) uint8.

        Raises:
            StoreError: If a frame is not where it was.
        """
        frames = np.zeros((len(shown), *self._settings.shape), np.uint8)
        for at in np.argsort(shown, kind="stable").tolist():
            if shown[at] != NOTHING:
                frames[at] = self._frame(self._media[number], int(shown[at]), int(stamps[at]))
        return frames

    def _frame(self, media: Media, shown: int, stamp: int) -> np.ndarray:
        try:
            if isinstance(media, Images):
                found = ImageFiles(media).pixels(Scaler(self._settings), shown)
            else:
                assert isinstance(media, Video)
                found = self._film(media.path).frame(media.first + shown, stamp)
        except DataError as error:
            raise StoreError(f"{error}; the store does not keep its frames: {MEND}") from error
        if found is None:
            path = media.paths[shown] if isinstance(media, Images) else media.path
            raise StoreError(f"{path} has changed since the store was prepared from it: {MEND}")
        return found

    def _film(self, path: Path) -> "_Film":
        if self._process != os.getpid():  # the place in an open file is shared with the parent
            self._films, self._process = OrderedDict(), os.getpid()
        if path not in self._films:
            self._films[path] = _Film(path, self._settings)
            if len(self._films) > OPEN:
                self._films.popitem(last=False)[1].close()
        self._films.move_to_end(path)
        return self._films[path]


class _Film:
    """An open video file, somewhere in which the next frame is."""

    def __init__(self, path: Path, settings: FrameSettings) -> None:
        self._path, self._scaler = path, Scaler(settings)
        self._closing = ExitStack()
        self._container, self._stream = self._closing.enter_context(opened(path))
        unit, rate = self._stream.time_base, self._stream.average_rate
        self._reach = REACH / float(unit * rate) if unit and rate else 0.0
        self._next: Iterator[av.VideoFrame] = iter(())
        self._last: int | None = None
        self._pixels: np.ndarray | None = None
        self._shots: Iterator[Shot] = iter(())
        self._shot: Shot | None = None

    def close(self) -> None:
        self._closing.close()

    def frame(self, index: int, stamp: int) -> np.ndarray | None:
        """A frame by its timestamp or, where it has none, its index; None if there is none."""
        if stamp == NOTHING:
            return self._counted(index)
        if self._last != stamp or self._pixels is None:
            self._pixels = self._found(stamp)
        return self._pixels

    def _found(self, stamp: int) -> np.ndarray | None:
        near = self._last is not None and self._last < stamp <= self._last + self._reach
        found = self._on_to(stamp) if near else None
        for start in (stamp, None):
            if found is None:  # a seek may land too late where a file has no index
                self._seek(start)
                found = self._on_to(stamp)
        return found

    def _on_to(self, stamp: int) -> np.ndarray | None:
        for frame in self._next:
            self._last = frame.pts
            if frame.pts == stamp:
                return self._scaler(frame, self._path)
            if frame.pts is not None and frame.pts > stamp:
                break
        return None

    def _seek(self, stamp: int | None) -> None:
        """Go to the key frame before a timestamp; to the first frame if None."""
        import av

        self._last, self._next = None, iter(())
        if stamp is None:
            closing = ExitStack()
            self._container, self._stream = closing.enter_context(opened(self._path))
            self._closing.close()
            self._closing = closing
        else:
            try:
                self._container.seek(stamp, stream=self._stream)
            except av.FFmpegError:
                return  # nothing follows: what is looked for is found from the first frame on
        self._next = decoding(self._container, self._stream, lambda: None)

    def _counted(self, index: int) -> np.ndarray | None:
        if self._shot is None or self._shot.index > index:
            self._shots = VideoFile(self._path).shots(self._scaler)
            self._shot = next(self._shots, None)
        while self._shot is not None and self._shot.index < index:
            self._shot = next(self._shots, None)
        found = self._shot is not None and self._shot.index == index
        return self._shot.pixels() if found and self._shot is not None else None
