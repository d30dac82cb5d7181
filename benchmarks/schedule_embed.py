"""Windows that the encoder of `schedule-base` embeds in a processor second, on one thread.

Through `SlotEncoder`, from arrays to pooled embeddings, as a scheduler calls it; beside it the
bare forward of the same encoder over tensors that are there already. Both take turns.
"""

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from bandpass.data.schedule.tokens import CODE, FEATURES, RUN, SLOTS, TASK, dense
from bandpass.recipes import build_jepa, find
from bandpass.scoring import SlotEncoder
from bandpass.scoring.frozen import BATCH

CLAIM = "schedule-base, windows embedded per CPU-second"
GOAL = 690.0


def some_days(windows: int) -> np.ndarray:
    """Days of eight short events each."""
    generator = np.random.default_rng(0)
    runs = np.zeros(8 * windows, RUN)
    runs["slot"] = np.tile(np.arange(0, SLOTS, 12), windows) + generator.integers(0, 8, len(runs))
    runs["slots"] = generator.integers(1, 5, len(runs))
    runs["what"] = generator.choice([TASK, CODE], len(runs))
    runs["text_length"] = generator.integers(0, 1001, len(runs))
    out = np.empty((windows, SLOTS, len(FEATURES)), np.float32)
    return dense(runs, np.repeat(np.arange(windows), 8), out)


def rate(embed: Callable[[], object], windows: int) -> float:
    """Windows per processor second."""
    start = time.process_time()
    embed()
    return windows / (time.process_time() - start)


def main() -> int:
    """Print both, the claim is about `SlotEncoder`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 20 s")
    rounds = 5 if parser.parse_args().quick else 30
    torch.set_num_threads(1)
    jepa = build_jepa(find("schedule-base"), len(FEATURES)).eval()
    encoder, days = SlotEncoder(jepa), some_days(2 * BATCH)
    values = torch.from_numpy(days)
    seen = torch.ones(1, 1, 1, dtype=torch.bool).expand_as(values)

    def bare() -> None:
        with torch.no_grad():
            for start in range(0, len(days), BATCH):
                jepa.encoder(values[start : start + BATCH], seen[start : start + BATCH])

    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(rate(lambda: encoder.windows(days), len(days)))
        theirs.append(rate(bare, len(days)))
    found = median(ours)
    print(f"SlotEncoder {found:,.0f} windows/s, bare forward {median(theirs):,.0f} windows/s")
    holds = found >= GOAL
    print(f"{CLAIM}: {found:,.0f} (goal >= {GOAL:.0f}): {'holds' if holds else 'falls short'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
