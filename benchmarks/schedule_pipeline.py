"""Schedule windows from the store into tensors, against the same windows from gzip JSON lines.

Both sides make the same float32 batches (checked) and take turns. The store is read through
`ScheduleWindows`, shuffled; the lines in the order of the file, which is the best case for them,
decoded with the standard json module and with orjson and brought to an array a batch at a time.
Seconds are processor time on one thread. Bytes are those of the whole store, identifiers and all,
against the lines that `bandpass export` writes for the same windows.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import orjson
import torch
from torch import Tensor

from bandpass.data import ScheduleStore, ScheduleWindows
from bandpass.data.manifest import read_manifest
from bandpass.data.schedule.jsonl import write_windows
from bandpass.data.schedule.prepare import Options, prepare_schedule
from bandpass.data.schedule.records import RECORD, by_day, merge, runs_of
from bandpass.data.schedule.sources import find
from bandpass.data.schedule.store import ACTOR_DAY, WINDOW, ScheduleWriter
from bandpass.data.schedule.tokens import CODE, PROJECT, TASK
from bandpass.data.schedule.windows import ScheduleCut

CLAIM = (
    "schedule windows, times gzip JSON lines with json, with orjson; bytes of theirs, packed, plain"
)
GOALS = (100.0, 15.0, 0.5, 0.01)
DATASETS = ("gharchive", "enron_cornell", "public_jira")
"""Real ones that are quickly read and have both kinds of windows."""
BATCH = 256
LINES = 4 * BATCH
"""Decoded in a turn; as many windows are checked."""

TURN = 100
"""Batches that are read from the store in a turn."""


def decode(
    file: Path, loads: Callable[[bytes], dict[str, list[list[list[float]]]]]
) -> list[Tensor]:
    """Read the first lines of a file into batches."""
    with gzip.open(file) as lines:
        some = islice(lines, LINES)
        return [
            torch.from_numpy(np.array([loads(line)["tokens"] for line in batch], np.float32))
            for batch in iter(lambda: list(islice(some, BATCH)), [])
        ]


def timed(read: Callable[[], object], windows: int) -> float:
    """Processor seconds for a window."""
    start = time.process_time()
    read()
    return (time.process_time() - start) / windows


def speeds(store: ScheduleStore, file: Path, rounds: int) -> tuple[float, float]:
    """Print what each side does in a second; return how many times theirs ours is."""
    windows = ScheduleWindows(store, None, ScheduleCut(timeless=1.0))
    draws = np.random.default_rng(0).integers(0, len(windows), (TURN, BATCH))
    expected = [windows[np.arange(i, i + BATCH)].values for i in range(0, LINES, BATCH)]
    torch.testing.assert_close(decode(file, json.loads), expected, rtol=0.0, atol=1e-6)
    sides: dict[str, Callable[[], object]] = {
        "store": lambda: [windows[draw] for draw in draws],
        "json": lambda: decode(file, json.loads),
        "orjson": lambda: decode(file, orjson.loads),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, read in sides.items():
            seconds[name].append(timed(read, TURN * BATCH if name == "store" else LINES))
    middle = {name: median(each) for name, each in seconds.items()}
    for name, each in middle.items():
        print(f"{name}: {1 / each:,.0f} windows per CPU-second, {each * 1e6:.1f} us each")
    return middle["json"] / middle["store"], middle["orjson"] / middle["store"]


def sizes(store: ScheduleStore, file: Path) -> tuple[float, float]:
    """Print bytes per window; return ours as a share of theirs, packed and plain."""
    count = len(store.windows)
    ours = sum(column.stat().st_size for column in store.path.iterdir()) / count
    with gzip.open(file) as lines:
        plain = sum(iter(lambda: len(lines.read(1 << 20)), 0)) / count
    packed = file.stat().st_size / count
    print(f"bytes per window: store {ours:.1f}, .jsonl.gz {packed:.1f}, plain JSON {plain:,.0f}")
    return ours / packed, ours / plain


def prepared(folder: Path) -> ScheduleStore:
    """Prepare ``DATASETS`` from $BANDPASS_DATA, or generate a store; say which."""
    data = os.environ.get("BANDPASS_DATA")
    if data is None:
        print("generated windows: set BANDPASS_DATA for real ones")
        return generate(folder / "store")
    print(f"real windows of {', '.join(DATASETS)}")
    sources = [find(name) for name in DATASETS]
    return prepare_schedule(Path(data) / "schedule", folder / "store", sources, Options(workers=1))


def generate(path: Path, people: int = 4000, days: int = 10, seed: int = 0) -> ScheduleStore:
    """A few events a day for everybody, most of them moments, and the days they make."""
    generator = np.random.default_rng(seed)
    count = people * days * 2
    records = np.zeros(count, RECORD)
    records["id"] = generator.integers(1, 2**63, count)
    records["owner"] = generator.integers(1, 2**63, people)[generator.integers(0, people, count)]
    records["day"] = 19_000 + generator.integers(0, days, count)
    records["minute"] = generator.integers(0, 1440, count)
    records["minutes"] = np.where(generator.random(count) < 0.1, 60, 0)
    records["what"] = PROJECT | generator.choice([CODE, TASK], count)
    records["text_length"] = generator.integers(0, 1001, count)
    records["source_confidence"] = 900
    windows = np.zeros(count, WINDOW)
    windows["id"], windows["actor"], windows["events"] = records["id"], records["owner"], 1
    windows["day"] = records["day"]
    path.mkdir()
    writer = ScheduleWriter(path)
    writer.add(windows, runs_of(records), np.arange(count))
    runs, of, day = by_day(records)
    key = records["owner"][of] + day.astype(np.uint64)
    distinct, first, window, events = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    windows = np.zeros(len(distinct), WINDOW)
    windows["id"], windows["actor"], windows["day"] = (
        distinct,
        records["owner"][of[first]],
        day[first],
    )
    windows["events"], windows["kind"] = events, ACTOR_DAY
    writer.add(windows, *merge(runs, window.astype(np.int64), len(distinct)))
    writer.finish({"datasets": [{"name": "generated", "timeless": False}]})
    return ScheduleStore(path, read_manifest(path))


def main() -> int:
    """Print both sides; all four goals have to be met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 60 s")
    rounds = 3 if parser.parse_args().quick else 15
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store, file = prepared(Path(folder)), Path(folder) / "windows.jsonl.gz"
        print(f"{len(store.windows):,} windows, medians of {rounds} turns")
        write_windows(store, np.arange(len(store.windows)), file)
        found = (*speeds(store, file, rounds), *sizes(store, file))
    json_, orjson_, packed, plain = found
    holds = json_ >= GOALS[0] and orjson_ >= GOALS[1] and packed <= GOALS[2] and plain <= GOALS[3]
    goals = ">= {:.0f}, >= {:.0f}; <= {:.2f}, <= {:.3f}".format(*GOALS)
    figures = f"{json_:.0f}, {orjson_:.0f}; {packed:.4f}, {plain:.4f}"
    print(f"{CLAIM}: {figures} (goal {goals}): {'holds' if holds else 'falls short'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
