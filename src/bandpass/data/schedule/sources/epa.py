"""Enron People Assignment (EPA): tasks found in e-mails, and which of the people is to do them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bandpass.data.schedule.record import (
    UNDATED,
    Malformed,
    Record,
    ScheduleSource,
    participants,
    text,
)
from bandpass.data.schedule.sources._objects import created, key, prefixed
from bandpass.data.schedule.sources._reading import Unusable, found, objects
from bandpass.data.schedule.sources._rows import rows
from bandpass.data.schedule.tokens import DAY, EMAIL, TASK

LAYOUT = """RAW/epa/NAME.jsonl[.gz] or
RAW/epa/NAME.tsv[.gz]  an example a line (a .tsv has a header), with
  email       which e-mail it is of
  task        the sentence with the task
  candidate   name or address of one of its people
  label       1, true or yes if the task is theirs, else 0, false or no
  date        when the e-mail was sent, ISO 8601; may be left out or empty"""

FIELDS = ("email", "task", "candidate", "label")
LABELS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def files(folder: Path) -> list[Path]:
    """Every .jsonl and .tsv file. The Parakweet e-mail intents are .txt, and not EPA."""
    return found(folder, ".jsonl", ".tsv")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every example, one task with one person who might do it.

    It is a point in time if the e-mail has a date, else it fills the whole of no day. Its actor is
    the candidate, if the task is theirs. No file of EPA could be seen: ``LAYOUT`` is an assumption
    after its paper (Rameshkumar et al., "Assigning people to tasks identified in email", W-NUT
    2018), and is tested on a look-alike only.

    Raises:
        DataError: If the file is damaged, or a .tsv lacks one of ``FIELDS``.
    """
    tabular = path.name.endswith((".tsv", ".tsv.gz"))
    examples = rows(path, FIELDS, malformed) if tabular else objects(path, malformed)
    for number, example in examples:
        try:
            yield _record(dict(example), number)
        except Unusable as reason:
            malformed.add(f"{path.name}:{number}", str(reason))


def _record(example: dict[str, object], line: int) -> Record:
    email, task, candidate, label = _fields(example)
    day, minute, minutes = UNDATED, 0, DAY
    if example.get("date"):
        (day, minute), minutes = created(example, "date"), 0
    if label not in LABELS:
        raise Unusable("unknown label")
    return Record(
        id=f"{email}-{line}",
        actors=prefixed("u:", candidate.lower()) if LABELS[label] else (),
        day=day,
        minute=minute,
        minutes=minutes,
        what=TASK | EMAIL,
        priority=0,
        participants=participants(1),
        text=text(len(task)),
        completion=0,
        confidence=0.7,
    )


def _fields(example: Mapping[str, object]) -> tuple[str, str, str, str]:
    """The values of ``FIELDS`` as text; a label that is true is "true"."""
    values = tuple(key(example.get(name)) for name in FIELDS)
    for name, value in zip(FIELDS, values, strict=True):
        if not value:
            raise Unusable(f"no {name}")
    email, task, candidate, label = values
    return email, task, candidate, label.lower()


SOURCE = ScheduleSource(
    name="epa",
    title="Tasks found in Enron e-mails, with each of the people who might do them",
    licence="not known; the e-mails are public",
    home="Rameshkumar, Bailey, Jha and Quirk, W-NUT at EMNLP 2018; ask its authors",
    layout=LAYOUT,
    files=files,
    read=read,
)
