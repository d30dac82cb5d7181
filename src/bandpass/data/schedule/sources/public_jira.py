"""Public Jira: issues at their creation, as the REST interface gives them or in a few plain fields.

One issue in both forms makes the same windows, but only the raw form knows people.
"""

from collections.abc import Iterator
from pathlib import Path

from bandpass.data.schedule.record import Malformed, Record, ScheduleSource, text
from bandpass.data.schedule.sources._objects import characters, created, mapping, prefixed
from bandpass.data.schedule.sources._reading import Unusable, document, found, needs, objects
from bandpass.data.schedule.tokens import DEADLINE, PROJECT, TASK
from bandpass.data.series import DataError

LAYOUT = """RAW/public_jira/NAME.jsonl[.gz]  an issue a line, either form:
          {"key", "fields": {"created", "summary", "duedate", ...}, ...} or
          {"key", "created", "summary", "dueDate", "resolutionDate", "status", ...}
RAW/public_jira/NAME.json[.gz]   an answer of the REST interface: a page {"issues": [...]} or an
                                 issue
Tables of other shapes, such as emse2017_due_dates/*.csv.gz (features at day precision), are not
read."""
CONFIDENCE = 0.8
PRIORITY = {
    **{"blocker": 1.0, "critical": 0.75, "major": 0.5, "minor": 0.25, "trivial": 0.0},
    **{"highest": 1.0, "high": 0.75, "medium": 0.5, "low": 0.25, "lowest": 0.0},
}
"""Levels of the older and the newer default scheme of Jira, by the first word of their name."""

OWN_LEVEL = 0.5
"""Priority of an issue whose Jira has levels of its own."""

DONE = ("closed", "resolved", "done")
PEOPLE = ("assignee", "reporter", "creator")


def files(folder: Path) -> list[Path]:
    """Answers of the REST interface by name, then JSON lines: the first form of an issue counts."""
    return found(folder, ".json") + found(folder, ".jsonl")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield a record an issue: the minute of its creation, of its project and its people.

    The id is the issue's key, and the project is the key up to its last dash, in both forms. An
    issue has a deadline if it has a due date, and is complete if it has a resolution date or its
    status is one of ``DONE``. Its priority is 0 if none is given. Estimates and time spent say
    nothing of the moment of creation: an issue has no duration. Participants are 0, since only the
    raw form knows them.

    Raises:
        DataError: If the file is damaged, or a ``.json`` is no answer of the REST interface.
    """
    issues = objects if path.name.endswith((".jsonl", ".jsonl.gz")) else _answer
    for number, issue in issues(path, malformed):
        try:
            record = _record(issue)
        except Unusable as reason:
            malformed.add(f"{path.name}:{number}", str(reason))
        else:
            yield record


def _record(issue: dict[str, object]) -> Record:
    key = issue.get("key")
    if not key or not isinstance(key, str):
        raise Unusable("no key")
    raw = issue.get("fields")
    fields = raw if isinstance(raw, dict) else issue
    day, minute = created(fields, "created")
    due = fields.get("duedate") or fields.get("dueDate")
    resolved = fields.get("resolutiondate") or fields.get("resolutionDate")
    done = resolved or _name(fields.get("status")).lower() in DONE
    return Record(
        id=key,
        actors=(
            f"p:{key.rpartition('-')[0] or key}",
            *prefixed("u:", *map(_person, map(fields.get, PEOPLE))),
        ),
        day=day,
        minute=minute,
        minutes=0,
        what=TASK | PROJECT | (DEADLINE if due else 0),
        priority=_priority(_name(fields.get("priority"))),
        participants=0.0,
        text=text(characters(fields.get("summary"), fields.get("description"))),
        completion=1.0 if done else 0.0,
        confidence=CONFIDENCE,
    )


def _person(value: object) -> object:
    """What a server (``name``) or the cloud (``accountId``) calls a person, if it is one."""
    person = mapping(value)
    return person.get("name") or person.get("accountId")


def _name(value: object) -> str:
    """Name of a status or a priority: itself, or that of the object it is in the raw form."""
    value = mapping(value).get("name", value)
    return value if isinstance(value, str) else ""


def _priority(name: str) -> float:
    words = name.lower().split()
    return PRIORITY.get(words[0], OWN_LEVEL) if words else 0.0


def _answer(path: Path, malformed: Malformed) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the issues of an answer of the REST interface with their numbers, from 1."""
    needs("orjson")
    import orjson

    try:
        answer = mapping(orjson.loads(document(path)))
    except orjson.JSONDecodeError as error:
        raise DataError(
            f"{path}: not one JSON document ({error}); call a file of one issue a line .jsonl"
        ) from error
    issues = answer.get("issues", [answer] if "key" in answer else None)
    if not isinstance(issues, list):
        raise DataError(f"{path}: neither an issue nor a page of issues; expected\n{LAYOUT}")
    for number, issue in enumerate(issues, 1):
        if isinstance(issue, dict):
            yield number, issue
        else:
            malformed.add(f"{path.name}:{number}", "not a JSON object")


SOURCE = ScheduleSource(
    name="public_jira",
    title="Issues of public Jira trackers: when they came up, due dates, priorities, outcomes",
    licence="CC BY 4.0 as far as known (The Public Jira Dataset); read it at its home",
    home="https://doi.org/10.5281/zenodo.5882881",
    layout=LAYOUT,
    files=files,
    read=read,
)
