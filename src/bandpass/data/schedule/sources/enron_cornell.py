"""Cornell's email-Enron: every mail as the set of employees on it and a time."""

from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

from bandpass.data.schedule.record import EPOCH, Malformed, Record, ScheduleSource, participants
from bandpass.data.schedule.sources._reading import found, lines
from bandpass.data.schedule.tokens import EMAIL
from bandpass.data.series import DataError

LAYOUT = """RAW/enron_cornell/NAME-nverts.txt[.gz]   number of people on each mail, a line each
RAW/enron_cornell/NAME-simplices.txt[.gz]  who they are, one after the other
RAW/enron_cornell/NAME-times.txt[.gz]      when each was sent, in milliseconds since 0001-01-01
                for NAME email-Enron, email-Enron-full or both"""

_MINUTE = 60 * 1000  # milliseconds
_DAY = 24 * 60 * _MINUTE
_FIRST, _LAST = 1, 3_652_059
"""Days of the calendar as ``date.toordinal`` counts them: 0001-01-01 and 9999-12-31."""


def files(folder: Path) -> list[Path]:
    """The nverts file of every variant; `read` finds the other two beside it."""
    return found(folder, "-nverts.txt")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every simplex as a mail among its vertices.

    The data do not mark the sender: the owner is the vertex that is named first. An id is the name
    of the variant and the number of the simplex, from 1; a vertex is the same person in both.

    Args:
        path: ``<name>-nverts.txt``.
        malformed: Gets simplices of no vertex, and those of a time outside the years 1 to 9999.

    Raises:
        DataError: If one of the three files is missing, cannot be read to its end or holds a line
            that is no number, or if they are not equally long.
    """
    name = path.name.partition("-nverts.txt")[0]
    simplices, times = _beside(path, f"{name}-simplices"), _beside(path, f"{name}-times")
    vertices = _numbers(simplices)
    number = 0
    for number, (size, time) in enumerate(zip_longest(_numbers(path), _numbers(times)), 1):
        if size is None or time is None:
            raise _uneven(path if size is None else times, number - 1)
        people = list(islice(vertices, max(size, 0)))
        if len(people) < size:
            raise _uneven(simplices, number - 1)
        day, rest = divmod(time, _DAY)
        if not people:
            malformed.add(f"{path.name}:{number}", "no vertices")
        elif not _FIRST <= day + _FIRST <= _LAST:
            malformed.add(f"{times.name}:{number}", "date out of range")
        else:
            actors = tuple(dict.fromkeys(f"u:{vertex}" for vertex in people))
            yield Record(
                id=f"{name}/{number}",
                actors=actors,
                day=day + _FIRST - EPOCH,
                minute=rest // _MINUTE,
                minutes=0,
                what=EMAIL,
                priority=0,
                participants=participants(len(actors)),
                text=0,
                completion=0,
                confidence=0.8,
            )
    if next(vertices, None) is not None:
        raise _uneven(path, number)


def _beside(path: Path, name: str) -> Path:
    """The file of this name, plain or gzip, in the folder of another."""
    for beside in (path.with_name(f"{name}.txt"), path.with_name(f"{name}.txt.gz")):
        if beside.exists():
            return beside
    raise DataError(f"{path.with_name(name)}.txt[.gz]: no such file; {path.name} needs it")


def _numbers(path: Path) -> Iterator[int]:
    for number, line in lines(path):
        if line.strip():
            try:
                yield int(line)
            except ValueError:
                raise DataError(
                    f"{path}:{number}: not a whole number; download the file again"
                ) from None


def _uneven(path: Path, simplices: int) -> DataError:
    return DataError(
        f"{path}: ends after {simplices} simplices, and the files beside it go on; "
        "download all three again"
    )


SOURCE = ScheduleSource(
    name="enron_cornell",
    title="Cornell email-Enron, mails among the core employees as timed sets of people",
    licence="none stated; published for research, cite Benson et al. 2018",
    home="https://www.cs.cornell.edu/~arb/data/email-Enron/",
    layout=LAYOUT,
    files=files,
    read=read,
)
