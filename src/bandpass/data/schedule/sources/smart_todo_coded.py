"""SmartToDo: to-do items that judges wrote for commitments in e-mails, with codes for words."""

from collections.abc import Iterator
from pathlib import Path

from bandpass.data.schedule.record import UNDATED, Malformed, Record, ScheduleSource, text
from bandpass.data.schedule.sources._objects import prefixed
from bandpass.data.schedule.sources._reading import Unusable, found
from bandpass.data.schedule.sources._rows import rows
from bandpass.data.schedule.tokens import DAY, DEADLINE, EMAIL, TASK

LAYOUT = """RAW/smart_todo_coded/data/Coded_Annotations/Spans_ToDo_dataset.tsv[.gz]
  tab-separated, a header, then a row for each of the two judges of a commitment; any folder will
  do, and a made-up file of the same layout may have letters in front of its name"""

COLUMNS = ("UniqueID", "current_id", "highlight_start", "highlight_end", "to_do_summary")
DATE = "#DATE#"
"""What stands for every date in a summary."""


def files(folder: Path) -> list[Path]:
    """The annotations; the lists beside them name e-mails and rank sentences, without records."""
    return found(folder, "Spans_ToDo_dataset.tsv")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every row, one judge's to-do item for one commitment, over the whole of no day.

    The e-mails are not public: the text is as long as the commitment has *tokens*, each counted as
    a character. A date in the summary is a deadline. The actor is the mailbox, the first part of
    the identifier of the e-mail. This is tested on made-up rows, as the licence forbids to pass on
    the real ones.

    Raises:
        DataError: If the file is damaged or lacks one of ``COLUMNS``.
    """
    for number, row in rows(path, COLUMNS, malformed):
        try:
            yield _record(row, number)
        except Unusable as reason:
            malformed.add(f"{path.name}:{number}", str(reason))


def _record(row: dict[str, str], line: int) -> Record:
    if not row["UniqueID"]:
        raise Unusable("no UniqueID")
    due = DATE in row["to_do_summary"].split()
    return Record(
        id=f"{row['UniqueID']}-{line}",
        actors=prefixed("u:", row["current_id"].partition("-")[0]),
        day=UNDATED,
        minute=0,
        minutes=DAY,
        what=TASK | EMAIL | (DEADLINE if due else 0),
        priority=0,
        participants=0,
        text=text(_tokens(row["highlight_start"], row["highlight_end"])),
        completion=0,
        confidence=0.6,
    )


def _tokens(start: str, end: str) -> int:
    try:
        tokens = int(end) - int(start)
    except ValueError:
        raise Unusable("highlight is no number") from None
    if tokens < 0:
        raise Unusable("end before start")
    return tokens


SOURCE = ScheduleSource(
    name="smart_todo_coded",
    title="SmartToDo to-do items for commitments in e-mails, with codes for words",
    licence="Microsoft Research License Terms: non-commercial research, not to be distributed",
    home="https://github.com/MSR-LIT/SmartToDo",
    layout=LAYOUT,
    files=files,
    read=read,
)
