"""Write look-alike holiday calendars: one, several in a file, and one with bad events."""

from pathlib import Path

HEAD = "VERSION:2.0\r\nPRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN\r\n"

# Its own rules of summer time, under a name that says nothing.
ZONE = """BEGIN:VTIMEZONE
TZID:Branch Office
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE"""


def event(uid: str, *fields: str) -> str:
    """A VEVENT; without a UID if that is empty."""
    named = (f"UID:{uid}",) if uid else ()
    return "\r\n".join(("BEGIN:VEVENT", *named, "SUMMARY:A day off", *fields, "END:VEVENT"))


def calendar(*components: str) -> str:
    body = "".join(part.replace("\r\n", "\n").replace("\n", "\r\n") + "\r\n" for part in components)
    return f"BEGIN:VCALENDAR\r\n{HEAD}{body}END:VCALENDAR\r\n"


HOLIDAYS = (
    event("new-year", "DTSTART;VALUE=DATE:20210101", "DTEND;VALUE=DATE:20210102"),
    event("three-days", "DTSTART;VALUE=DATE:20210402", "DTEND;VALUE=DATE:20210405"),
    event("", "DTSTART;VALUE=DATE:20210501"),
    event(
        "every-year",
        "DTSTART;VALUE=DATE:20191225",
        "DURATION:P1D",
        "RRULE:FREQ=YEARLY",
        "EXDATE;VALUE=DATE:20201225",
    ),
    event("speech", "DTSTART:20210101T120000Z", "DTEND:20210101T121500Z"),
    event("off", "STATUS:CANCELLED", "DTSTART;VALUE=DATE:20210601"),
    "BEGIN:VTODO\nUID:todo\nDTSTART:20210101T120000Z\nEND:VTODO",
)

BAD = (
    event("backwards", "DTSTART;VALUE=DATE:20210102", "DTEND;VALUE=DATE:20210101"),
    event("negative", "DTSTART:20210102T100000Z", "DURATION:-PT1H"),
    event("mars", "DTSTART;TZID=Mars/Base:20210102T100000"),
    event("timeless", "RRULE:FREQ=YEARLY"),
    event("thirteenth", "DTSTART;VALUE=DATE:20211301"),
    event("twice", "DTSTART;VALUE=DATE:20210101", "DTSTART;VALUE=DATE:20210102"),
    event("long", "DTSTART:20210101T100000Z", "DURATION:for ever"),
    event("never-on", "DTSTART;VALUE=DATE:20210101", "RRULE:FREQ=YEARLY;INTERVAL=0"),
    event("sometimes", "DTSTART;VALUE=DATE:20210101", "RRULE:FREQ=SOMETIMES"),
    event("open", "DTSTART;VALUE=DATE:20210101", "BEGIN:VALARM", "TRIGGER:-PT1H"),
    event("cut", "DTSTART;VALUE=DATE:20210101").removesuffix("END:VEVENT"),
    event("good", "DTSTART;VALUE=DATE:00160101"),
    event("late", "DTSTART;VALUE=DATE:99991231"),
    event("last", "DTSTART;VALUE=DATE:2021").removesuffix("\r\nEND:VEVENT"),
)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    several = calendar(HOLIDAYS[0]) + calendar(HOLIDAYS[1].replace("\r\nDTEND", "\r\nDTE\r\n\tND"))
    for name, content in (
        ("USHolidays.ics", calendar(*HOLIDAYS)),
        ("IrishHolidays2003-2011.ics", several.replace("\r\n", "\n")),
        ("ZZBroken.ics", calendar(*BAD)),
    ):
        (folder / name).write_bytes(content.encode())
    (folder / "calendars.json").write_text("[]")
