"""Write look-alike answers of OpenProject: two pages, a single work package, and other kinds."""

import gzip
import json
from pathlib import Path


def write(folder: Path) -> None:
    first = page(
        package(1, "2024-03-05T14:01:00Z", subject="s" * 28, description="d" * 200),
        package(2, "2024-03-05T09:15:00Z", dueDate="2024-03-08", percentageDone=40),
        package(3, "2024-03-05T23:50:00-01:00", priority="High", status="Closed"),
        package(4, "0016-01-01T00:00:00Z", priority="Rather urgent"),
        package(5, "9999-12-31T23:59:59Z", date="9999-12-31", priority="Low"),
        {"_type": "WorkPackage", "id": 6, "subject": "Skipped other properties for brevity"},
        package(7, "10000-01-01T00:00:00Z"),
        package(8, "2024-03-05T09:15:00Z", percentageDone=-3),
        package(None, "2024-03-05T09:15:00Z"),
        None,
    )
    second = page(package(9, "2024-03-06T08:00:00"), package(1, "2024-03-05T14:01:00Z"))
    (folder / "work_packages_1.json").write_text(json.dumps(first))
    (folder / "work_packages_2.json.gz").write_bytes(
        gzip.compress(json.dumps(second).encode(), mtime=0)
    )
    (folder / "single.json").write_text(json.dumps(package(10, "2024-03-06T08:00:00Z")))
    others = [{"_type": "Version", "id": 11}, {"_type": "Collection", "total": 0}]
    entry = {"_type": "TimeEntry", "id": 5, "createdAt": "2015-03-20T12:56:56Z"}
    (folder / "others.json").write_text(json.dumps([*others, page(entry)]))


def page(*elements: object) -> dict[str, object]:
    return {
        "_type": "WorkPackageCollection",
        "total": 12,
        "count": len(elements),
        "_embedded": {"elements": list(elements)},
    }


def package(
    number: int | None,
    created: str,
    subject: str = "Develop API",
    description: str = "",
    priority: str = "Normal",
    status: str = "New",
    **fields: object,
) -> dict[str, object]:
    return {
        "_type": "WorkPackage",
        "id": number,
        "subject": subject,
        "description": {"format": "markdown", "raw": description, "html": f"<p>{description}</p>"},
        "dueDate": None,
        "percentageDone": 0,
        "createdAt": created,
        "_links": {
            "priority": {"href": "/api/v3/priorities/8", "title": priority},
            "status": {"href": "/api/v3/statuses/1", "title": status},
            "project": {"href": "/api/v3/projects/7", "title": "A project"},
            "author": {"href": "/api/v3/users/3", "title": "Ada"},
            "assignee": {"href": None},
            "responsible": {"href": "/api/v3/users/3", "title": "Ada"},
        },
        "_embedded": {"children": [{"_type": "WorkPackage", "id": 99}]},
        **fields,
    }
