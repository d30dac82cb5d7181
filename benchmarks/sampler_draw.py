"""A draw from the surprise band against torch.multinomial, each with exact probabilities.

The claim is made for 256 draws from 6.7 million windows, the weights already there for
torch.multinomial, while the band's time includes everything that a draw does: lambda and
quantiles at every refresh, probabilities of all cells, members. Beside it: other sizes, and what
recording a batch of losses costs. Times are of one thread's work, not of the clock, so that a busy
machine does not decide. Run it as ``python benchmarks/sampler_draw.py [--quick]``.
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch

from bandpass.curriculum import BandSettings, SurpriseBand

GOAL, SLOTS, CLAIMED = 100.0, 256, 6_700_000
BESIDE = [20_000, 2_000_000]


def band_seconds(n: int, steps: int) -> tuple[float, float, torch.Tensor]:
    """Mean CPU seconds of a draw and of a step in the band, and the probabilities at the end."""
    settings = BandSettings(warm_up=0.2, cool_down=0.0)
    band = SurpriseBand(n, SLOTS, steps=steps + 1, settings=settings)
    rng = np.random.default_rng(0)
    level = rng.lognormal(0, 0.5, n).astype(np.float32)
    draws = iter(band)
    drawing: list[float] = []
    stepping: list[float] = []
    for number in range(steps):
        start = time.thread_time()
        draw = next(draws)
        drawn = time.thread_time()
        losses = torch.from_numpy(level[draw] * rng.lognormal(0, 0.2, SLOTS))
        begun = time.thread_time()
        band.step(draw, losses)
        if number >= steps * settings.warm_up:
            drawing.append(drawn - start)
            stepping.append(time.thread_time() - begun)
    p = torch.from_numpy(band.probabilities())
    # Means, since one draw in sixteen reads the quantiles anew and the others do not.
    return statistics.mean(drawing), statistics.mean(stepping), p


def multinomial_seconds(p: torch.Tensor, repeats: int) -> float:
    """Median CPU seconds of torch.multinomial for the same slots from the same probabilities."""
    generator = torch.Generator().manual_seed(0)
    seconds = []
    for _ in range(repeats):
        start = time.thread_time()
        torch.multinomial(p, SLOTS, replacement=True, generator=generator)
        seconds.append(time.thread_time() - start)
    return statistics.median(seconds)


def main() -> int:
    """Print both sides for every size, then the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, under 40 s")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    steps, repeats = (300, 5) if quick else (3000, 30)
    ratio = 0.0
    print(f"{SLOTS} slots        band draw    multinomial     ratio    band step")
    for n in [*BESIDE, CLAIMED]:
        draw, step, p = band_seconds(n, steps)
        other = multinomial_seconds(p, repeats)
        ratio = other / draw
        ours = f"{draw * 1e3:9.3f} ms {other * 1e3:11.3f} ms"
        print(f"{n:>12,} {ours} {ratio:8.1f}x {step * 1e3:9.3f} ms")
    verdict = "holds" if ratio >= GOAL else "falls short"
    print(
        f"256 draws from 6.7 million windows, faster than torch.multinomial by: {ratio:.0f}x "
        f"(goal at least {GOAL:.0f}x): {verdict}"
    )
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
