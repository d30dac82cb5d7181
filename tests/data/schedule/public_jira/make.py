"""Write look-alike Jira issues in all three forms: raw lines, a page of answers, plain lines."""

import gzip
import json
from pathlib import Path


def raw(key: str, created: str = "2008-09-10T01:48:03.381-0500", **fields: object) -> dict:
    """An issue of the REST interface; by itself that of `plain`."""
    return {
        "id": "11456",
        "key": key,
        "fields": {
            "summary": "Fix 387 and 389",
            "description": "They break the trunk...",
            "created": created,
            "duedate": None,
            "resolutiondate": None,
            "status": {"name": "Open", "id": "1"},
            "project": {"name": "Engine"},
            "timeoriginalestimate": 3600,
            "assignee": {"name": "ada"},
            "reporter": {"name": "charles"},
            "creator": {"name": "charles"},
            **fields,
        },
        "changelog": {"histories": []},
    }


def plain(key: str, created: str = "2008-09-10T06:48:03", **fields: object) -> dict:
    return {
        "id": "Engine:11456",
        "key": key,
        "created": created,
        "dueDate": None,
        "summary": "Fix 387 and 389",
        "description": "They break the trunk...",
        **fields,
    }


DUE = "2008-09-30"
RESOLVED = "2008-10-01T08:00:00.000+0000"
RAW = [
    raw("ENGINE-1"),
    raw("ENGINE-2", duedate=DUE, resolutiondate=RESOLVED, priority={"name": "Blocker"}),
    raw("ENGINE-3", status={"name": "Closed"}, priority={"name": "Minor"}, description=None),
]
PLAIN = [
    plain("ENGINE-1"),
    plain("ENGINE-2", dueDate=DUE, resolutionDate=RESOLVED[:-9], priority="Blocker"),
    plain("ENGINE-3", status="Closed", priority="Minor", description=None),
    plain("MY-TOOL-9"),
]
PAGE = [
    raw("CLOUD-1", assignee={"accountId": "5b10"}, reporter=None, creator=None),
    raw("CLOUD-2", "0016-01-01T00:00:00.000+0000"),
    raw("CLOUD-3", "9999-12-31T23:59:59.000-0500"),
]
BAD = {
    "not JSON": json.dumps(raw("BAD-1"))[:60],
    "not a JSON object": '"BAD-2"',
    "no key": json.dumps(raw("BAD-3") | {"key": None}),
    "no created": json.dumps(raw("BAD-4", "")),
    "date out of range": json.dumps(plain("BAD-5", "2008-13-01T00:00:00")),
}


def write(folder: Path) -> None:
    """Three files to read, and two that are not of the source."""
    pack(folder / "issues_full.jsonl.gz", [*map(json.dumps, RAW), *BAD.values()])
    pack(folder / "public_jira_normalised.jsonl.gz", [*map(json.dumps, PLAIN), ""])
    page = {"startAt": 0, "maxResults": 50, "total": 3, "issues": PAGE}
    (folder / "page-1.json").write_text(json.dumps(page, indent=2))
    tables = folder / "emse2017_due_dates"
    tables.mkdir()
    pack(tables / "apache_due.csv.gz", ["issuekey,delaydays", "ENGINE-1,0"])
    (folder / "README.md").write_text("Not a file of the source.\n")


def pack(path: Path, text: list[str]) -> None:
    path.write_bytes(gzip.compress("\n".join(text).encode(), mtime=0))
