"""Write look-alike answers of Taiga's API, a single object, other kinds, and an export."""

import gzip
import json
from pathlib import Path


def write(folder: Path) -> None:
    answers = {
        "issues": [
            issue(1, "2020-07-02T11:56:33.225Z"),
            issue(2, "2020-07-02T23:59:59.999Z", due_date="2020-07-09", is_closed=True),
            issue(3, None),
            issue(4, "yesterday"),
            issue(None, "2020-07-02T11:56:33.225Z"),
            7,
        ],
        "tasks": [
            task(1, "2020-07-02T11:56:21.529Z", is_closed=False),
            task(2, "2020-07-02T09:00:00Z", finished_date="2020-07-03T09:00:00Z"),
        ],
        "story": story(1, "2020-07-02T11:56:21.217Z", assigned_users=[9, 11], assigned_to=9),
        "milestones": [
            {
                "id": 1,
                "name": "Sprint",
                "estimated_start": "2020-07-02",
                "created_date": "2020-07-02T11:56:21.217Z",
                "user_stories": [story(5, "2020-07-02T11:56:21.217Z")],
            }
        ],
        "epics": [{"id": 1, "subject": "Epic", "created_date": "2020-07-02T11:56:21.217Z"}],
        "another_server_issues": [issue(1, "2013-12-20T09:53:59.044Z")],
    }
    for name, answer in answers.items():
        (folder / f"{name}.json").write_text(json.dumps(answer))
    export = {
        "slug": "a-project",
        "priorities": [{"name": "High"}],
        "milestones": answers["milestones"],
        "issues": [exported(issue(1, "2021-01-01T00:00:00Z", priority="High"), ref=31)],
        "tasks": [exported(task(1, "2021-01-01T00:15:00Z"), ref=32)],
        "user_stories": [exported(story(1, "2021-01-01T00:30:00Z", is_closed=True), ref=33)],
    }
    data = json.dumps(export).encode()
    (folder / "export.json.gz").write_bytes(gzip.compress(data, mtime=0))


def common(number: int | None, created: str | None) -> dict[str, object]:
    return {
        "id": number,
        "ref": 42,
        "subject": "Migrate",
        "description": "to Python 3",
        "project": 1,
        "created_date": created,
        "due_date": None,
        "owner": 7,
        "assigned_to": None,
    }


def issue(number: int | None, created: str | None, **fields: object) -> dict[str, object]:
    kind = {"severity": 3, "priority": 2, "finished_date": None, "is_closed": False}
    return {**common(number, created), **kind, **fields}


def task(number: int, created: str, **fields: object) -> dict[str, object]:
    return {**common(number, created), "user_story": 1, "finished_date": None, **fields}


def story(number: int, created: str, **fields: object) -> dict[str, object]:
    return {**common(number, created), "finish_date": None, "tasks": [], **fields}


def exported(answer: dict[str, object], ref: int) -> dict[str, object]:
    kept = {name: value for name, value in answer.items() if name not in ("id", "project")}
    return {**kept, "ref": ref, "owner": "ada@example.org"}
