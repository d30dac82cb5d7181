"""The full scale of the reference run: 6.7 million look-alike records, prepared, split, streamed.

    python experiments/schedule_scale.py --work DIR [--records 6700000] [--workers N]

Writes look-alike hours of GH Archive and Jira issues in the shares of the reference run below
DIR/raw, prepares them into DIR/store, splits the store anew with three seeds by each rule, and
rebuilds every training window once, in shuffled batches. Every stage tells its time and the highest
anonymous memory of this process and its workers together (Linux), which must stay under 2 GB. A
repeat takes the raw files that are there.
"""

import argparse
import gzip
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import torch

from bandpass.data.schedule.prepare import Options, Seen, prepare_schedule
from bandpass.data.schedule.sources import find
from bandpass.data.schedule.splits import RULES
from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.schedule.windows import ScheduleCut, ScheduleWindows

RECORDS = 6_700_000
GITHUB = 0.586  # of the records; the rest are issues
FILE = 100_000
LIMIT = 2e9
SEEDS = range(3)
BATCH = 256
FIRST = datetime(2015, 1, 1, tzinfo=UTC)
EVENT = (
    '{{"id":"{}","type":"{}","actor":{{"id":{}}},"repo":{{"id":{}}},"payload":{{{}}},'
    '"public":true,"created_at":"{:%Y-%m-%dT%H:%M:%S}Z"}}\n'
)
KINDS = (
    ("PushEvent", '"commits":[{"message":"fix the lexer"}]'),
    ("IssuesEvent", '"action":"closed","issue":{"title":"it breaks","body":"when I push"}'),
    ("IssueCommentEvent", '"action":"created","comment":{"body":"so it does"}'),
    ("WatchEvent", '"action":"started"'),
)
ISSUE = (
    '{{"key":"P{}-{}","fields":{{"summary":"it breaks","description":"whenever {} is pushed",'
    '"created":"{:%Y-%m-%dT%H:%M:%S}.000+0000","priority":{{"name":"{}"}},"duedate":{},'
    '"resolutiondate":null,"reporter":{{"name":"u{}"}},"assignee":{{"name":"u{}"}}}}}}\n'
)
PRIORITIES = ("Blocker", "Critical", "Major", "Minor", "Trivial")


def events(number: int, count: int) -> Iterator[str]:
    """Yield the events of one hour."""
    draws = np.random.default_rng([0, number])
    kind, person = draws.integers(0, len(KINDS), count), draws.zipf(1.3, count) % 400_000
    repository, second = draws.integers(0, 10**6, count), np.sort(draws.integers(0, 3600, count))
    start = FIRST + timedelta(hours=number)
    for row, (k, p, r, s) in enumerate(
        zip(*map(np.ndarray.tolist, (kind, person, repository, second)), strict=True)
    ):
        name, payload = KINDS[k]
        at = start + timedelta(seconds=s)
        yield EVENT.format(number * FILE + row, name, p + 1, r + 1, payload, at)


def issues(number: int, count: int) -> Iterator[str]:
    """Yield issues of many projects over ten years."""
    draws = np.random.default_rng([1, number])
    minute = draws.integers(0, 5_000_000, count).tolist()
    people = draws.integers(0, 200_000, (count, 2)).tolist()
    level, due = draws.integers(0, len(PRIORITIES), count).tolist(), draws.random(count) < 0.1
    for row in range(count):
        at = FIRST + timedelta(minutes=minute[row])
        deadline = f'"{at + timedelta(days=9):%Y-%m-%d}"' if due[row] else "null"
        key = number * FILE + row
        yield ISSUE.format(key % 1500, key, row, at, PRIORITIES[level[row]], deadline, *people[row])


def generate(raw: Path, records: int) -> None:
    """Write the raw files that are not there yet."""
    shares = {"gharchive": int(records * GITHUB), "public_jira": records - int(records * GITHUB)}
    for name, total in shares.items():
        (raw / name).mkdir(parents=True, exist_ok=True)
        for number, start in enumerate(range(0, total, FILE)):
            count = min(FILE, total - start)
            hour = f"{FIRST + timedelta(hours=number):%Y-%m-%d}-{number % 24}.json.gz"
            file = raw / name / (hour if name == "gharchive" else f"issues-{number:03}.jsonl.gz")
            if file.exists():
                continue
            partial = file.with_suffix(".partial")
            with gzip.open(partial, "wt", compresslevel=1) as out:
                out.writelines(
                    events(number, count) if name == "gharchive" else issues(number, count)
                )
            partial.rename(file)


def anonymous(process: int | None) -> int:
    """Anonymous resident bytes of a process; none once it has ended."""
    with suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))
    return 0


@contextmanager
def stage(name: str, peaks: dict[str, int]) -> Iterator[None]:
    """Time a stage and watch the memory of this process and of those that it has started."""
    done, peaks[name] = threading.Event(), 0

    def watch() -> None:
        while not done.wait(0.05):
            workers = [child.pid for child in multiprocessing.active_children()]
            peaks[name] = max(peaks[name], sum(map(anonymous, (os.getpid(), *workers))))

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.monotonic()
    try:
        yield
    finally:
        done.set()
        thread.join()
    print(f"{name}: {time.monotonic() - start:.1f} s, peak {peaks[name] / 1e6:.0f} MB", flush=True)


def prepare(work: Path, workers: int | None) -> ScheduleStore:
    """Prepare both datasets and tell the size of their windows."""
    told: list[str] = []

    def tell(seen: Seen) -> None:
        if seen.stage not in told:
            told.append(seen.stage)
            print(f"  {seen.stage}", flush=True)

    sources = [find("gharchive"), find("public_jira")]
    store = prepare_schedule(
        work / "raw", work / "store", sources, Options(workers, overwrite=True), tell
    )
    count, raw = len(store.windows), sum(f.stat().st_size for f in (work / "raw").rglob("*.gz"))
    size = sum(file.stat().st_size for file in store.path.iterdir())
    for entry in store.manifest["datasets"]:
        print(f"  {entry['name']}: {entry['records']:,} records, windows {entry['windows']}")
    print(f"  {count:,} windows, {size / count:.1f} bytes a window; raw files {raw / 1e6:,.0f} MB")
    return store


def split(store: ScheduleStore) -> None:
    """Split the store anew by every rule and seed."""
    for rule in RULES:
        for seed in SEEDS:
            start = time.monotonic()
            cut = ScheduleCut(split=rule, split_seed=seed)
            train, test = (len(ScheduleWindows(store, side, cut)) for side in ("train", "test"))
            seconds = time.monotonic() - start
            print(
                f"  {rule}, seed {seed}: {train:,} train, {test:,} test, {seconds:.1f} s",
                flush=True,
            )


def stream(store: ScheduleStore) -> None:
    """Rebuild every training window once, in batches and shuffled."""
    train = ScheduleWindows(store, "train", ScheduleCut())
    order = np.random.default_rng(0).permutation(len(train))
    start, total = time.monotonic(), 0.0
    for first in range(0, len(order), BATCH):
        total += float(train[order[first : first + BATCH]].values.mean())
    seconds = time.monotonic() - start
    rate, mean = len(order) / seconds, total * BATCH / len(order)
    print(f"  {len(order):,} windows, {rate:,.0f} windows/s, mean {mean:.4f}")


def main() -> int:
    """Run all stages and hold their memory against the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for raw files and store")
    parser.add_argument(
        "--records", type=int, default=RECORDS, help=f"in all (default {RECORDS:,})"
    )
    parser.add_argument("--workers", type=int, default=None, help="processes (default: all CPUs)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    peaks: dict[str, int] = {}
    with stage("generate", peaks):
        generate(given.work / "raw", given.records)
    with stage("prepare", peaks):
        store = prepare(given.work, given.workers)
    with stage("split", peaks):
        split(store)
    with stage("stream", peaks):
        stream(store)
    highest = max(peaks.values())
    verdict = "holds" if highest < LIMIT else "falls short"
    print(f"peak anonymous memory, GB: {highest / 1e9:.2f} (goal < {LIMIT / 1e9:g}): {verdict}")
    return 0 if highest < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
