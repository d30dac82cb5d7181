"""Small label tables and arrays of a source, with errors that name the line and the mend."""

import csv
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np

from bandpass.data.series import DataError
from bandpass.data.video.recording import Event


@dataclass(frozen=True)
class Raw:
    """The folder that a source reads.

    Attributes:
        folder: What ``--raw`` named.
        home: Where the original is downloaded.
        layout: The layout that is expected.
    """

    folder: Path
    home: str
    layout: str

    def file(self, name: str) -> Path:
        """Return the file of that name; DataError, with home and layout, if it is not there."""
        path = self.folder / name
        if path.is_file():
            return path
        raise DataError(
            f"{path}: no such file; get it from {self.home}. Expected the layout\n{self.layout}"
        )


@dataclass(frozen=True)
class Line:
    """One line of a table with a header.

    Attributes:
        path: The file.
        number: Line in the file, the header being line 1.
        cells: What stands in the columns, by their names.
    """

    path: Path
    number: int
    cells: dict[str, str]

    def wrong(self, what: str) -> DataError:
        """Return an error that names the line."""
        return DataError(f"{self.path}: line {self.number}: {what}")

    def text(self, column: str) -> str:
        """Return the cell; DataError if it is empty."""
        if not self.cells[column]:
            raise self.wrong(f"{column} is empty")
        return self.cells[column]

    def real(self, column: str) -> float:
        """Return the cell as a finite number; DataError if it is none."""
        try:
            value = float(self.cells[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.wrong(f"{column}={self.cells[column]!r} is not a number")
        return value

    def whole(self, column: str) -> int:
        """Return the cell as a whole number; DataError if it is none."""
        try:
            return int(self.cells[column])
        except ValueError:
            what = f"{column}={self.cells[column]!r} is not a whole number"
            raise self.wrong(what) from None


def lines(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    """Yield the lines of a comma-separated UTF-8 table with a header; empty lines are passed over.

    Args:
        path: The file.
        columns: Columns that it must have; it may have more.

    Raises:
        DataError: If it is empty, is not UTF-8, lacks a column or has a line of another length.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            header = [name.strip() for name in next(reader, [])]
            missing = [name for name in columns if header.count(name) != 1]
            if missing:
                commas = "; put commas between" if any(set(";\t") & set(h) for h in header) else ""
                raise DataError(
                    f"{path}: line 1: must name {', '.join(columns)} once each; {missing[0]!r} is "
                    f"missing or there twice in: {', '.join(header)}{commas}"
                )
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    what = f"{len(cells)} values under {len(header)} columns"
                    raise DataError(f"{path}: line {reader.line_num}: {what}")
                values = (cell.strip() for cell in cells)
                yield Line(path, reader.line_num, dict(zip(header, values, strict=True)))
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from error
        except csv.Error as error:
            raise DataError(f"{path}: line {reader.line_num}: {error}; mend the file") from error


def arrays(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """Return the named arrays of an ``.npz`` file.

    Raises:
        DataError: If it cannot be read or holds no array of a name.
    """
    if not is_zipfile(path):
        raise DataError(f"{path}: not a whole .npz; download it again")
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file]
            found = [file[name] for name in names if name in file]
    except (ValueError, EOFError, OSError, BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not a readable .npz: {error}; download it again") from error
    if missing:
        raise DataError(f"{path}: holds no array {missing[0]!r}; download it again")
    return found


def flagged(flags: np.ndarray, fps: float, label: str, track: str) -> tuple[Event, ...]:
    """Return an event for every run of True among the (S,) flags of frames."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    starts, stops = edges[::2].tolist(), edges[1::2].tolist()
    return tuple(Event(a / fps, b / fps, label, track) for a, b in zip(starts, stops, strict=True))
