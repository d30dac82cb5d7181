"""Taiga issues, tasks and user stories, as an instance's API answers or as a project exports."""

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

LAYOUT = """RAW/project_taiga/NAME.json[.gz]  what /api/v1/issues, /tasks or /userstories answers,
                                  an array or a single object, or what a project exports"""

PRIORITY = {"low": 0.0, "normal": 0.5, "high": 1.0}
"""Of the names in an export; the API has numbers instead, which every project defines: .5."""

EXPORTED = ("issues", "tasks", "user_stories")


def files(folder: Path) -> list[Path]:
    """Every JSON file."""
    return found(folder, ".json")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every issue, task and user story at the moment it was created, as a point in time.

    Its actors are the project and then the owner and the people it is assigned to. Which of the
    three it is, its fields say; all other objects are passed over (milestones with the stories in
    them, epics, projects, timelines, histories). As every server counts from 1, an identifier is
    the kind, the project, the number and the moment of creation.

    Raises:
        DataError: If the file is damaged, is no JSON, or holds an error that the server answered.
    """
    for answer in _elements(answers(path)):
        if "_error_message" in answer:
            raise DataError(f"{path}: an error that the server answered; request it again")
        try:
            if not answer:
                raise Unusable("not a JSON object")
            if kind := _kind(answer):
                yield _record(kind, answer)
        except Unusable as reason:
            malformed.add(f"{path.name}:{key(answer.get('id'))}", str(reason))


def _elements(whole: list[object]) -> Iterator[dict[str, object]]:
    """Yield answers, and the objects of an export in the form that the API gives them."""
    for answer in map(mapping, whole):
        if all(isinstance(answer.get(name), list) for name in EXPORTED):
            for one in (mapping(one) for name in EXPORTED for one in items(answer[name])):
                yield {**one, "id": one.get("ref"), "project": answer.get("slug")}
        else:
            yield answer


def _kind(answer: dict[str, object]) -> str:
    """Which of the three an object is, empty if none."""
    if "severity" in answer:
        return "issue"
    if "user_story" in answer and "finished_date" in answer:
        return "task"
    if "finish_date" in answer and "subject" in answer:
        return "story"
    return ""


def _record(kind: str, answer: dict[str, object]) -> Record:
    number, project = key(answer.get("id")), key(answer.get("project"))
    if not number:
        raise Unusable("no id")
    day, minute = created(answer, "created_date")
    people = (answer.get("owner"), answer.get("assigned_to"), *items(answer.get("assigned_users")))
    return Record(
        id=f"{kind} {project}/{number} {answer['created_date']}",
        actors=prefixed("p:", project) + prefixed("u:", *people),
        day=day,
        minute=minute,
        minutes=0,
        what=TASK | PROJECT | (DEADLINE if answer.get("due_date") else 0),
        priority=PRIORITY.get(key(answer.get("priority")).lower(), 0.5),
        participants=0,
        text=text(characters(answer.get("subject"), answer.get("description"))),
        completion=1.0 if _closed(answer) else 0.0,
        confidence=0.85,
    )


def _closed(answer: dict[str, object]) -> bool:
    """Whether it is closed; of older servers and exports, which do not say, whether it is finished.

    A server forgets the moment at which something was finished when it is opened again.
    """
    closed = answer.get("is_closed")
    if isinstance(closed, bool):
        return closed
    return bool(answer.get("finished_date") or answer.get("finish_date"))


SOURCE = ScheduleSource(
    name="project_taiga",
    title="Taiga issues, tasks and user stories at their creation",
    licence="the project's own; MPL-2.0 for the examples of the documentation",
    home="https://api.taiga.io/api/v1",
    layout=LAYOUT,
    files=files,
    read=read,
)
