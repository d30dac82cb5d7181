"""What choosing windows costs: a training step under each way of choosing against a uniform one.

Four trainings of one model on one store are alive at once and take turns of 16 steps: uniform; the
surprise band in table mode, whose scores come from the training forward for free; the same with a
batch of the stalest windows scored again every 8 steps; and a pool of 2 candidates a slot, scored
by the teacher alone. A step is all of it: draw, gather, score, forward, record, backward,
optimiser, teacher. Only the turns in which the band is active are counted. Seconds are processor
time on one thread.

The model is the one of the step-time anchors: 64 wide, 2 + 2 layers, 4 heads, 96 tokens of 4 rows
of 4 channels (16 features), 32 windows a step, in single precision on one thread.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import cast

import torch
from torch.utils.data import DataLoader, Dataset

from bandpass.data import AnyStore, Batch, as_is, prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import Recipe, build_curriculum, build_jepa, build_windows, find, override
from bandpass.training import Feed, adamw, train_step

CLAIM = "step time under the surprise band relative to uniform sampling"
TURN = 16
BAND = ("policy=surprise-band", "coverage=table")
CLAIMS = {
    "table mode": (1.08, BAND),
    "refresh every 8 steps": (1.12, (*BAND, "rescore_every=8")),
    "pool of 2, teacher-only": (1.35, (*BAND, "pool=2")),
}
MODEL = ("windows.length=384", "encoder.dim=64", "predictor.dim=64", "batch=32")


def training(recipe: Recipe, store: AnyStore) -> Iterator[None]:
    """Train; yields after every step."""
    windows = build_windows(recipe, store, "train")
    jepa = build_jepa(recipe, store.shape).train()
    curriculum = build_curriculum(recipe, windows)
    feed = Feed(curriculum.sampler, jepa, windows, recipe.train, curriculum.plan)
    optimizer = adamw(jepa, recipe.train)
    loader = DataLoader(
        cast(Dataset[Batch], windows), batch_sampler=curriculum.sampler, collate_fn=as_is
    )
    for step, batch in enumerate(loader):
        train_step(jepa, batch, feed, optimizer, recipe.train, step)
        feed.refresh(jepa, step + 1)
        yield


def turn(steps: Iterator[None]) -> float:
    """Seconds of one turn."""
    start = time.process_time()
    for _ in range(TURN):
        next(steps)
    return time.process_time() - start


def compare(recipe: Recipe, store: AnyStore, turns: int) -> dict[str, list[float]]:
    """Seconds per turn of every training, in the turns where the band is active."""
    arms = {"uniform": ("policy=uniform",)} | {name: arm for name, (_, arm) in CLAIMS.items()}
    trainings = {name: training(override(recipe, arm), store) for name, arm in arms.items()}
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(turns):
        active = recipe.band.active(number * TURN, turns * TURN)
        for name in arms if number % 2 else reversed(arms):
            spent = turn(trainings[name])
            if active:
                seconds[name].append(spent)
    return seconds


def overheads(recipe: Recipe, store: AnyStore, turns: int) -> dict[str, float]:
    """How a step of each claim compares with a uniform one; prints every side."""
    recipe = override(recipe, ["device=cpu", f"steps={turns * TURN}"])
    seconds = compare(recipe, store, turns)
    each = ", ".join(f"{name} {1e3 * median(s) / TURN:.1f} ms" for name, s in seconds.items())
    count = len(seconds["uniform"])
    print(f"a step: {each} (medians of {count} turns of {TURN} steps of {recipe.train.batch})")
    ratios = {}
    for name in CLAIMS:
        # Over pairs of neighbouring turns: what else the machine does weighs on both alike.
        pairs = zip(seconds[name], seconds["uniform"], strict=True)
        ratios[name] = median(ours / plain for ours, plain in pairs)
    return ratios


def main() -> int:
    """Print every side and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 90 s")
    turns = 9 if parser.parse_args().quick else 60
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store = prepare(SOURCES["plant"], place, place / "store", series=8, rows=20_000, channels=4)
        ratios = overheads(override(find("series"), MODEL), store, turns)
    holds = all(ratio <= CLAIMS[name][0] for name, ratio in ratios.items())
    found = ", ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items())
    goals = ", ".join(f"<= {goal}" for goal, _ in CLAIMS.values())
    print(f"{CLAIM}: {found} (goal {goals}): {'holds' if holds else 'falls short'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
