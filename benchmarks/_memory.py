"""What benchmarks share: the highest memory of a process, and two sides that take turns."""

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from statistics import median

Prepare = Callable[[Path, Path], int]
"""Makes a store of raw files; returns how much is in it."""


class Peak:
    """Highest anonymous resident memory seen, in MB, looked at fifty times a second."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._done = threading.Event()

    def watch(self) -> None:
        """Look until told to stop."""
        self.look()
        while not self._done.wait(0.02):
            self.look()

    def look(self) -> None:
        """Look once."""
        status = Path("/proc/self/status").read_text().splitlines()
        (line,) = (line for line in status if line.startswith("RssAnon:"))
        self.megabytes = max(self.megabytes, int(line.split()[1]) * 1024 / 1e6)

    def stop(self) -> None:
        """Look a last time."""
        self._done.set()
        self.look()


@contextmanager
def watched() -> Iterator[Peak]:
    """Watch this process while the block runs."""
    peak = Peak()
    thread = threading.Thread(target=peak.watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.stop()
        thread.join()


def apart(prepare: Prepare, raw: Path, store: Path) -> tuple[int, float]:
    """Prepare in a process of its own; returns what that returns, and its peak in MB."""
    context = multiprocessing.get_context("spawn")
    found: SimpleQueue[tuple[int, float]] = context.SimpleQueue()
    process = context.Process(target=_tell, args=(prepare, raw, store, found))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"the process that prepared {raw} failed")
    return found.get()


def seconds(run: Callable[[], int]) -> float:
    """Processor time of a call."""
    start = time.process_time()
    run()
    return time.process_time() - start


def race(ours: Callable[[], int], theirs: Callable[[], int], turns: int) -> tuple[float, float]:
    """Median processor time of both sides, which take turns."""
    found = [(seconds(ours), seconds(theirs)) for _ in range(turns)]
    return median(our for our, _ in found), median(their for _, their in found)


def _tell(
    prepare: Prepare, raw: Path, store: Path, found: "SimpleQueue[tuple[int, float]]"
) -> None:
    with watched() as peak:
        made = prepare(raw, store)
    found.put((made, peak.megabytes))
