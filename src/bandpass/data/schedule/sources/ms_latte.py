"""MS-LaTTE: to-do items, and when in a week each of five judges would do them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bandpass.data.schedule.record import UNDATED, Malformed, Record, ScheduleSource, text
from bandpass.data.schedule.sources._objects import characters, items, key, mapping, parsed
from bandpass.data.schedule.sources._reading import Unusable, found
from bandpass.data.schedule.tokens import DAY, TASK
from bandpass.data.series import DataError

LAYOUT = "RAW/ms_latte/MS-LaTTE.json[.gz]  an array of tasks, each with its judgements"

HOURS = {"morning": 9, "afternoon": 13, "evening": 18, "night": 21, "anytime": 12}
"""At which a time of day stands in a window. The data do not say: these are ours."""

BUCKETS = [f"{day}-{time}" for time in HOURS for day in ("WD", "WE")]
JUDGES = 5


def files(folder: Path) -> list[Path]:
    """The one file."""
    return found(folder, "MS-LaTTE.json")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every task at the time of day that most judges named, a point in time on no day.

    A judge names any of the ten ``BUCKETS``, a time of day on weekdays (WD) or at weekends (WE).
    Of buckets that equally many named the first wins, and the share of the judges who named it is
    the ``participants`` of the record. A task for which no judge knows a time fills the whole day,
    and has no participants. That a bucket is of the weekend is lost, for the record has no date.

    Raises:
        DataError: If the file is damaged or holds no JSON array.
    """
    tasks = parsed(path)
    if not isinstance(tasks, list):
        raise DataError(f"{path}: holds no array of tasks; download the file again")
    for number, task in enumerate(map(mapping, tasks), 1):
        try:
            yield _record(task)
        except Unusable as reason:
            malformed.add(f"{path.name}:{number}", str(reason))


def _record(task: dict[str, object]) -> Record:
    name = key(task.get("ID"))
    if not name:
        raise Unusable("no ID")
    named = _named(items(task.get("TimeJudgements")))
    best = max(BUCKETS, key=lambda bucket: named[bucket])  # the first of equals
    known = named[best] > 0
    return Record(
        id=name,
        actors=(),
        day=UNDATED,
        minute=60 * HOURS[best.partition("-")[2]] if known else 0,
        minutes=0 if known else DAY,
        what=TASK,
        priority=0.5,
        participants=min(named[best] / JUDGES, 1.0),
        text=text(characters(task.get("TaskTitle"))),
        completion=0,
        confidence=0.9,
    )


def _named(judgements: list[object]) -> Counter[str]:
    """How many judges named each bucket."""
    if not judgements:
        raise Unusable("no TimeJudgements")
    named: Counter[str] = Counter()
    for judgement in map(mapping, judgements):
        if judgement.get("Known") == "yes":
            times = key(judgement.get("Times")).split(",")
            named.update({time.strip() for time in times} - {""})
    if not named.keys() <= set(BUCKETS):
        raise Unusable("unknown time of day")
    return named


SOURCE = ScheduleSource(
    name="ms_latte",
    title="MS-LaTTE to-do items at the time of day that most of five judges named",
    licence="CDLA-Permissive-2.0",
    home="https://github.com/microsoft/MS-LaTTE",
    layout=LAYOUT,
    files=files,
    read=read,
)
