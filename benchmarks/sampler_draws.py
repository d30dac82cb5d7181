"""The surprise band at 6.7 million windows: memory, draws and updates.

Three claims. Memory: bytes a window that construction leaves allocated, all columns included.
Draws: 256 against torch.multinomial with the weights already there, while the band's time includes
all that a draw does: lambda and quantiles at every refresh, probabilities of all cells, and the
windows. Updates: recording a batch of 256 losses against drawing one. Times are of one thread's
work, not of the clock, so that a busy machine does not decide, and the two sides take turns. Run it
as ``python benchmarks/sampler_draws.py [--quick]``.
"""

import argparse
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import torch

from bandpass.curriculum import BandSettings, Draw, SurpriseBand

SLOTS, CLAIMED = 256, 6_700_000
BESIDE = [20_000, 2_000_000]
MOST_BYTES, LEAST_RATIO, MOST_STEP = 12.0, 100.0, 5.0
SETTINGS = BandSettings(warm_up=0.2, cool_down=0.0)


def allocated(n: int) -> tuple[float, float]:
    """Bytes a window that a band of n holds, and that its construction took at the most."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    band = SurpriseBand(n, SLOTS, steps=100, settings=SETTINGS)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # What a band of one window holds as well (histograms, cells) is no cost of a window.
    del band
    tracemalloc.start()
    small = SurpriseBand(1, SLOTS, steps=100, settings=SETTINGS)
    fixed, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del small
    return (after - before - fixed) / n, (peak - before) / n


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds that this thread spends on something."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def measure(n: int, steps: int, every: int) -> tuple[float, float, float]:
    """Mean CPU seconds of a draw, of a step and of torch.multinomial (once `every` steps)."""
    band = SurpriseBand(n, SLOTS, steps=steps + 1, settings=SETTINGS)
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    level = rng.lognormal(0, 0.5, n).astype(np.float32)
    draws: Iterator[Draw] = iter(band)
    drawing: list[float] = []
    stepping: list[float] = []
    choosing: list[float] = []
    drawn: list[Draw] = []
    for number in range(steps):
        draw_seconds = seconds(lambda: drawn.append(next(draws)))
        draw = drawn.pop()
        losses = torch.from_numpy(level[draw] * rng.lognormal(0, 0.2, SLOTS))
        step_seconds = seconds(lambda draw=draw, losses=losses: band.step(draw, losses))
        if number < steps * SETTINGS.warm_up:
            continue
        drawing.append(draw_seconds)
        stepping.append(step_seconds)
        if number % every == 0:
            p = torch.from_numpy(band.probabilities())
            choosing.append(
                seconds(
                    lambda p=p: torch.multinomial(p, SLOTS, replacement=True, generator=generator)
                )
            )
    # Means, since one draw in sixteen reads the quantiles anew and the others do not.
    return statistics.mean(drawing), statistics.mean(stepping), statistics.median(choosing)


def main() -> int:
    """Print both sides for every size, then the verdict on each claim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, under 60 s")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    steps, every = (300, 40) if quick else (3000, 100)
    ratio = relative = 0.0
    print(f"{SLOTS} slots        band draw    multinomial     ratio    band step")
    for n in [*BESIDE, CLAIMED]:
        draw, step, other = measure(n, steps, every)
        ratio, relative = other / draw, step / draw
        ours = f"{draw * 1e3:9.3f} ms {other * 1e3:11.3f} ms"
        print(f"{n:>12,} {ours} {ratio:8.1f}x {step * 1e3:9.3f} ms")
    held, peak = allocated(CLAIMED)
    print(f"bytes a window while the band is being built: {peak:.1f}")
    claims = [
        ("bytes a window", held, f"at most {MOST_BYTES:.0f}", held <= MOST_BYTES + 0.01),
        ("step over draw", relative, f"at most {MOST_STEP:.0f}x", relative <= MOST_STEP),
        ("torch.multinomial over draw", ratio, f"at least {LEAST_RATIO:.0f}x", ratio >= 100),
    ]
    for name, value, goal, holds in claims[:-1]:
        print(f"{name}: {value:.2f} (goal {goal}): {'holds' if holds else 'falls short'}")
    all_hold = all(holds for *_, holds in claims)
    name, value, goal, _ = claims[-1]
    print(
        f"256 draws, {name}, and the claims above: {value:.0f}x (goal {goal}, all three): "
        f"{'holds' if all_hold else 'falls short'}"
    )
    return 0 if all_hold else 1


if __name__ == "__main__":
    sys.exit(main())
