"""OpenProject work packages, as an instance's API answers: HAL+JSON, one page or one a file."""

from collections.abc import Iterator
from pathlib import Path

from bandpass.data.schedule.record import Malformed, Record, ScheduleSource, text
from bandpass.data.schedule.sources._objects import (
    answers,
    characters,
    created,
    items,
    key,
    mapping,
    prefixed,
)
from bandpass.data.schedule.sources._reading import Unusable, found
from bandpass.data.schedule.tokens import DEADLINE, PROJECT, TASK
from bandpass.data.series import DataError

LAYOUT = """RAW/project_openproject/NAME.json[.gz]  what /api/v3/work_packages answers: a page of a
                                        collection, a single work package, or an array of
                                        such answers"""

PRIORITY = {"low": 0.0, "normal": 0.5, "high": 0.75, "immediate": 1.0}
"""Of the names that OpenProject comes with; of an instance's own names, and of none, it is .5."""

CLOSED = ("closed", "rejected")
"""Statuses that OpenProject comes with and that close a work package."""


def files(folder: Path) -> list[Path]:
    """Every JSON file."""
    return found(folder, ".json")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every work package at the moment it was created, as a point in time.

    Its actors are the project and then the author, the assignee and the person responsible. What
    else an instance answers (time entries, versions, activities) is passed over, and so is what is
    embedded in a work package. No public dump could be had: this is tested on the examples of the
    official documentation, whose placeholders lack a creation time.

    Raises:
        DataError: If the file is damaged, is no JSON, or holds an error that the server answered.
    """
    for answer in _elements(answers(path)):
        kind = answer.get("_type")
        if kind == "Error":
            raise DataError(f"{path}: an error that the server answered; request it again")
        try:
            if not isinstance(kind, str):
                raise Unusable("no _type")
            if kind == "WorkPackage":
                yield _record(answer)
        except Unusable as reason:
            malformed.add(f"{path.name}:{key(answer.get('id'))}", str(reason))


def _elements(whole: list[object]) -> Iterator[dict[str, object]]:
    """Yield answers, and the elements of those that are collections."""
    for answer in map(mapping, whole):
        if str(answer.get("_type")).endswith("Collection"):
            yield from map(mapping, items(mapping(answer.get("_embedded")).get("elements")))
        else:
            yield answer


def _record(package: dict[str, object]) -> Record:
    name = key(package.get("id"))
    if not name:
        raise Unusable("no id")
    day, minute = created(package, "createdAt")
    links = mapping(package.get("_links"))
    people = (_linked(links, role) for role in ("author", "assignee", "responsible"))
    due = package.get("dueDate") or package.get("date")  # a milestone has one date only
    description = mapping(package.get("description")).get("raw")
    return Record(
        id=name,
        actors=prefixed("p:", _linked(links, "project")) + prefixed("u:", *people),
        day=day,
        minute=minute,
        minutes=0,
        what=TASK | PROJECT | (DEADLINE if due else 0),
        priority=PRIORITY.get(_title(links, "priority"), 0.5),
        participants=0,
        text=text(characters(package.get("subject"), description)),
        completion=_completion(package, links),
        confidence=0.85,
    )


def _completion(package: dict[str, object], links: dict[str, object]) -> float:
    """1 if its status closes it, else the share that is done."""
    percent = package.get("percentageDone") or 0
    if not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise Unusable("percentageDone out of range")
    return 1.0 if _title(links, "status") in CLOSED else percent / 100


def _linked(links: dict[str, object], name: str) -> str:
    """Identifier that ends the address of a link, empty if there is none."""
    return key(mapping(links.get(name)).get("href")).rpartition("/")[2]


def _title(links: dict[str, object], name: str) -> str:
    """Title of a link in lower case, empty if there is none."""
    return key(mapping(links.get(name)).get("title")).lower()


SOURCE = ScheduleSource(
    name="project_openproject",
    title="OpenProject work packages at their creation",
    licence="the instance's own; CC BY 3.0 for the examples of the documentation",
    home="https://community.openproject.org/api/v3/work_packages",
    layout=LAYOUT,
    files=files,
    read=read,
)
