"""Flat .npy columns: appended to and hashed while written, memory-mapped afterwards."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from bandpass.data.atomic import writing
from bandpass.data.manifest import MEND, StoreError


class Columns:
    """The columns of a store, read-only memory maps by name.

    Opened on first use and dropped on pickling, so that every loader worker maps the files itself.

    Args:
        path: The store.
        entries: Of its manifest, by name.
    """

    def __init__(self, path: Path, entries: dict[str, Any]) -> None:
        self._path, self._entries = path, entries
        self._open: dict[str, np.ndarray] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}

    def __getitem__(self, name: str) -> np.ndarray:
        """Map a column.

        Raises:
            StoreError: If there is none of that name.
        """
        if name not in self._entries:
            has = ", ".join(self._entries)
            raise StoreError(f"{self._path} has no column {name!r}, it has {has}")
        if name not in self._open:
            self._open[name] = np.load(self._path / f"{name}.npy", mmap_mode="r")
        return self._open[name]

    def verify(self) -> None:
        """Read every column again and compare the hashes with the manifest.

        Raises:
            StoreError: If one differs; names it.
        """
        for name, entry in self._entries.items():
            if _hash(self[name]) != entry["sha256"]:
                raise StoreError(
                    f"{self._path / name}.npy has changed since it was written: {MEND}"
                )


class ColumnWriter:
    """One .npy file of (rows, *width) that grows at its end.

    The header is written with the room numpy leaves for a growing first axis, and rewritten with
    the final number of rows on `close`. Unbuffered, so that a full disk is noticed by `append`.

    Args:
        path: The file, ending in ``.npy``.
        dtype: Of the column.
        width: Shape of one row.

    Attributes:
        rows: Rows written so far.
    """

    def __init__(self, path: Path, dtype: np.dtype, width: tuple[int, ...] = ()) -> None:
        self.rows = 0
        self.width = width
        self._path, self._dtype = path, dtype
        self._digest = hashlib.sha256()
        with writing(path):
            self._file = open(path, "wb", buffering=0)
        try:
            self._write(self._header())
        except BaseException:
            self.abandon()
            raise

    def append(self, rows: np.ndarray) -> None:
        """Write rows (n, *width) at the end."""
        data = np.asarray(rows, self._dtype).tobytes()
        self._digest.update(data)
        self._write(data)
        self.rows += len(rows)

    def fill(self, rows: int, value: float, block: int = 1 << 16) -> None:
        """Append rows that hold nothing but ``value``."""
        for start in range(0, rows, block):
            self.append(np.full((min(block, rows - start), *self.width), value, self._dtype))

    def close(self) -> dict[str, Any]:
        """Finish the header and return the manifest entry: dtype, shape, bytes and sha256."""
        with writing(self._path):
            size = self._file.tell()
            self._file.seek(0)
        self._write(self._header())
        self.abandon()
        return {
            "dtype": self._dtype.name,
            "shape": [self.rows, *self.width],
            "bytes": size,
            "sha256": self._digest.hexdigest(),
        }

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def _header(self) -> bytes:
        header = io.BytesIO()
        shape = (self.rows, *self.width)
        descr = npy.dtype_to_descr(self._dtype)
        entry = {"descr": descr, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(header, entry)
        return header.getvalue()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        with writing(self._path):
            while view:
                view = view[self._file.write(view) :]


def _hash(column: np.ndarray, block: int = 1 << 16) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(column), block):
        digest.update(column[start : start + block].tobytes())
    return digest.hexdigest()
