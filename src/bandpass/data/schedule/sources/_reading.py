"""Reading raw files, plain or gzip, with errors that name the file and how far it was good."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from io import BufferedIOBase
from pathlib import Path

from bandpass.data.schedule.record import Malformed
from bandpass.data.series import DataError

LONGEST = 32 * 2**20
"""Bytes of a line. A longer one means that the file is something else, and would fill memory."""

_BLOCK = 2**16
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Unusable(Exception):
    """A record that is left out; the text is the reason, one of a few, without the record's own."""


def found(folder: Path, *endings: str) -> list[Path]:
    """Whatever is called ``*.ending`` or ``*.ending.gz`` in a folder and below, by path.

    Hidden ones are passed over. A directory of such a name is listed, for its reading to fail.
    """
    names = tuple(name for ending in endings for name in (ending, f"{ending}.gz"))
    return sorted(
        path
        for path in folder.rglob("*")
        if path.name.endswith(names)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def objects(path: Path, malformed: Malformed) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the JSON object of every line with its number, from 1; blank lines are passed over.

    Raises:
        DataError: As `lines`; if orjson is not installed.
    """
    needs("orjson")
    import orjson

    loads = orjson.loads
    for number, line in lines(path):
        try:
            value = loads(line)
        except orjson.JSONDecodeError:
            if line.strip():
                malformed.add(f"{path.name}:{number}", "not JSON")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            malformed.add(f"{path.name}:{number}", "not a JSON object")


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield every line with its number, from 1, without its line end; blank lines too.

    Whether the file is gzip is seen by its first bytes, whatever its name. A line that the end of
    damaged data cuts in two is not yielded.

    Raises:
        DataError: If the path is no readable file, it has no bytes, its gzip data are cut short or
            damaged, or a line is longer than ``LONGEST``; names the file and the last good line.
    """
    number, rest = 0, b""
    try:
        with _opened(path) as stream:
            block = stream.read1(_BLOCK).removeprefix(_BOM)
            while block:
                *whole, rest = (rest + block).split(b"\n")
                for line in whole:
                    number += 1
                    yield number, line.removesuffix(b"\r")
                if len(rest) > LONGEST:
                    raise DataError(
                        f"{path}: line {number + 1} is longer than {LONGEST} bytes; "
                        "write one record a line"
                    )
                block = stream.read1(_BLOCK)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error, f" after line {number}") from error
    if rest:
        yield number + 1, rest.removesuffix(b"\r")


def document(path: Path) -> bytes:
    """All bytes of a file that is small enough to be held, unpacked if it is gzip.

    Raises:
        DataError: If the path is no readable file, it has no bytes, or its gzip data are cut short
            or damaged; names the file.
    """
    try:
        with _opened(path) as stream:
            return stream.read().removeprefix(_BOM)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def moment(text: object) -> datetime:
    """Parse an ISO 8601 date or time, aware if it names a zone, midnight if it is a date only.

    Raises:
        ValueError: If it is no text or no date of the years 1 to 9999.
    """
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no text")
    return datetime.fromisoformat(text.strip())


def needs(module: str) -> None:
    """Check that a parser of the extra ``schedule`` is installed, before it is imported.

    Raises:
        DataError: If it is not; says how to install it.
    """
    try:
        import_module(module)
    except ImportError as error:
        raise DataError(
            f"reading this source needs {module}: pip install 'bandpass[schedule]'"
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[BufferedIOBase]:
    with path.open("rb") as file:
        head = file.peek(len(_GZIP))
        if not head:
            raise DataError(f"{path}: is empty; download the file again")
        if head.startswith(_GZIP):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        else:
            yield file


def _unreadable(path: Path, error: Exception, far: str = "") -> DataError:
    """What to tell of a file that could not be read, or not further than ``far``."""
    if isinstance(error, IsADirectoryError):
        return DataError(f"{path}: is a directory, not a file; put the file itself there")
    if isinstance(error, OSError) and error.errno is not None:
        return DataError(f"{path}: cannot be read{far}: {error.strerror}")
    what = "ends too early" if isinstance(error, EOFError) else "is damaged"
    return DataError(f"{path}: the gzip data {what}{far}; download the file again")
