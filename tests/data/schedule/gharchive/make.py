"""Write a look-alike hour of GH Archive and a table of headers, bad lines among the good."""

import gzip
import json
from pathlib import Path

COLUMNS = (
    "id,type,actor_id,repo_id,repo_name,created_at,"
    "payload_action,payload_size,payload_ref_type,payload_number"
)


def event(
    number: int, kind: str, payload: object, time: str = "2015-01-01T00:07:30Z"
) -> dict[str, object]:
    return {
        "id": str(number),
        "type": kind,
        "actor": {"id": 100 + number % 2, "login": "ada", "gravatar_id": ""},
        "repo": {"id": 7, "name": "ada/engine", "url": "https://api.github.com/repos/ada/engine"},
        "payload": payload,
        "public": True,
        "created_at": time,
    }


def commits(*messages: str) -> dict[str, object]:
    author = {"email": "ada@example.org", "name": "Ada"}
    listed = [{"sha": "0" * 40, "author": author, "message": message} for message in messages]
    return {"push_id": 1, "size": len(listed), "ref": "refs/heads/main", "commits": listed}


def pull_request(action: str, merged: str | None = None) -> dict[str, object]:
    about = {"title": "Add", "body": None, "merged_at": merged, "milestone": None}
    return {"action": action, "number": 5, "pull_request": about}


ISSUE = {
    "title": "Broken",
    "body": "It broke.",
    "state": "open",
    "milestone": {"title": "v1", "due_on": "2015-02-01T08:00:00Z"},
}
GOOD = [
    event(1, "PushEvent", commits("fix typo"), "2015-01-01T00:00:00Z"),
    event(2, "PushEvent", {"push_id": 2, "ref": "refs/heads/main"}),  # as newer hours have it
    event(3, "IssuesEvent", {"action": "opened", "issue": ISSUE}),
    event(4, "IssuesEvent", {"action": "closed", "issue": ISSUE | {"milestone": None}}),
    event(
        5, "IssueCommentEvent", {"action": "created", "issue": ISSUE, "comment": {"body": "Why?"}}
    ),
    event(6, "PullRequestEvent", pull_request("closed", "2015-01-01T00:07:30Z")),
    event(7, "WatchEvent", {"action": "started"}),
    event(8, "TeleportEvent", {"distance": 12}),  # nobody knows it
    event(9, "PublicEvent", None),
    event(10, "WatchEvent", {"action": "started"}, "0016-01-01T12:00:00Z"),
    event(11, "WatchEvent", {"action": "started"}, "9999-12-31T23:59:59-05:00"),
    event(12, "WatchEvent", {"action": "started"}, "2015-01-01T01:07:30"),  # without a zone
    event(13, "WatchEvent", {"action": "started"}, "2014-12-31T17:07:30-07:00"),
]
BAD = {
    "not JSON": json.dumps(event(20, "WatchEvent", {}))[:90],
    "not a JSON object": "[]",
    "no id": json.dumps(event(21, "WatchEvent", {}) | {"id": None}),
    "no created_at": json.dumps(event(22, "WatchEvent", {}) | {"created_at": 5}),
    "date out of range": json.dumps(event(23, "WatchEvent", {}, "10000-01-01T00:00:00Z")),
}
ROWS = [
    "1,PushEvent,101,7,ada/engine,2015-01-01T00:00:00Z,,1,,",  # in the hour too
    "30,IssuesEvent,101,7,ada/engine,2015-01-01T13:46:00Z,closed,,,5",
    '31,CreateEvent,101,7,"ada,engine",2015-01-01T23:59:59Z,,,branch,',
    "32,WatchEvent,,7,ada/engine,2015-01-01T23:59:59Z,started,,,",
]
BAD_ROWS = {
    "not as many columns as the header": "33,WatchEvent,101",
    "date out of range": "34,WatchEvent,101,7,ada/engine,2015-02-30T00:00:00Z,started,,,",
}


def write(folder: Path) -> None:
    """One hour and one table; the last line has no line end."""
    hour = [json.dumps(one) for one in GOOD]
    hour[3:3] = [*BAD.values(), ""]
    pack(folder / "2015-01-01-0.json.gz", hour)
    pack(folder / "2015-01_events.csv.gz", [COLUMNS, *ROWS[:2], *BAD_ROWS.values(), *ROWS[2:]])
    (folder / "README.md").write_text("Not a file of the source.\n")


def pack(path: Path, text: list[str]) -> None:
    path.write_bytes(gzip.compress("\n".join(text).encode(), mtime=0))
