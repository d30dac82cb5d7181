"""Holiday calendars: whole days, times, zones and what recurs."""

import os
import runpy
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurring_ical_events.occurrence import Occurrence

from bandpass.data.schedule.record import EPOCH, Malformed, Record
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.sources.calendar_ics_thunderbird import MOST_OCCURRENCES, SOURCE
from bandpass.data.schedule.tokens import CALENDAR, EMPTY, FEATURES, HOLIDAY, dense
from bandpass.data.series import DataError

made = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))
write, event, calendar, ZONE = made["write"], made["event"], made["calendar"], made["ZONE"]

Read = Callable[..., list[Record]]


@pytest.fixture
def read(tmp_path: Path, malformed: Malformed) -> Read:
    """Read a calendar of the given components."""

    def records(*components: str) -> list[Record]:
        path = tmp_path / "calendar.ics"
        path.write_text(calendar(*components), newline="")
        return list(SOURCE.read(path, malformed))

    return records


def moments(records: list[Record]) -> list[tuple[str, int]]:
    """Day and minute of every record."""
    return [(date.fromordinal(r.day + EPOCH).isoformat(), r.minute) for r in records]


def days(records: list[Record]) -> list[str]:
    return [day for day, _ in moments(records)]


def test_the_worked_example_comes_out_exactly(read: Read) -> None:
    (record,) = read(event("new-year", "DTSTART;VALUE=DATE:20210101"))
    runs = runs_of(pack([record], Hasher(b"key", SOURCE.name)).records)
    window = dense(runs, np.zeros(1, np.int64), np.empty((1, *EMPTY.shape), np.float32))[0]
    expected = EMPTY.copy()
    for name in ("calendar_event", "holiday", "duration", "source_confidence"):
        expected[:, FEATURES.index(name)] = 1
    np.testing.assert_array_equal(window, expected)


def test_a_calendar_is_the_actor_of_its_days(tmp_path: Path, malformed: Malformed) -> None:
    write(tmp_path)
    irish, us, _ = SOURCE.files(tmp_path)
    found = list(SOURCE.read(us, malformed))
    assert days(found) == [
        *("2021-01-01", "2021-04-02", "2021-05-01", "2021-01-01"),
        *("2019-12-25", "2021-12-25"),  # to the end of the last year that the file names
    ]
    assert {r.actors for r in found} == {("p:USHolidays",)}
    assert [r.id for r in found[:3]] == [
        "new-year/2021-01-01",
        "three-days/2021-04-02",
        "USHolidays.ics:16/2021-05-01",
    ]
    assert [(r.id, r.minutes) for r in SOURCE.read(irish, malformed)] == [
        ("new-year/2021-01-01", 1440),
        ("three-days/2021-04-02", 3 * 1440),
    ]
    assert malformed.counts == {}


def test_an_event_of_hours_is_no_holiday(read: Read) -> None:
    hours, point, attended, day = read(
        event("a", "DTSTART:20210101T120000Z", "DTEND:20210101T121430Z"),
        event("b", "DTSTART:20210101T120000Z"),
        event("c", "DTSTART:20210101T120000Z", "DURATION:PT1H", "ATTENDEE:x:1", "ATTENDEE:x:2"),
        event("d", "DTSTART;VALUE=DATE:20210101", "ATTENDEE:x:1"),
    )
    assert [(r.what, r.minutes) for r in (hours, point, attended, day)] == [
        (CALENDAR, 15),  # begun minutes count
        (CALENDAR, 0),
        (CALENDAR, 60),
        (CALENDAR | HOLIDAY, 1440),
    ]
    assert (hours.participants, attended.participants, day.participants) == (0, 0.08, 0.04)


def test_floating_utc_and_zoned_times_may_be_mixed(read: Read, malformed: Malformed) -> None:
    found = read(
        "X-WR-TIMEZONE:Asia/Tokyo",
        event("floating", "DTSTART:20210701T120000", "DTEND:20210701T130000Z"),
        event("utc", "DTSTART:20210701T120000Z", "DTEND:20210701T130000"),
        event("zoned", "DTSTART;TZID=Europe/Berlin:20210701T120000", "DTEND:20210701T110000Z"),
        event("windows", "DTSTART;TZID=Eastern Standard Time:20210701T120000"),
        event("vendor", "DTSTART;TZID=/example.org/20070129_1/Asia/Tokyo:20210701T120000"),
        event("own", "DTSTART;TZID=Branch Office:20210701T120000"),
        ZONE,  # after what needs it
    )
    assert {r.id.partition("/")[0]: r.minute // 60 for r in found} == {
        "floating": 12,
        "utc": 12,
        "zoned": 10,
        "windows": 16,
        "vendor": 3,
        "own": 10,
    }
    assert [r.minutes for r in found] == [60, 60, 60, 0, 0, 0]
    assert malformed.counts == {}


def test_a_zone_is_known_in_the_file_that_defines_it_only(read: Read, malformed: Malformed) -> None:
    own = event("own", "DTSTART;TZID=Branch Office:20210701T120000")
    assert len(read(ZONE, own)) == 1
    assert read(own) == []
    assert malformed.counts == {"unknown time zone": 1}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Branch Office"])
def test_what_recurs_keeps_its_wall_clock_over_summer_time(read: Read, zone: str) -> None:
    found = read(
        ZONE,
        event(
            "standup",
            f"DTSTART;TZID={zone}:20210326T090000",
            f"DTEND;TZID={zone}:20210326T091500",
            "RRULE:FREQ=DAILY;COUNT=4",
        ),
        event("night", f"DTSTART;TZID={zone}:20210327T220000", "DTEND:20210328T040000Z"),
    )
    night, *standups = found
    assert [r.minute for r in standups] == [8 * 60, 8 * 60, 7 * 60, 7 * 60]
    assert {r.minutes for r in standups} == {15}
    assert (night.minute, night.minutes) == (21 * 60, 7 * 60)


def test_days_are_taken_as_written_whatever_ends_them(read: Read, malformed: Malformed) -> None:
    ends = {
        "DTEND;VALUE=DATE:20210101": 1,  # no day at all is one
        "DTEND;VALUE=DATE:20210103": 2,
        "DTEND:20210101T235900": 1,
        "DTEND:20210102T050001Z": 2,
        "DURATION:P1W": 7,
        "DURATION:PT36H": 2,
    }
    for end, count in ends.items():
        once = event("once", "DTSTART;VALUE=DATE:20210101", end)
        yearly = event("yearly", "DTSTART;VALUE=DATE:20210101", end, "RRULE:FREQ=YEARLY;COUNT=2")
        found = read(once, yearly)
        assert days(found) == ["2021-01-01", "2021-01-01", "2022-01-01"]
        assert {(r.minute, r.minutes, r.what) for r in found} == {
            (0, count * 1440, CALENDAR | HOLIDAY)
        }
    assert malformed.counts == {}


def test_a_recurrence_is_changed_by_its_exceptions(read: Read, malformed: Malformed) -> None:
    found = read(
        event("a", "RECURRENCE-ID:20210104T100000Z", "DTSTART:20210104T150000Z"),
        event(
            "a", "RECURRENCE-ID:20210105T100000Z", "DTSTART:20210105T100000Z", "STATUS:cancelled"
        ),
        event(
            "a",
            "DTSTART:20210101T100000Z",
            "RRULE:FREQ=DAILY;UNTIL=20210106T100000Z",
            "RDATE:20210201T100000Z",
            "EXDATE:20210102T100000Z,20210103T100000Z",
        ),
    )
    assert [(r.id[2:], r.minute) for r in found] == [
        ("2021-01-01T10:00:00+00:00", 600),
        ("2021-01-04T10:00:00+00:00", 900),
        ("2021-01-06T10:00:00+00:00", 600),
        ("2021-02-01T10:00:00+00:00", 600),
    ]
    assert malformed.counts == {}


def test_what_changes_all_that_follow_gives_each_its_own_id(read: Read) -> None:
    found = read(
        event("a", "DTSTART:20210101T100000Z", "RRULE:FREQ=DAILY;COUNT=5"),
        event(
            "a", "RECURRENCE-ID;RANGE=THISANDFUTURE:20210103T100000Z", "DTSTART:20210103T120000Z"
        ),
    )
    assert [r.minute for r in found] == [600, 600, 720, 720, 720]
    assert len({r.id for r in found}) == 5


def test_a_change_without_what_it_changes_is_an_occurrence(read: Read) -> None:
    change = event("a", "RECURRENCE-ID;VALUE=DATE:20210103", "DTSTART;VALUE=DATE:20210104")
    (record,) = read(change)
    assert (record.id, *days([record])) == ("a/2021-01-03", "2021-01-04")


def test_what_has_no_end_stops_with_the_last_year_of_the_file(read: Read) -> None:
    endless = event("a", "DTSTART;VALUE=DATE:20190704", "RRULE:FREQ=YEARLY")
    until = event("b", "DTSTART;VALUE=DATE:20190101", "RRULE:FREQ=YEARLY;UNTIL=20210101")
    assert days(read(endless)) == ["2019-07-04"]
    assert days(read(endless, until))[:3] == ["2019-07-04", "2020-07-04", "2021-07-04"]
    counted = event("c", "DTSTART;VALUE=DATE:20190704", "RRULE:FREQ=YEARLY;COUNT=9")
    assert days(read(counted))[-1] == "2027-07-04"


@pytest.mark.parametrize(
    "rule",
    [
        *("FREQ=DAILY", "FREQ=MINUTELY", "FREQ=SECONDLY", "FREQ=DAILY;COUNT=100000"),
        "FREQ=SECONDLY;UNTIL=20300101T000000Z",
    ],
)
@pytest.mark.parametrize("late", ["20300101", "99990101"])
def test_what_recurs_too_often_is_cut_without_expanding_it(
    read: Read, malformed: Malformed, monkeypatch: pytest.MonkeyPatch, rule: str, late: str
) -> None:
    made = 0
    plain = Occurrence.__init__

    def counted(self: Occurrence, *args: Any, **more: Any) -> None:
        nonlocal made
        made += 1
        plain(self, *args, **more)

    monkeypatch.setattr(Occurrence, "__init__", counted)
    start = "DTSTART;TZID=Europe/Berlin:20190101T000000"
    found = read(event("b", f"DTSTART;VALUE=DATE:{late}"), event("a", start, f"RRULE:{rule}"))
    assert len(found) == 1 + MOST_OCCURRENCES
    assert malformed.counts == {"recurrence cut": 1}
    assert MOST_OCCURRENCES < made < 4 * MOST_OCCURRENCES


def test_exceptions_do_not_count_towards_the_cut(read: Read, malformed: Malformed) -> None:
    start, rule = "DTSTART:20210101T000000Z", "RRULE:FREQ=HOURLY;COUNT=520"
    found = read(event("a", start, rule, "EXDATE;VALUE=DATE:20210102"))
    assert (len(found), malformed.counts) == (520 - 24, {})
    found = read(event("a", start, rule, "EXDATE:20210101T010000Z", "EXDATE:20210101T020000Z"))
    assert len(found) == MOST_OCCURRENCES
    assert malformed.counts == {"recurrence cut": 1}


def test_an_event_lasts_a_year_at_most(read: Read, malformed: Malformed) -> None:
    start = "DTSTART:20200101T000000Z"
    (year,) = read(event("a", start, "DURATION:P366D"), event("b", start, "DURATION:P366DT1S"))
    assert year.minutes == 366 * 1440
    assert read(event("c", "DTSTART;VALUE=DATE:20200101", "DURATION:P99999999D")) == []
    assert malformed.counts == {"longer than a year": 2}


def test_a_broken_event_loses_no_other(tmp_path: Path, malformed: Malformed) -> None:
    write(tmp_path)
    *_, broken = SOURCE.files(tmp_path)
    assert days(list(SOURCE.read(broken, malformed))) == ["0016-01-01", "9999-12-31"]
    assert malformed.counts == {
        "end before start": 2,
        "unknown time zone": 1,
        "no start": 1,
        "not a date": 2,
        "not a duration": 1,
        "recurrence not understood": 2,
        "not an event": 1,
        "event without an end": 2,
    }
    assert malformed.samples[0] == ("ZZBroken.ics:4", "end before start")


def test_the_edges_of_the_calendar_are_days(read: Read, malformed: Malformed) -> None:
    found = read(
        event("a", "DTSTART;VALUE=DATE:00010101", "DTEND;VALUE=DATE:00020101"),
        event("b", "DTSTART;TZID=America/New_York:99991231T235900"),
        event("c", "DTSTART;TZID=Asia/Tokyo:00010101T000000"),
    )
    assert days(found) == ["0001-01-01", "9999-12-31", "0001-01-01"]
    assert malformed.counts == {}


def test_a_file_without_a_calendar_is_named(tmp_path: Path, malformed: Malformed) -> None:
    path = tmp_path / "page.ics"
    path.write_text("<html>not found</html>\n")
    with pytest.raises(DataError, match=r"page\.ics: no BEGIN:VCALENDAR in it; export"):
        list(SOURCE.read(path, malformed))


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_real_calendars(malformed: Malformed) -> None:
    paths = SOURCE.files(Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name))
    assert len(paths) == 85
    found = [r for path in paths for r in SOURCE.read(path, malformed)]
    # 10,669 events: 10,574 in 83 files and 95 in the two of several calendars. 24,716 occurrences.
    assert malformed.samples == [("EstoniaHolidays.ics:774", "not a date")]  # DTEND 2014930
    assert len(found) == len({r.id for r in found}) == 24_716
    assert Counter(r.what for r in found) == {CALENDAR | HOLIDAY: 23_976, CALENDAR: 740}
    assert len({r.actors for r in found}) == 85
