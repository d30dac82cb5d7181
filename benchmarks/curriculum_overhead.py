"""What choosing windows costs: a training step under the surprise band against a uniform one.

Two trainings of the same model on the same store are alive at once and take turns of 16 steps,
the number of draws after which the band reads its quantiles anew, so that every turn pays for one
reading. A step is all of it: draw, gather, forward, record the losses, backward, optimiser,
teacher. Only the turns in which the band is active are counted.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch.utils.data import DataLoader

from bandpass.data import Store, as_is, prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import Recipe, build_jepa, build_sampler, build_windows, find, override
from bandpass.training import parameter_groups, train_step

CLAIM = "step time under the surprise band relative to uniform sampling"
GOAL = 1.08
TURN = 16


def training(recipe: Recipe, store: Store) -> Iterator[None]:
    """Train; yields after every step."""
    windows = build_windows(recipe, store, "train")
    sampler = build_sampler(recipe, windows)
    jepa = build_jepa(recipe, len(store.channels)).train()
    groups = parameter_groups(jepa, recipe.train.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=recipe.train.lr, betas=(0.9, 0.95))
    loader = DataLoader(windows, batch_sampler=sampler, collate_fn=as_is)
    for step, batch in enumerate(loader):
        train_step(jepa, batch, sampler, optimizer, recipe.train, step)
        yield


def turn(steps: Iterator[None]) -> float:
    """Seconds of one turn."""
    start = time.perf_counter()
    for _ in range(TURN):
        next(steps)
    return time.perf_counter() - start


def compare(recipe: Recipe, store: Store, turns: int) -> tuple[list[float], list[float]]:
    """Seconds per turn under the band and uniformly, in the turns where the band is active."""
    policies = ("surprise-band", "uniform")
    trainings = {name: training(replace(recipe, policy=name), store) for name in policies}
    seconds: dict[str, list[float]] = {name: [] for name in policies}
    for number in range(turns):
        active = recipe.band.active(number * TURN, turns * TURN)
        for name in policies if number % 2 else reversed(policies):
            spent = turn(trainings[name])
            if active:
                seconds[name].append(spent)
    return seconds["surprise-band"], seconds["uniform"]


def main() -> int:
    """Print both sides and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 40 s")
    turns = 25 if parser.parse_args().quick else 150
    torch.set_num_threads(1)
    recipe = override(find("series"), ["device=cpu", f"steps={turns * TURN}"])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store = prepare(SOURCES["plant"], place, place / "store", series=8, rows=20_000)
        band, uniform = compare(recipe, store, turns)
    print(
        f"surprise band {1e3 * median(band) / TURN:.2f} ms, uniform "
        f"{1e3 * median(uniform) / TURN:.2f} ms a step (medians of {len(band)} turns of {TURN} "
        f"steps of {recipe.train.batch} windows)"
    )
    # Over pairs of neighbouring turns: what else the machine does weighs on both alike.
    ratio = median(b / u for b, u in zip(band, uniform, strict=True))
    holds = ratio <= GOAL
    print(f"{CLAIM}: {ratio:.3f} (goal <= {GOAL}): {'holds' if holds else 'falls short'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
