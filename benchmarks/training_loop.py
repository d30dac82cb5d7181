"""Windows a second of `fit`, against a bare PyTorch loop over windows that lie in memory.

Both sides train the same model on the same normalised windows with the same masks, loss, AdamW,
gradient clipping and teacher, and take turns of 20 steps. The bare side does nothing else. `fit`
also reads its windows from the store on disk, keeps the account of draws that makes a resume
exact, counts slots by class, and writes a log row at the end of every turn.

Seconds are processor time on one thread.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from bandpass.data import AnyStore, prepare
from bandpass.data.sources import SOURCES
from bandpass.models import MASKS
from bandpass.recipes import Recipe, build_curriculum, build_jepa, build_windows, find, override
from bandpass.training import fit, parameter_groups
from bandpass.training.lr_schedule import cosine, warmup_cosine
from bandpass.training.passes import step_generator

CLAIM = "training throughput of fit() relative to a bare PyTorch loop"
GOAL = 0.95
TURN = 20


def bare(
    recipe: Recipe, shape: int | tuple[int, ...], values: Tensor, observed: Tensor
) -> Iterator[None]:
    """Train as one would without this package; yields after every step."""
    train = recipe.train
    jepa = build_jepa(recipe, shape).train()
    groups = parameter_groups(jepa, train.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=train.lr, betas=(0.9, 0.95), fused=True)
    epoch, order = 0, torch.empty(0, dtype=torch.int64)
    for step in range(train.steps):
        if len(order) < train.batch:
            order = torch.randperm(len(values), generator=torch.Generator().manual_seed(epoch))
            epoch += 1
        ids, order = order[: train.batch], order[train.batch :]
        strategy = MASKS[train.masks[step % len(train.masks)]]
        mask = strategy(train.batch, jepa.grid, train.mask_ratio, step_generator(train, step))
        output = jepa(values[ids], observed[ids], mask)
        losses = train.prediction * output.prediction + train.grounding * output.grounding
        fraction = (step + 1) / train.steps
        for group in optimizer.param_groups:
            group["lr"] = train.lr * warmup_cosine(
                fraction, warmup=train.warmup, final=train.final_lr
            )
        optimizer.zero_grad(set_to_none=True)
        losses.mean().backward()
        nn.utils.clip_grad_norm_(jepa.parameters(), train.clip)
        optimizer.step()
        momentum = cosine(step / train.steps, start=train.momentum, end=train.final_momentum)
        jepa.target.update(jepa.encoder, momentum)
        yield


def compare(recipe: Recipe, store: AnyStore, run: Path) -> tuple[list[float], list[float]]:
    """Seconds per turn of `fit` and of the bare loop, which runs while `fit` reports a row."""
    windows = build_windows(recipe, store, "train")
    everything = windows[range(len(windows))]
    steps = bare(recipe, store.shape, everything.values, everything.observed)
    ours: list[float] = []
    theirs: list[float] = []
    since = time.process_time()

    def take_turn(row: dict[str, Any], log: object) -> None:
        nonlocal since
        ours.append(time.process_time() - since)
        start = time.process_time()
        for _ in range(TURN):
            next(steps)
        since = time.process_time()
        theirs.append(since - start)

    jepa = build_jepa(recipe, store.shape)
    fit(jepa, windows, build_curriculum(recipe, windows), recipe.train, run, take_turn)
    return ours[1:], theirs[1:]  # the first turns hold what happens once


def throughput(recipe: Recipe, store: AnyStore, run: Path, turns: int) -> float:
    """How the throughput of `fit` compares; prints both sides."""
    changes = ["policy=uniform", "device=cpu", f"steps={turns * TURN}", f"log_every={TURN}"]
    recipe = override(recipe, changes)
    ours, theirs = compare(recipe, store, run)
    windows = TURN * recipe.train.batch
    print(
        f"fit {windows / median(ours):,.0f} windows per CPU-second, bare loop "
        f"{windows / median(theirs):,.0f} (medians of {len(ours)} turns of {TURN} steps of "
        f"{recipe.train.batch} windows)"
    )
    # Over pairs of neighbouring turns: what else the machine does weighs on both alike.
    return median(their / our for their, our in zip(theirs, ours, strict=True))


def main() -> int:
    """Print both sides and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 40 s")
    turns = 16 if parser.parse_args().quick else 100
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store = prepare(SOURCES["plant"], place, place / "store", series=4, rows=20_000)
        ratio = throughput(find("series"), store, place / "run", turns)
    holds = ratio >= GOAL
    print(f"{CLAIM}: {ratio:.3f} (goal >= {GOAL}): {'holds' if holds else 'falls short'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
