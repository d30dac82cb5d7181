"""Batches of windows: gathered from a store, against a per-item Dataset and a DataLoader.

Both sides read the same rows of the same generated plant in the same order, hand out the same
values and masks (checked) through a DataLoader without workers, and take turns. The per-item side
is what one writes first: slice, mask, let the loader stack. Its values lie in memory, ours in the
store's memory map. The claim is about gathering alone, from series without gaps; looking for gaps
and normalising is the same arithmetic on both sides, and the ratios with them are printed first.
Seconds are processor time on one thread: on a busy machine the wall clock would charge the slower
side for being interrupted more often.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bandpass.data import Store, Windows, as_is, prepare
from bandpass.data.sources import SOURCES

CLAIM = "window gathering, 8 gapless channels, times the throughput of a per-item Dataset"
GOAL = 20.0
LENGTH, STRIDE, BATCH, TURN = 128, 32, 256, 10

T = TypeVar("T")


class SlidingWindows(Dataset[tuple[Tensor, Tensor]]):
    """Materialises one window per item."""

    def __init__(self, windows: Windows) -> None:
        store = windows.store
        series, start = windows.locate(np.arange(len(windows)))
        self.values = np.array(store.column("values"))
        self.start = (store.series["offset"].to_numpy()[series] + start).tolist()
        self.entity = windows.entities().tolist()
        self.normalize = windows.normalize
        self.mean, self.std = (torch.from_numpy(m.astype(np.float32)) for m in store.moments)

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        start, entity = self.start[index], self.entity[index]
        window = torch.tensor(self.values[start : start + LENGTH])
        observed = ~torch.isnan(window)
        if self.normalize == "entity":
            window = ((window - self.mean[entity]) / self.std[entity]).clamp(-10.0, 10.0)
        return torch.nan_to_num(window, nan=0.0), observed


@dataclass(frozen=True)
class Sides:
    """Processor seconds per batch of the two."""

    ours: list[float]
    per_item: list[float]

    @property
    def ratio(self) -> float:
        """Median of theirs over median of ours."""
        return median(self.per_item) / median(self.ours)


def compare(store: Store, rounds: int, normalize: str) -> Sides:
    """Time both sides in turns of a few batches over the same random draws."""
    windows = Windows(store, LENGTH, STRIDE, "train", normalize=normalize)
    draws = np.random.default_rng(0).integers(0, len(windows), (rounds * TURN, BATCH)).tolist()
    ours = iter(DataLoader(windows, batch_sampler=draws, collate_fn=as_is))
    per_item = iter(DataLoader(SlidingWindows(windows), batch_sampler=draws))
    sides = Sides([], [])
    for _ in range(rounds):
        gathered, seconds = timed(ours)
        sides.ours.extend(seconds)
        items, seconds = timed(per_item)
        sides.per_item.extend(seconds)
        values, observed = items
        torch.testing.assert_close(gathered.values, values, rtol=1e-5, atol=1e-5)
        assert torch.equal(gathered.observed, observed)
    return sides


def timed(batches: Iterator[T]) -> tuple[T, list[float]]:
    """Take one turn; return its last batch and the processor seconds of each."""
    seconds = []
    for _ in range(TURN):
        start = time.process_time()
        batch = next(batches)
        seconds.append(time.process_time() - start)
    return batch, seconds


def stores(rows: int) -> Iterator[Store]:
    """Prepare plants of 4 series, with 1% of the values missing and with none."""
    with tempfile.TemporaryDirectory() as folder:
        for channels, missing in ((38, 0.01), (8, 0.01), (38, 0.0), (8, 0.0)):
            options: dict[str, Any] = {"series": 4, "rows": rows, "channels": channels}
            options |= {"missing_rate": missing, "corrupt": missing}
            yield prepare(
                SOURCES["plant"], folder, Path(folder) / f"{channels}-{missing}", **options
            )


def main() -> int:
    """Print both sides for several kinds of series; the claim is about the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 40 s")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)  # items are too small to share; ours shall not profit either
    rows, rounds = (25_000, 6) if quick else (250_000, 40)
    print(f"medians of {rounds * TURN} batches of {BATCH} windows of {LENGTH} rows")
    ratio = 0.0
    for store in stores(rows):
        for normalize in ("entity", "none"):
            sides = compare(store, rounds, normalize)
            ratio = sides.ratio
            gaps = "gaps" if store.missing else "gapless"
            print(
                f"{len(store.channels):3} channels, {gaps}, normalize {normalize}: "
                f"store {BATCH / median(sides.ours):,.0f} windows/s, "
                f"per item {BATCH / median(sides.per_item):,.0f} windows/s, ratio {ratio:.1f}"
            )
    holds = ratio >= GOAL
    print(f"{CLAIM}: {ratio:.1f} (goal >= {GOAL:.0f}): {'holds' if holds else 'falls short'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
