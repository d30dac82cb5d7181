"""Rows parted by hash on disk, so that equal hashes meet without all rows in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bandpass.data.atomic import writing

ROWS = 1 << 17
"""Rows of a bucket, about, unless there are more than ``ROWS << _MOST_BITS`` in all."""

_MOST_BITS = 7  # some systems let a process open 256 files


class Buckets:
    """Rows in the order of the leading bits of a hash, and else in the order in which they came.

    Args:
        folder: An empty folder; what is in it is of no use afterwards.
        dtype: Of the rows.
        key: The field with the hash, uint64.
        expected: Number of rows, about.
    """

    def __init__(self, folder: Path, dtype: np.dtype, key: str, expected: int) -> None:
        self._dtype, self._key = dtype, key
        self._bits = min((expected // ROWS).bit_length(), _MOST_BITS)
        self._paths = [folder / f"{number}.rows" for number in range(1 << self._bits)]
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._files = [open(path, "w+b") for path in self._paths]

    def add(self, rows: np.ndarray) -> None:
        """Append rows, a block of them at a time.

        Raises:
            StoreError: If the disk does not take them.
        """
        # In two shifts: a shift by all 64 bits, when there is one bucket, is not defined.
        bucket = ((rows[self._key] >> np.uint64(1)) >> np.uint64(63 - self._bits)).astype(np.uint8)
        rows = rows[np.argsort(bucket, kind="stable")]
        stops = np.cumsum(np.bincount(bucket, minlength=len(self._files)))
        with writing(self._paths[0]):
            for file, piece in zip(self._files, np.split(rows, stops[:-1]), strict=True):
                file.write(piece.tobytes())

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the rows of one bucket after the other and remove each; none twice."""
        for path, file in zip(self._paths, self._files, strict=True):
            with writing(path), file:
                file.seek(0)  # flushes, too
                rows = np.fromfile(file, self._dtype)
            path.unlink()
            yield rows

    def abandon(self) -> None:
        """Close the files, however far they are."""
        for file in self._files:
            try:
                file.close()
            except OSError:  # what it still held does not fit on the disk, and is not needed
                pass
