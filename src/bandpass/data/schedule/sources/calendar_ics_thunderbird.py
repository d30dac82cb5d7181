"""Thunderbird's holiday calendars, or any others in iCalendar files."""

import math
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bandpass.data.schedule.record import Malformed, Record, ScheduleSource, participants, when
from bandpass.data.schedule.sources import _icalendar
from bandpass.data.schedule.sources._reading import Unusable, found, needs
from bandpass.data.schedule.tokens import CALENDAR, DAY, HOLIDAY

if TYPE_CHECKING:
    from icalendar import Component

LAYOUT = """RAW/calendar_ics_thunderbird/NAME.ics[.gz]  one calendar a file, as USHolidays.ics,
                                            or several one after the other"""

MOST_OCCURRENCES = 500
"""Of one event that recurs."""

LONGEST = timedelta(days=366)
"""That an event may last."""

_A_DAY = {"HOURLY": 24, "MINUTELY": 24 * 60, "SECONDLY": 24 * 60 * 60}
"""Occurrences of a frequency that an EXDATE of a whole day can take away; of others, one."""


def files(folder: Path) -> list[Path]:
    """Every calendar."""
    return found(folder, ".ics")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every occurrence of every event that is not cancelled.

    - An event of whole days is a holiday: one record from its first midnight to its last, a day at
      least. Its days are taken as written, whatever zone or hour its end may name.
    - A time goes to UTC from its own zone, summer time and all, and is taken as written if it has
      none. ``X-WR-TIMEZONE`` moves nothing: it is the zone that a calendar is shown in.
    - What recurs without end goes on to the end of the last year that a DTSTART or UNTIL of the
      file names. After ``MOST_OCCURRENCES`` it is cut, and counted once as malformed.
    - To-dos, journals, texts and priorities are passed over. Attendees are the participants.

    The owner is the calendar. An id is the UID of the event (or its line, if it has none) and the
    date that it recurs on: the original one, where it was moved.

    Args:
        path: The file. What recurs in it is held in memory, the rest is not.
        malformed: Gets events that are cut short, start at no time, end before they start or last
            longer than a year (``LONGEST``), and those of an unknown time zone or a
            recurrence that cannot be followed.

    Raises:
        DataError: If the file holds no calendar, or cannot be read to its end.
    """
    needs("icalendar")
    needs("recurring_ical_events")
    _icalendar.know_zones(path)
    project, last = f"p:{path.name.partition('.ics')[0]}", 0
    recurring: dict[str, tuple[str, list[Component]]] = {}
    for number, content in _icalendar.components(path, b"VEVENT"):
        place = f"{path.name}:{number}"
        try:
            event = _icalendar.event(content)
            uid = str(event.get("UID", "")).strip() or place
            record = _record(event, uid, project)
            last = max(last, *_years(event))
        except Unusable as reason:
            malformed.add(place, str(reason))
            continue
        if any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID")):
            recurring.setdefault(uid, (place, []))[1].append(event)
        elif not _is_cancelled(event):
            yield record
    for uid, (place, events) in recurring.items():
        try:
            for event in _occurrences(events, last):
                yield _record(event, uid, project)
        except Unusable as reason:
            malformed.add(place, str(reason))


def _record(event: "Component", uid: str, project: str) -> Record:
    start = _icalendar.start(event)
    original = _icalendar.time(event, "RECURRENCE-ID")
    if original is None or "RANGE" in event["RECURRENCE-ID"].params:  # all after it name it too
        original = start
    timed = isinstance(start, datetime)
    day, minute = when(start if timed else _midnight(start))
    attendees = event.get("ATTENDEE", [])
    return Record(
        id=f"{uid}/{original.isoformat()}",
        actors=(project,),
        day=day,
        minute=minute,
        minutes=_minutes(event),
        what=CALENDAR if timed else CALENDAR | HOLIDAY,
        priority=0,
        participants=participants(len(attendees) if isinstance(attendees, list) else 1),
        text=0,
        completion=0,
        confidence=1,
    )


def _minutes(event: "Component") -> int:
    """How long an event lasts: whole days of one of whole days, one at least."""
    start, end = _icalendar.start(event), _icalendar.time(event, "DTEND")
    length: object = timedelta()
    if end is not None:
        length = _utc(end) - _utc(start)
    elif "DURATION" in event:
        length = _icalendar.value(event["DURATION"])
    if not isinstance(length, timedelta):
        raise Unusable("not a duration")
    if length < timedelta():
        raise Unusable("end before start")
    if length > LONGEST:
        raise Unusable("longer than a year")
    if isinstance(start, datetime):
        return math.ceil(length / timedelta(minutes=1))
    return max(math.ceil(length / timedelta(days=1)), 1) * DAY


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _utc(day: date) -> datetime:
    """A date or time, without a zone: of UTC if it knows its own, else as it is written."""
    moment = day if isinstance(day, datetime) else _midnight(day)
    if moment.tzinfo is not None:
        with suppress(OverflowError):  # at an edge of the calendar, as in `when`
            moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None)


def _is_cancelled(event: "Component") -> bool:
    return str(event.get("STATUS", "")).strip().upper() == "CANCELLED"


def _rules(event: "Component") -> list[dict[str, list[object]]]:
    """The recurrence rules of an event, their values by name."""
    field = event.get("RRULE", [])
    rules = field if isinstance(field, list) else [field]
    if any(rule.get("INTERVAL") == [0] for rule in rules):
        raise Unusable("recurrence not understood")  # it would never move on
    return rules


def _years(event: "Component") -> list[int]:
    """The years that the DTSTART and the UNTIL of an event name."""
    until = [end for rule in _rules(event) for end in rule.get("UNTIL", [])]
    return [_icalendar.start(event).year] + [end.year for end in until if isinstance(end, date)]


def _occurrences(events: list["Component"], last: int) -> Iterator["Component"]:
    """Yield the occurrences of the events of one UID, the changed ones as they were changed to.

    Args:
        events: One that recurs, and those that change an occurrence of it. Changes alone, in a file
            that is part of another, are occurrences themselves.
        last: Year with which a recurrence without end ends.
    """
    from icalendar import Calendar
    from recurring_ical_events import of

    if all("RECURRENCE-ID" in event for event in events):
        yield from (event for event in events if not _is_cancelled(event))
        return
    rules = [rule for event in events for rule in _rules(event)]
    endless = any("COUNT" not in rule and "UNTIL" not in rule for rule in rules)
    _shorten(events)
    calendar = Calendar()
    try:
        for event in events:
            calendar.add_component(_settled(event))
        # Two days early, as what was moved may have gone to a zone that is far ahead.
        first = min(_utc(_icalendar.start(event)) for event in events) - timedelta(days=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of COUNT beside UNTIL
            query = of(calendar)
        for count, event in enumerate(query.after(first)):
            if endless and _icalendar.start(event).year > last:
                return
            if count == MOST_OCCURRENCES:
                raise Unusable("recurrence cut")
            if not _is_cancelled(event):
                yield event
    except _icalendar.MISREAD:
        raise Unusable("recurrence not understood") from None


def _shorten(events: list["Component"]) -> None:
    """Have rules end soon after ``MOST_OCCURRENCES``: a day is expanded at once, in seconds too."""
    dates = [date for event in events for date in _left_out(event)]
    for rule in (rule for event in events for rule in _rules(event)):
        a_day = _A_DAY.get(str(rule.get("FREQ", [""])[0]).upper(), 1)
        gone = sum(1 if isinstance(date, datetime) else a_day for date in dates)
        most = MOST_OCCURRENCES + 1 + len(events) + gone
        count = rule.get("COUNT", [most])[0]
        rule["COUNT"] = [min(count, most) if isinstance(count, int) and count >= 0 else most]


def _left_out(event: "Component") -> list[object]:
    """The dates and times of its EXDATE."""
    field = event.get("EXDATE", [])
    lists = field if isinstance(field, list) else [field]
    return [entry.dt for some in lists for entry in some.dts]


def _settled(event: "Component") -> "Component":
    """An event, at the end of a day if it is of whole days: it would recur as hours otherwise."""
    from icalendar.prop import vDDDTypes

    start = _icalendar.start(event)
    if not isinstance(start, datetime):
        event["DTEND"] = vDDDTypes(start + timedelta(minutes=_minutes(event)))
        event.pop("DURATION", None)
    return event


SOURCE = ScheduleSource(
    name="calendar_ics_thunderbird",
    title="Thunderbird's holiday calendars, public holidays of some hundred countries and regions",
    licence="none stated; volunteers wrote the calendars, calendars.json names them",
    home="https://www.thunderbird.net/calendar/holidays/",
    layout=LAYOUT,
    files=files,
    read=read,
)
