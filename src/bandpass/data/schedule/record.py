"""What an adapter yields: one raw record in plain numbers, without a word of its text."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

EPOCH = date(1970, 1, 1).toordinal()
UNDATED = -(2**31)
"""Day of a record that is of no day; its actors have no actor_day of it."""

LAST_DAY = date.max.toordinal() - EPOCH
"""The last of year 9999: what lasts longer ends with it."""

MOST_PEOPLE = 25
MOST_TEXT = 2000
SAMPLES = 20


class Record(NamedTuple):
    """One raw record: who, when, what.

    Attributes:
        id: Unique in its dataset; only a keyed hash of it is kept.
        actors: Whose day it is part of, people and projects, each with a prefix that says what it
            is (``u:``, ``p:``); the first is the owner of the record window. Only keyed hashes of
            them are kept. May be empty.
        day: Days since 1970-01-01 in UTC, or ``UNDATED``.
        minute: Of the day at which it starts, 0 .. 1439.
        minutes: How long it lasts, 0 for a point in time. More than the rest of its day continues
            on the days after.
        what: Sum of the flags of `tokens`: ``CALENDAR | HOLIDAY``, ...
        priority: 0 lowest or unknown, 1 highest.
        participants: `participants` of the people involved.
        text: `text` of the characters of its texts.
        completion: 1 done, 0 not, or the share that is done.
        confidence: How far the source can be trusted to mean what the slot says.
    """

    id: str
    actors: tuple[str, ...]
    day: int
    minute: int
    minutes: int
    what: int
    priority: float
    participants: float
    text: float
    completion: float
    confidence: float


def participants(people: int) -> float:
    """People involved, 0 to 1: a part of ``MOST_PEOPLE``."""
    return min(people / MOST_PEOPLE, 1.0)


def text(characters: int) -> float:
    """Length of a record's texts, 0 to 1: a part of ``MOST_TEXT`` characters."""
    return min(characters / MOST_TEXT, 1.0)


def when(moment: datetime) -> tuple[int, int]:
    """Day and minute of a moment: of UTC if it knows its zone, else as it is written."""
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:  # past year 1 or 9999 in UTC: its zone is not applied
            moment = moment.replace(tzinfo=None)
    return moment.toordinal() - EPOCH, moment.hour * 60 + moment.minute


def span(start: datetime, end: datetime) -> int:
    """Whole minutes from start to end, rounded up; negative if the end is before the start."""
    return math.ceil((end - start).total_seconds() / 60)


@dataclass
class Malformed:
    """Records that could not be read: how many by reason, and the first few in full.

    Attributes:
        counts: Number by reason.
        samples: (place, reason) of the first ``SAMPLES``; a place is a line or an id, never text.
    """

    counts: dict[str, int] = field(default_factory=dict)
    samples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, reason: str) -> None:
        """Count one record that is left out."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if len(self.samples) < SAMPLES:
            self.samples.append((place, reason))


@dataclass(frozen=True)
class ScheduleSource:
    """One public dataset of schedules or work activity.

    Attributes:
        name: What ``--dataset`` calls it, and its folder under ``--raw``.
        title: One line on what it holds.
        licence: Licence of the data, as its publishers state it.
        home: Where the original is downloaded.
        layout: The files expected in its folder.
        files: ``files(folder)`` lists the raw files in the order in which they are read; the first
            of two records of one id wins.
        read: ``read(file, malformed)`` yields the records of one file. What cannot be read goes to
            ``malformed``, with its reason.
        blocked: Why nothing can be read, for a source that has no public data; else empty.
    """

    name: str
    title: str
    licence: str
    home: str
    layout: str
    files: Callable[[Path], list[Path]]
    read: Callable[[Path, Malformed], Iterator[Record]]
    blocked: str = ""
