"""Write EPA in the layout that its adapter assumes, once as JSON lines and once as a table."""

import gzip
import json
from pathlib import Path


def write(folder: Path) -> None:
    lines = [
        example(label=1, date="2001-05-04T13:51:00-07:00"),
        example(label=False, candidate="Bob@enron.com", role="cc"),
        example(label="yes", candidate="Bob@enron.com", date=""),
        example(label="perhaps"),
        example(task=""),
        example(date="soon"),
    ]
    text = "\n".join([*map(json.dumps, lines), "[1]", '{"email": "m1", "ta', ""])
    (folder / "train.jsonl").write_text(text)
    table = [
        "email\ttask\tcandidate\trole\tlabel",
        "m2\tCould you send me the draft?\tann@enron.com\tto\t0",
        "m2\tCould you send me the draft?\tcarl@enron.com\tto\t1",
        "m2\tCould you",
    ]
    packed = gzip.compress("\r\n".join(table).encode(), mtime=0)
    (folder / "test.tsv.gz").write_bytes(packed)
    related = folder / "related_parakweet_email_intent"
    related.mkdir(exist_ok=True)
    (related / "Ask.txt").write_text("Yes\tCould you send me the draft?\n")


def example(**fields: object) -> dict[str, object]:
    usual = {"email": "m1", "task": "Please call Ann.", "candidate": "ann@enron.com", "label": 0}
    return {**usual, "role": "to", **fields}
