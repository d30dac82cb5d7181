"""A store of made-up days, so that a confirmation can be tried without data and within a minute."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bandpass.data import open_store
from bandpass.data.atomic import publishing
from bandpass.data.schedule.record import UNDATED, Record, participants, text
from bandpass.data.schedule.records import Hasher, by_day, merge, pack, runs_of
from bandpass.data.schedule.store import (
    ACTOR_DAY,
    RECORD_WINDOW,
    WINDOW,
    ScheduleStore,
    ScheduleWriter,
)
from bandpass.data.schedule.tokens import CALENDAR, CODE, DAY, DEADLINE, EMAIL, PROJECT

FEW_STEPS = ("train.steps=12", "train.batch=16", "train.log_every=4", "train.checkpoint_every=8")
"""Changes of a recipe that end soon."""

RECORDS = {"meetings": 220, "mail": 260, "code": 240, "edges": 40}
"""Of each made-up dataset: three with a daily rhythm, and one that knows no time and is too small
for runs of its own."""

_FIRST_DAY = 19_723  # 2024-01-01, a Monday
_WEEKS = 8
_PEOPLE = 6


def look_alike(path: Path) -> ScheduleStore:
    """Open the store of made-up days at ``path``; write it first if it is not there."""
    if not path.exists():
        with publishing(path, overwrite=False) as folder:
            writer = ScheduleWriter(folder)
            about = [_write(writer, place, name) for place, name in enumerate(RECORDS)]
            writer.finish({"datasets": about})
    store = open_store(path)
    assert isinstance(store, ScheduleStore)
    return store


def _write(writer: ScheduleWriter, dataset: int, name: str) -> dict[str, Any]:
    """Write the windows of one dataset; returns its entry of the manifest."""
    packed = pack(_records(name), Hasher(b"made up", name)).records
    windows = np.zeros(len(packed), WINDOW)
    windows["id"], windows["actor"], windows["day"] = (packed[n] for n in ("id", "owner", "day"))
    windows["dataset"], windows["kind"], windows["events"] = dataset, RECORD_WINDOW, 1
    writer.add(windows, runs_of(packed), np.arange(len(packed)))
    runs, of, day = by_day(packed)
    who_when = np.stack([packed["owner"][of], day.astype(np.int64).view(np.uint64)], axis=1)
    keys, window, events = np.unique(who_when, axis=0, return_inverse=True, return_counts=True)
    days = np.zeros(len(keys), WINDOW)
    days["actor"], days["day"] = keys[:, 0], keys[:, 1].view(np.int64)
    days["id"] = keys[:, 0] ^ (keys[:, 1] * np.uint64(0x9E3779B97F4A7C15))
    days["dataset"], days["kind"], days["events"] = dataset, ACTOR_DAY, events
    if len(keys):
        writer.add(days, *merge(runs, window.reshape(-1), len(keys)))
    return {
        "name": name,
        "licence": "made up",
        "records": len(packed),
        "windows": {"record": len(packed), "actor_day": len(keys)},
        "timeless": not len(keys),
        "note": "made up by `bandpass confirm --smoke`",
    }


def _records(name: str) -> Iterator[Record]:
    """Days of a few people, each a bit earlier or later than the others, hardly any on weekends."""
    draw = np.random.default_rng(list(RECORDS).index(name))
    for number in range(RECORDS[name]):
        person = int(draw.integers(_PEOPLE))
        late = 15 * person
        week, weekday = int(draw.integers(_WEEKS)), int(draw.choice(7, p=_WEEK))
        day = _FIRST_DAY + 7 * week + weekday
        identity = (f"{name} {number}", (f"u:{person}",))
        if name == "edges":
            yield Record(*identity, UNDATED, 0, DAY, EMAIL, 0.0, participants(2), 0.0, 0.0, 0.3)
        elif name == "meetings":
            start = int(draw.choice((540, 600, 840))) + late
            length, people = int(draw.choice((30, 60, 90))), int(draw.integers(2, 12))
            amounts = (0.0, participants(people), text(40 * people), 0.0, 1.0)
            yield Record(*identity, day, start, length, CALENDAR, *amounts)
        else:
            peak, what = (660, EMAIL) if name == "mail" else (1080, PROJECT | CODE)
            minute = int(np.clip(draw.normal(peak + late, 120), 0, DAY - 1))
            due = DEADLINE if name == "code" and draw.random() < 0.2 else 0
            written = text(int(draw.integers(10, 1500)))
            done = float(name == "code" and draw.random() < 0.5)
            amounts = (0.5 if due else 0.0, participants(2), written, done, 0.8)
            yield Record(*identity, day, minute, 0, what | due, *amounts)


_WEEK = np.array([0.19, 0.19, 0.19, 0.19, 0.19, 0.03, 0.02])
