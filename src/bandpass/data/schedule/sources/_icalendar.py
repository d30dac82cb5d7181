"""Reading iCalendar files (RFC 5545) one component at a time, so that a broken one is but one."""

import warnings
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bandpass.data.schedule.sources._reading import Unusable, lines
from bandpass.data.series import DataError

if TYPE_CHECKING:
    from icalendar import Component

MISREAD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the parsers raise at what they do not expect; there is no list of it."""


def components(path: Path, name: bytes) -> Iterator[tuple[int, str]]:
    """Yield the first line and the text of every component of this name, of any calendar in a file.

    One without an end has no text.

    Raises:
        DataError: If the file cannot be read to its end, or holds no calendar.
    """
    begin, end, calendars = b"BEGIN:" + name, b"END:" + name, 0
    first = 0
    inside: list[bytes] = []
    for number, line in _unfolded(path):
        mark = line.strip().upper()
        calendars += mark == b"BEGIN:VCALENDAR"
        if inside and mark in (begin, b"END:VCALENDAR"):
            yield first, ""
            inside.clear()
        if mark == begin:
            first = number
            inside.append(line)
        elif inside:
            inside.append(line)
            if mark == end:
                yield first, b"\n".join(inside).decode(errors="replace")
                inside.clear()
    if inside:
        yield first, ""
    if not calendars:
        raise DataError(f"{path}: no BEGIN:VCALENDAR in it; export the calendar as iCalendar")


def know_zones(path: Path) -> None:
    """Have the parser know the time zones that this file defines, and those of no other."""
    from icalendar import Timezone
    from icalendar.timezone import tzp

    tzp.use(tzp.name)  # forgets what was defined
    for _, content in components(path, b"VTIMEZONE"):
        try:
            Timezone.from_ical(content)
        except MISREAD:
            continue  # its events will be counted as of an unknown zone


def event(content: str) -> "Component":
    """Parse the text of an event.

    Raises:
        Unusable: If it is none, or does not say when it recurs though it does.
    """
    from icalendar import Event

    if not content:
        raise Unusable("event without an end")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that /vendor.org/Europe/Rome is taken for Rome
            parsed = Event.from_ical(content)
    except MISREAD:
        raise Unusable("not an event") from None
    if {name for name, _ in parsed.errors} & {"RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}:
        raise Unusable("recurrence not understood")
    return parsed


def time(event: "Component", name: str) -> date | None:
    """The date, or date and time, that an event has under this name, if there is one.

    Raises:
        Unusable: If it is no date, or of a zone that neither the file nor the world knows.
    """
    field = event.get(name)
    if field is None:
        return None
    found = value(field)
    if not isinstance(found, date):
        raise Unusable("not a date")
    if isinstance(found, datetime) and found.tzinfo is None and "TZID" in field.params:
        raise Unusable("unknown time zone")
    return found


def start(event: "Component") -> date:
    """The date, or date and time, at which an event starts.

    Raises:
        Unusable: As `time`; if there is none.
    """
    found = time(event, "DTSTART")
    if found is None:
        raise Unusable("no start")
    return found


def value(field: object) -> object:
    """What the parser made of a field; None if it is broken, or there are several of its name."""
    try:
        return getattr(field, "dt", None)
    except ValueError:
        return None


def _unfolded(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines as they were before they were folded, each with the number of its first part."""
    first = 0
    parts: list[bytes] = []
    for number, line in lines(path):
        if parts and line[:1] in (b" ", b"\t"):
            parts.append(line[1:])
            continue
        if parts:
            yield first, b"".join(parts)
        first, parts = number, [line]
    yield first, b"".join(parts)
