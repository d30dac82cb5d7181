"""A source of plain lines, so that a test says in a word what its raw files hold."""

from collections.abc import Iterator
from pathlib import Path

from bandpass.data.schedule.record import Malformed, Record, ScheduleSource
from bandpass.data.schedule.tokens import TASK
from bandpass.data.series import DataError


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.txt"))


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """A record is "id actors day minute minutes"; "?" is malformed and "!" is damage."""
    for number, line in enumerate(path.read_text().splitlines()):
        if line == "?":
            malformed.add(f"{path.name}:{number}", "a question mark")
        elif line == "!":
            raise DataError(f"{path}: is damaged after line {number}")
        else:
            name, actors, *numbers = line.split()
            who = () if actors == "-" else tuple(actors.split(","))
            day, minute, minutes = map(int, numbers)
            yield Record(name, who, day, minute, minutes, TASK, 0.5, 0.0, 0.1, 0.0, 0.8)


def source(name: str, **more: str) -> ScheduleSource:
    return ScheduleSource(name, "Lines", "MIT", "https://x.org", "*.txt", files, read, **more)
