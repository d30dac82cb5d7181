"""From a video file to trained steps: what each stage costs beside the least it could cost.

- A file to a store, against merely decoding it: see video_prepare.py.
- Random batches of clips from a store that keeps the frames, against the same batches from one
  that decodes them when asked (checked to be equal).
- `fit` on clips from the store, against a bare PyTorch loop on clips in memory: see
  training_loop.py.
- A step under the surprise band, against a uniform one: see curriculum_overhead.py.

All are of one file, a real session or a generated one as in video_prepare.py, and of the model of
the recipe ``video``: 96 tokens of 16 frames of 24 x 32 pixels. The sides of each comparison take
turns in this process; seconds are processor time on one thread, values are medians.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import curriculum_overhead
import numpy as np
import torch
import training_loop
import video_prepare
from _memory import seconds

from bandpass.data.video import ClipStore
from bandpass.data.video.clips import Clips
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.recipes import Recipe, find, override

CLAIM = "a video pipeline, prepared, cached, fitted, and chosen by a band in three ways"
AT_LEAST = {
    "preparation relative to decoding": video_prepare.GOAL,
    "clips from the cache, times decoding on demand": 50.0,
    "fit() relative to a bare PyTorch loop": training_loop.GOAL,
}
AT_MOST = {f"a step, {name}": goal for name, (goal, _) in curriculum_overhead.CLAIMS.items()}
REPEATS = 50
"""Times that the cache hands out a batch in a turn: once is too short for the clock."""


def stores(path: Path, folder: Path) -> tuple[ClipStore, ClipStore]:
    """Prepare a file with its frames kept, and without."""
    source = video_prepare.source_of(path)
    kept, decoded = (
        prepare_video(source, path, folder / cache, Options(workers=1, cache=cache))
        for cache in ("true", "false")
    )
    return kept, decoded


def reading(recipe: Recipe, kept: ClipStore, decoded: ClipStore, turns: int) -> float:
    """How many times as fast batches come from the cache; prints both sides."""
    cut, batch = recipe.windows, recipe.train.batch
    ours, theirs = (Clips(s, cut.length, cut.stride, "train") for s in (kept, decoded))
    draws = np.random.default_rng(0).integers(0, len(ours), (turns + 1, batch))
    torch.testing.assert_close(ours[draws[0]].values, theirs[draws[0]].values, rtol=0.0, atol=0.0)
    cached: list[float] = []
    on_demand: list[float] = []
    for draw in draws[1:]:
        cached.append(seconds(partial(read, ours, draw, REPEATS)) / REPEATS)
        on_demand.append(seconds(partial(read, theirs, draw, 1)))
    print(
        f"clips per CPU-second from the cache {batch / median(cached):,.0f}, decoded on demand "
        f"{batch / median(on_demand):,.1f} (medians of {turns} batches of {batch})"
    )
    return median(their / our for their, our in zip(on_demand, cached, strict=True))


def read(clips: Clips, ids: np.ndarray, times: int) -> int:
    """Gather a batch again and again; returns the number of clips."""
    return sum(len(clips[ids].values) for _ in range(times))


def measure(folder: Path, *, quick: bool) -> dict[str, float]:
    """Values of all claims, by their names in ``AT_LEAST`` and ``AT_MOST``, in that order."""
    path = video_prepare.any_video(folder)
    recipe = override(find("video"), ["windows.stride=1"])  # there is but one recording
    preparation = video_prepare.race(path, folder, 3 if quick else 15)
    kept, decoded = stores(path, folder)
    cache = reading(recipe, kept, decoded, 3 if quick else 15)
    fitted = training_loop.throughput(recipe, kept, folder / "run", 16 if quick else 100)
    chosen = curriculum_overhead.overheads(recipe, kept, 9 if quick else 60)
    values = (preparation, cache, fitted, *chosen.values())
    return dict(zip((*AT_LEAST, *AT_MOST), values, strict=True))


def main() -> int:
    """Print a table of the claims and the verdict; every goal has to be met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, under 150 s")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), quick=quick)
    met = {name: found[name] >= goal for name, goal in AT_LEAST.items()}
    met |= {name: found[name] <= goal for name, goal in AT_MOST.items()}
    goals = {name: f">= {goal:g}" for name, goal in AT_LEAST.items()}
    goals |= {name: f"<= {goal:g}" for name, goal in AT_MOST.items()}
    print()
    for name, value in found.items():
        verdict = "holds" if met[name] else "falls short"
        print(f"{name:<48}{value:>10.3f}   {goals[name]:<8}{verdict}")
    holds = all(met.values())
    values = ", ".join(f"{value:.3f}" for value in found.values())
    print(f"{CLAIM}: {values} (goal {', '.join(goals.values())}): ", end="")
    print("holds" if holds else "falls short")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
