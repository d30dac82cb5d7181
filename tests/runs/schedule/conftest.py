"""A small schedule store of people with habits: hours, weekends, deadlines, code."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandpass.data import open_store
from bandpass.data.schedule.record import Record
from bandpass.data.schedule.records import Hasher, by_day, merge, pack, runs_of
from bandpass.data.schedule.store import ACTOR_DAY, RECORD_WINDOW, WINDOW, ScheduleWriter
from bandpass.data.schedule.tokens import CALENDAR, CODE, DEADLINE, HOLIDAY, PROJECT, TASK
from bandpass.recipes import Recipe, find, override
from bandpass.runs import train

FIRST = 19_000
TINY = (
    *("steps=30", "batch=8", "log_every=10", "checkpoint_every=30", "device=cpu"),
    *("encoder.patch=8", "encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)


def habits(name: str, actors: int, days: int, seed: int) -> list[Record]:
    """Everybody has an hour; few work at the weekend; some write code; a deadline is rare."""
    generator = np.random.default_rng(seed)
    found = []
    for actor in range(actors):
        hour, code = generator.uniform(6, 20), actor % 2
        for day in range(FIRST, FIRST + days):
            weekend = (day + 3) % 7 >= 5
            for _ in range(generator.poisson(0.3 if weekend else 2.0)):
                minute = int(np.clip(60 * hour + generator.normal(0, 60), 0, 1439))
                what = (CODE if code else TASK) | PROJECT
                what |= DEADLINE if generator.random() < 0.1 else 0
                amounts = (0.5, 0.1, float(generator.random()) / 2)
                done = float(generator.random() < 0.3)
                place = f"{name} {actor} {len(found)}"
                minutes = int(generator.integers(0, 90))
                trust = 0.9 if name == "one" else 0.8
                who = (f"u:{actor}",)
                found.append(Record(place, who, day, minute, minutes, what, *amounts, done, trust))
    return found


def holidays(days: int) -> list[Record]:
    what = CALENDAR | HOLIDAY
    return [
        Record(f"holiday {day}", ("p:country",), FIRST + day, 0, 1440, what, 0, 0, 0.01, 0, 1)
        for day in range(0, days, 3)
    ]


def fill(path: Path, datasets: dict[str, list[Record]]) -> Path:
    """Write record windows and actor days of every dataset."""
    path.mkdir()
    writer = ScheduleWriter(path)
    for number, (name, records) in enumerate(datasets.items()):
        packed = pack(records, Hasher(b"key", name)).records
        windows = np.zeros(len(packed), WINDOW)
        windows["id"], windows["actor"] = packed["id"], packed["owner"]
        windows["day"], windows["events"] = packed["day"], 1
        windows["dataset"], windows["kind"] = number, RECORD_WINDOW
        writer.add(windows, runs_of(packed), np.arange(len(packed)))
        runs, of, day = by_day(packed)
        keys = np.stack([packed["owner"][of], day.astype(np.uint64)], axis=1)
        unique, window, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        windows = np.zeros(len(unique), WINDOW)
        windows["actor"], windows["day"] = unique[:, 0], unique[:, 1].astype(np.int32)
        windows["id"] = unique[:, 0] ^ (unique[:, 1] << np.uint64(40))
        windows["events"], windows["dataset"], windows["kind"] = count, number, ACTOR_DAY
        writer.add(windows, *merge(runs, window.reshape(-1), len(unique)))
    entries = [{"name": name, "timeless": False} for name in datasets]
    writer.finish({"datasets": entries})
    return path


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schedule")
    people = {name: habits(name, 30, 60, seed) for seed, name in enumerate(("one", "two"))}
    return fill(folder / "store", people | {"calendar": holidays(60)})


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    return lambda *changes: override(find("schedule-base"), [*TINY, *changes])


@pytest.fixture(scope="session")
def run(
    tmp_path_factory: pytest.TempPathFactory, recipe: Callable[..., Recipe], store: Path
) -> Path:
    """A finished run; nothing may be written into it but evaluations."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    assert train(recipe(), open_store(store), path, with_control=False)
    return path
