"""An hour of GH Archive to a store, against merely decompressing and parsing it with orjson.

Both sides read the same file in this process and take turns; seconds are processor time, medians.
Ours hashes identifiers, finds duplicates, builds record and actor_day windows, writes, checks and
publishes them as well. The file is the first whole hour below BANDPASS_DATA, if that is set, else
generated with lines of the usual size.

Then the highest anonymous memory (``RssAnon`` in ``/proc/self/status``, so Linux) while stores of
growing size are prepared from generated hours, each in a process of its own.
"""

import argparse
import gzip
import os
import sys
import tempfile
from pathlib import Path

import _memory
import numpy as np
import orjson

from bandpass.data.schedule.prepare import Options, prepare_schedule
from bandpass.data.schedule.sources import find

CLAIM = "CPU time to prepare an hour of GH Archive, times that of decompressing and parsing it"
GOAL, EVENTS_GOAL = 1.3, 40_000
EVENTS = 8192
HOUR = Path("schedule", "gharchive", "2015-01-01-12.json.gz")
TEXT = "fix the parser of the lexer of the reader; " * 40


def real_hour() -> Path | None:
    """A whole hour as it was published, if real data are at hand."""
    root = os.environ.get("BANDPASS_DATA")
    return Path(root) / HOUR if root and (Path(root) / HOUR).is_file() else None


def write_hour(file: Path, number: int, events: int, text: str = "") -> None:
    """Write a look-alike: pushes of many people to many repositories."""
    draws = np.random.default_rng(number)
    person, repository = draws.integers(0, 10**7, events), draws.integers(0, 10**7, events)
    second = np.sort(draws.integers(0, 3600, events))
    day, hour = 1 + number // 24 % 28, number % 24
    with gzip.open(file, "wb", compresslevel=1) as out:
        for row in range(events):
            at = f"2015-01-{day:02}T{hour:02}:{second[row] // 60:02}:{second[row] % 60:02}Z"
            out.write(
                f'{{"id":"{number * events + row}","type":"PushEvent","actor":{{"id":{person[row]},'
                f'"login":"somebody","url":"https://api.github.com/users/somebody"}},"repo":{{"id":'
                f'{repository[row]},"name":"some/thing"}},"payload":{{"push_id":{row},"size":1,'
                f'"commits":[{{"sha":"{row:040x}","author":{{"name":"somebody"}},"message":'
                f'"{text}{row}"}}]}},"public":true,"created_at":"{at}"}}\n'.encode()
            )


def parse(file: Path) -> int:
    """The other side; returns the number of events."""
    with gzip.open(file) as lines:
        return sum(1 for line in lines if orjson.loads(line))


def prepare(raw: Path, store: Path) -> int:
    """Our side; returns the number of windows."""
    options = Options(workers=1, overwrite=True)
    return len(prepare_schedule(raw, store, [find("gharchive")], options).windows)


def race(folder: Path, turns: int) -> tuple[float, float]:
    """Median CPU seconds to prepare and to parse an hour; prints what was raced."""
    raw = folder / "raw"
    raw.mkdir()
    file = raw / "2015-01-01-12.json.gz"
    if real := real_hour():
        file.write_bytes(real.read_bytes())
    else:
        write_hour(file, 12, EVENTS, TEXT)
    events, windows = parse(file), prepare(raw, folder / "store")  # warms both sides up
    ours, theirs = _memory.race(lambda: prepare(raw, folder / "store"), lambda: parse(file), turns)
    what = "the real hour" if real else "a generated hour"
    per = events / ours
    verdict = "holds" if per >= EVENTS_GOAL else "falls short"
    print(f"{what}: {events:,} events, {windows:,} windows")
    print(f"events per CPU-second, prepared: {per:,.0f} (goal {EVENTS_GOAL:,}): {verdict}")
    print(f"events per CPU-second, parsed only: {events / theirs:,.0f}")
    return ours, theirs


def memory(folder: Path, windows: int) -> float:
    """Highest anonymous memory in MB while about so many windows are prepared; prints it."""
    raw = folder / f"raw-{windows}"
    raw.mkdir()
    events = windows * 10 // 28  # nearly every event is the first of two actors' days
    hours = max(events // 250_000, 1)
    for number in range(hours):
        write_hour(raw / f"2015-01-{number:02}-0.json.gz", number, events // hours)
    made, peak = _memory.apart(prepare, raw, folder / "store")
    print(f"{made:,} windows: peak anonymous memory {peak:.0f} MB")
    return peak


def main() -> int:
    """Print both sides, the memory and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50k and 500k windows, under 90 s")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        sizes = (50_000, 500_000) if quick else (50_000, 500_000, 5_000_000)
        peaks = [memory(Path(folder), windows) for windows in sizes]
        growth = (peaks[-1] - peaks[0]) * 1e6 / sizes[-1]
        print(f"memory grows by {growth:.1f} bytes a window from {sizes[0]:,} to {sizes[-1]:,}")
        ours, theirs = race(Path(folder), 5 if quick else 25)
    ratio = ours / theirs
    print(f"{CLAIM}: {ratio:.2f} (goal <= {GOAL}): {'holds' if ratio <= GOAL else 'falls short'}")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
