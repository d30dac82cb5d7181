"""GH Archive: the public events of GitHub, an hour a file, or their headers as one flat table."""

import csv
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from bandpass.data.schedule.record import Malformed, Record, ScheduleSource, text, when
from bandpass.data.schedule.sources._objects import mapping
from bandpass.data.schedule.sources._reading import Unusable, found, lines, moment, objects
from bandpass.data.schedule.tokens import CODE, DEADLINE, PROJECT, TASK
from bandpass.data.series import DataError

LAYOUT = """RAW/gharchive/2015-01-01-12.json[.gz]  an hour, an event a line, from 2015 on
RAW/gharchive/NAME.csv[.gz]            event headers, under the names of their columns: at least
                                       id,type,actor_id,repo_id,created_at,payload_action"""
COLUMNS = ("id", "type", "actor_id", "repo_id", "created_at", "payload_action")
"""Read from the table; it may have others."""

CONFIDENCE = 0.9
WHAT = dict.fromkeys(
    (
        "PushEvent",
        "CreateEvent",
        "DeleteEvent",
        "ReleaseEvent",
        "CommitCommentEvent",
        "PullRequestEvent",
        "PullRequestReviewEvent",
        "PullRequestReviewCommentEvent",
        "PullRequestReviewThreadEvent",
    ),
    PROJECT | CODE,
) | {"IssuesEvent": PROJECT | TASK}
"""Flags by event type; of all others ``PROJECT``."""

TEXTS = {
    "PushEvent": ("commits", ("message",)),
    "IssuesEvent": ("issue", ("title", "body")),
    "PullRequestEvent": ("pull_request", ("title", "body")),
    "PullRequestReviewEvent": ("review", ("body",)),
    "PullRequestReviewCommentEvent": ("comment", ("body",)),
    "IssueCommentEvent": ("comment", ("body",)),
    "CommitCommentEvent": ("comment", ("body",)),
    "ReleaseEvent": ("release", ("body",)),
}
"""Part of the payload, or list of parts, with the texts of an event type; others have none."""

DONE = ("closed", "merged")
"""Actions that complete what the event is about."""


def files(folder: Path) -> list[Path]:
    """Hours by name, then tables: of an event that is in both, the one with its texts counts."""
    return found(folder, ".json") + found(folder, ".csv")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield a record an event: a point in time, of the person who acted and of the repository.

    An event has a deadline if the issue or pull request that it is about belongs to a milestone
    with a due date. Participants and priority are 0. A table has no texts and no milestones.

    Raises:
        DataError: If the file is damaged, or a table lacks one of ``COLUMNS``.
    """
    events = _rows if path.name.endswith((".csv", ".csv.gz")) else objects
    for number, event in events(path, malformed):
        try:
            record = _record(event)
        except Unusable as reason:
            malformed.add(f"{path.name}:{number}", str(reason))
        else:
            yield record


def _record(event: dict[str, object]) -> Record:
    identifier, created = event.get("id"), event.get("created_at")
    if not identifier:
        raise Unusable("no id")
    if not created or not isinstance(created, str):
        raise Unusable("no created_at")
    day, minute = _when(created)
    kind, payload = str(event.get("type")), mapping(event.get("payload"))
    what = WHAT.get(kind, PROJECT)
    about = mapping(payload.get("issue") or payload.get("pull_request"))
    if about and mapping(about.get("milestone")).get("due_on"):
        what |= DEADLINE
    length = text(_characters(kind, payload)) if kind in TEXTS else 0.0
    done = 1.0 if payload.get("action") in DONE else 0.0
    # By position: this is called for millions of events, and by name it takes twice as long.
    return Record(
        str(identifier), _actors(event), day, minute, 0, what, 0.0, 0.0, length, done, CONFIDENCE
    )


@lru_cache(maxsize=4096)
def _when(created: str) -> tuple[int, int]:
    """Day and minute; remembered, since an hour has 3600 seconds and any number of events."""
    try:
        return when(moment(created))
    except ValueError:
        raise Unusable("date out of range") from None


def _actors(event: dict[str, object]) -> tuple[str, ...]:
    person, repository = mapping(event.get("actor")).get("id"), mapping(event.get("repo")).get("id")
    if person and repository:
        return f"u:{person}", f"p:{repository}"
    return (f"u:{person}",) if person else (f"p:{repository}",) if repository else ()


def _characters(kind: str, payload: dict[str, object]) -> int:
    name, fields = TEXTS[kind]
    parts = payload.get(name)
    count = 0
    for part in parts if isinstance(parts, list) else [parts]:
        for field in fields:
            words = mapping(part).get(field)
            if isinstance(words, str):
                count += len(words)
    return count


def _rows(path: Path, malformed: Malformed) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the rows of a table in the form of the hourly files, with their line numbers."""
    numbered = lines(path)
    header = _cells(next(numbered, (1, b""))[1])
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise DataError(
            f"{path}: the header has no column {missing[0]!r}; it needs {','.join(COLUMNS)}"
        )
    places = [header.index(column) for column in COLUMNS]
    for number, line in numbered:
        cells = _cells(line)
        if len(cells) == len(header):
            identifier, kind, person, repository, created, action = (cells[i] for i in places)
            yield (
                number,
                {
                    "id": identifier,
                    "type": kind,
                    "actor": {"id": person},
                    "repo": {"id": repository},
                    "created_at": created,
                    "payload": {"action": action},
                },
            )
        elif line.strip():
            malformed.add(f"{path.name}:{number}", "not as many columns as the header")


def _cells(line: bytes) -> list[str]:
    """Cells of one line; what is quoted must end on it, so that no quote swallows other rows."""
    row = line.decode(errors="replace")
    if '"' not in row:
        return row.split(",")
    try:
        return next(csv.reader([row]))
    except csv.Error:
        return []


SOURCE = ScheduleSource(
    name="gharchive",
    title="Public events of GitHub: pushes, issues, pull requests, comments, an hour a file",
    licence="GitHub terms of service (events); MIT (the GH Archive project)",
    home="https://data.gharchive.org/YYYY-MM-DD-H.json.gz",
    layout=LAYOUT,
    files=files,
    read=read,
)
