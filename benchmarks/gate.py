"""What the gate costs and what it tells apart, on the generated plant.

Cost: judging a batch of 32 windows, all of them surprising, against a full bank, beside a training
step of the 64-d model; the two take turns. In a uniform run a fifth of the windows are surprising.

Worth: a uniform reference run with the gate looking on. Every surprising window is judged, as the
sampler would remember it; AUROC of corrupt windows (a quarter of their rows or more are injected)
against rare ones (labelled events on clean rows). Counted, not timed.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.utils.data import DataLoader

from bandpass.curriculum import Uniform
from bandpass.curriculum.gate import Evidence, Gate
from bandpass.curriculum.triage import blank, decode_suspicion, remember
from bandpass.data import Batch, Split, Store, Windows, as_is, prepare
from bandpass.data.faults import judge
from bandpass.data.sources import SOURCES
from bandpass.models import JEPA, MASKS
from bandpass.recipes import Recipe, build_jepa, find, override
from bandpass.training import Feed, adamw, train_step

CLAIM = "AUROC of corrupt against rare windows under the gate"
COST = "time to judge 32 windows relative to a training step"
GOAL, COST_GOAL = 0.95, 0.1
QUANTILES = 3200  # recent scores that surprise is ranked among


def slices(windows: Windows, store: Store) -> tuple[np.ndarray, np.ndarray]:
    """Which windows are rare, and which are corrupt."""
    series, start = windows.locate(np.arange(len(windows)))
    first = store.series["offset"].to_numpy()[series] + start
    rows = first[:, None] + np.arange(windows.length)
    broken = (store.column("corrupt")[rows] > 0).mean(axis=1)
    return (windows.labels() == 1) & (broken == 0), broken >= 0.25


@torch.no_grad()
def look(jepa: JEPA, batch: Batch, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-loss of a batch under one mask, and [mean | std] of the teacher's tokens."""
    mask = MASKS["span"](len(batch.values), jepa.grid, 0.4, torch.Generator().manual_seed(step))
    output = jepa(batch.values, batch.observed, mask)
    tokens = jepa.target.normalise(output.tokens)
    pooled = torch.cat([tokens.mean(dim=1), tokens.std(dim=1)], dim=1)
    return output.prediction.log().numpy().astype(np.float64), pooled.numpy()


def reference(recipe: Recipe, store: Store) -> tuple[float, float, float]:
    """Train uniformly with the gate looking on.

    Returns:
        AUROC of what the gate remembers and of the input rules alone, both over the judged
        windows, and the median ratio of judging to training.
    """
    windows = Windows(store, recipe.windows.length, recipe.windows.stride, None)
    rare, corrupt = slices(windows, store)
    faults = judge(windows)[0].astype(np.float64)
    jepa = build_jepa(recipe, store.shape).train()
    optimizer = adamw(jepa, recipe.train)
    train = recipe.train
    sampler = Uniform(len(windows), train.batch, steps=train.steps, seed=train.seed)
    feed = Feed(sampler, jepa, windows, train)
    # The second gate is for the clock alone: its bank is filled with noise beforehand.
    gate, timed = Gate(seed=train.seed), full(2 * recipe.model.encoder.dim)
    (c, gain), recent = blank(len(windows)), np.zeros(0)
    ratios: list[float] = []
    for step, batch in enumerate(DataLoader(windows, batch_sampler=sampler, collate_fn=as_is)):
        ids = np.array(batch.draw)
        evidence = Evidence(faults=faults[ids])
        scores, pooled = look(jepa, batch, step)
        recent = np.append(recent, scores)[-QUANTILES:]
        if step >= train.steps // 10:  # at the start everything surprises
            u = np.searchsorted(np.sort(recent), scores) / len(recent)
            c[ids], gain[ids] = remember(c[ids], gain[ids], gate.judge(ids, pooled, u, evidence))
        start = time.perf_counter()
        train_step(jepa, batch, feed, optimizer, train, step)
        middle = time.perf_counter()
        timed.judge(ids, pooled, np.ones(len(ids)), evidence)
        ratios.append((time.perf_counter() - middle) / (middle - start))
    suspicion = decode_suspicion(c)
    judged = ~np.isnan(suspicion)
    found = (auroc(x[corrupt & judged], x[rare & judged]) for x in (suspicion, faults))
    return next(found), next(found), median(ratios)


def full(width: int) -> Gate:
    """A gate with a full bank."""
    gate, random = Gate(), np.random.default_rng(0)
    size = gate.settings.size
    gate.judge(-1 - np.arange(size), random.standard_normal((size, width)), np.ones(size))
    return gate


def auroc(true: np.ndarray, false: np.ndarray) -> float:
    """Share of pairs that are ranked right, ties half counted."""
    return float(((true[:, None] > false) + (true[:, None] == false) / 2).mean())


def main() -> int:
    """Print both sides and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 60 s")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    recipe = override(find("series"), ["device=cpu", f"steps={300 if quick else 1500}"])
    with tempfile.TemporaryDirectory() as folder:
        store = prepare(
            SOURCES["plant"],
            Path(folder),
            Path(folder) / "store",
            split=Split(test_share=0.01, embargo=0),
            series=8 if quick else 32,
            corrupt=0.04,
            failure_rate=0.07,
        )
        gate, rules, ratio = reference(recipe, store)
    verdict = "holds" if ratio <= COST_GOAL else "falls short"
    print(f"{COST}: {ratio:.3f} (goal <= {COST_GOAL}): {verdict}")
    print(f"gate {gate:.3f}, input rules alone {rules:.3f}")
    holds = gate >= GOAL
    print(f"{CLAIM}: {gate:.3f} (goal >= {GOAL}): {'holds' if holds else 'falls short'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
