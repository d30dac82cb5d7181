"""Reading tab-separated text with a header, row by row."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bandpass.data.schedule.record import Malformed
from bandpass.data.schedule.sources._reading import lines
from bandpass.data.series import DataError


def rows(
    path: Path, columns: Sequence[str], malformed: Malformed
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield every row, by column, with the number of its line; quotes are characters like others.

    Rows that are not UTF-8 or have more or fewer fields than the header are malformed.

    Raises:
        DataError: As `lines`; if the header lacks one of ``columns``.
    """
    header: list[str] = []
    for number, line in lines(path):
        if not line.strip():
            continue
        try:
            fields = line.decode().split("\t")
        except UnicodeDecodeError:
            malformed.add(f"{path.name}:{number}", "not UTF-8")
            continue
        if not header:
            header = fields
            _require(columns, header, path)
        elif len(fields) != len(header):
            malformed.add(f"{path.name}:{number}", "wrong number of fields")
        else:
            yield number, dict(zip(header, fields, strict=True))


def _require(columns: Sequence[str], header: list[str], path: Path) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataError(
            f"{path}: the header has no {', '.join(missing)}; it must name {', '.join(columns)}"
        )
