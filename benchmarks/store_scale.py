"""A store much larger than memory should be: prepare it, sample it, watch the anonymous memory.

Generates plants until their values fill ``--gigabytes``, prepares them into a store under
``--folder``, which is removed afterwards, and draws random windows from all over it. Only anonymous
pages count (``RssAnon`` in ``/proc/self/status``, so Linux): mapped pages of the store belong to
the page cache and are given back when others need them.
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

import _memory
import numpy as np
import torch

from bandpass.data import Store, Windows, prepare
from bandpass.data.sources import SOURCES

CLAIM = "peak anonymous memory while preparing and sampling {:.1f} GB, GB"
GOAL = 1.0
ROWS, CHANNELS = 100_000, 64
LENGTH, STRIDE, BATCH = 128, 32, 256


def sample(store: Store, count: int) -> tuple[Windows, float]:
    """Draw windows from all over the store; return them numbered, and windows per second."""
    windows = Windows(store, LENGTH, STRIDE, "train")
    draws = np.random.default_rng(0).integers(0, len(windows), count)
    start = time.perf_counter()
    for first in range(0, count, BATCH):
        windows[draws[first : first + BATCH]]
    return windows, count / (time.perf_counter() - start)


def main() -> int:
    """Prepare, sample, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=10.0, help="of values (default 10)")
    parser.add_argument("--windows", type=int, default=100_000, help="to draw (default 100000)")
    parser.add_argument("--folder", default=None, help="where to put the store (default: /tmp)")
    parser.add_argument("--quick", action="store_true", help="0.2 GB, under 40 s")
    arguments = parser.parse_args()
    gigabytes = 0.2 if arguments.quick else arguments.gigabytes
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that the folder goes too
    series = max(round(gigabytes * 1e9 / (4 * ROWS * CHANNELS)), 1)

    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, _memory.watched() as peak:
        start = time.perf_counter()
        store = prepare(
            SOURCES["plant"],
            folder,
            Path(folder) / "store",
            progress=lambda name, rows: print(f"\r{name}: {rows:,} rows", end="", flush=True),
            series=series,
            rows=ROWS,
            channels=CHANNELS,
        )
        seconds = time.perf_counter() - start
        size = store.column("values").nbytes / 1e9
        print(f"\rprepared {size:.2f} GB, {store.rows:,} rows, in {seconds:.0f} s (generated too)")
        prepared = peak.megabytes / 1e3
        windows, rate = sample(store, arguments.windows)
        print(f"sampled {arguments.windows:,} of {len(windows):,} windows at {rate:,.0f} windows/s")

    whole = peak.megabytes / 1e3
    print(f"peak anonymous memory: {prepared:.2f} GB preparing, {whole:.2f} GB in all")
    holds = whole < GOAL
    verdict = "holds" if holds else "falls short"
    print(f"{CLAIM.format(size)}: {whole:.2f} (goal < {GOAL:g}): {verdict}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
