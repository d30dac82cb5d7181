"""Frames that are image files."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from bandpass.data.series import DataError
from bandpass.data.video.recording import Images
from bandpass.data.video.resample import Shot
from bandpass.data.video.scaling import Scaler


class ImageFiles:
    """Image files as the frames of a video.

    Args:
        media: The files, and how many are a second.

    Attributes:
        unreadable: Those that are none.
        sizes: (width, height) of those that were read, in the order they came up.
    """

    def __init__(self, media: Images) -> None:
        self._media = media
        self.unreadable: list[Path] = []
        self.sizes: dict[tuple[int, int], None] = {}

    def shots(self, scaler: Scaler) -> Iterator[Shot]:
        """Yield every file; those that no row shows are not read."""
        for index in range(len(self._media.paths)):
            yield Shot(index, index / self._media.fps, partial(self.pixels, scaler, index))

    def notes(self) -> Iterator[str]:
        """What is worth a line, once they were read."""
        if self.unreadable:
            names = ", ".join(path.name for path in self.unreadable[:3])
            more = ", ..." if len(self.unreadable) > 3 else ""
            yield f"{len(self.unreadable):,} images cannot be read: {names}{more}"
        if len(self.sizes) > 1:
            first, second = (f"{w} x {h}" for w, h in list(self.sizes)[:2])
            yield f"images are of {len(self.sizes)} sizes, {first} and {second} among them"

    def pixels(self, scaler: Scaler, index: int) -> np.ndarray | None:
        """(height, width, colours) uint8 of a file; None if it is no image.

        Raises:
            DataError: If there is no such file, or its pixels cannot be scaled.
        """
        import av

        path = self._media.paths[index]
        try:
            # As bytes: of a path FFmpeg would take %03d for a pattern of many.
            with av.open(io.BytesIO(path.read_bytes()), "r") as container:
                frame = next(container.decode(video=0))
        except (av.FFmpegError, StopIteration, IndexError):
            self.unreadable.append(path)
            return None
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        self.sizes[frame.width, frame.height] = None
        return scaler(frame, path)
