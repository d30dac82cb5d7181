"""The peer table: published selection rules and ours, on one shadow log per set.

Usage: python experiments/peers.py STORE ... --work DIR [--set k=v ...] [--out DIR]

The checkpoints of one uniform run score a sample of windows (the shadow log of `bandpass enrich`),
and that log is replayed through all policies. RHO's reference losses come from two more runs, each
trained on every other block of windows and asked about the rest.
"""

import argparse
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binom, rankdata

from bandpass import runs
from bandpass.curriculum import POLICIES, SCORES, Draw, Evidence, Fixed, Gate, SurpriseBand, Uniform
from bandpass.data import Windows
from bandpass.evaluation import block_groups, rank_within
from bandpass.models import JEPA
from bandpass.recipes import Recipe, build_jepa, build_windows, override
from bandpass.runs.replay import NONE, Way, probabilities, shares
from bandpass.runs.run import Run
from bandpass.runs.shadow import BLOCK, Shadow, write_shadow
from bandpass.runs.tasks import Row
from bandpass.scoring.collect import Aids, collect
from bandpass.scoring.frozen import batches
from bandpass.training import checkpoint
from bandpass.training.atomic import write_table

Sampler = SurpriseBand | Uniform | Fixed
BATCH, DRAWS, LEARNT = 200, 2000, 400  # the schedule is never run to its cool-down
SLOTS, ROUND_TRIP, MANY, SHUFFLES = 200_000, 50, 1_000_000, 50
HALF, GROUPS = "half", ("rare", "normal", "corrupt")
OURS = [(policy, gate) for policy in ("surprise-band", "two-level") for gate in (False, True)]
WAYS = (
    Way("uniform", False, NONE, NONE),
    Way("shuffled", False, "loss", NONE),
    *(Way(name, False, "loss", NONE) for name in ("infobatch", "selective-backprop", "per")),
    Way("rho", False, "reducible", HALF),
    *(Way(*ours, score, NONE) for score in ("loss", "density-ratio") for ours in OURS),
    Way("static", False, "density-ratio", NONE),
)


def main() -> None:
    """Train what is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", type=Path, nargs="+")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=[], help="recipe overrides of all runs")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    for path in given.stores:
        where = given.work / f"{path.name}-reference"
        reference = runs.reference_of(path, given.set, run=where)
        runs.train_reference(reference)
        run = runs.open_run(where)
        shadow = _with_reducible(write_shadow(run, where, lambda done, total: None), run)
        rows = [{"set": path.name} | _measure(shadow, run.recipe, way) for way in WAYS]
        print(f"\n{path.name}, {len(shadow.ids)} of {shadow.total} windows: {', '.join(rows[0])}")
        for r in rows:
            print(*(f"{v:.4f}" if isinstance(v, float) else v for v in r.values()), sep=" | ")
        write_table(given.out / f"peers-{path.name}.parquet", rows)


def _half(run: Run, windows: Windows, inside: np.ndarray, kept: int) -> JEPA:
    """The reference's recipe, trained on every other block of windows alone."""
    path, scores = (run.path.with_name(f"{run.path.name}-half-{kept}{e}") for e in ("", ".npy"))
    np.save(scores, inside.astype(np.float32))
    only = ["rule=top", f"band.top={inside.mean()}", "floor=0", "cap=1000", "ess=0", "extreme=inf"]
    only += ["policy=static", "bucket=none", f"score_file={scores}"]
    recipe = override(run.recipe, only)
    runs.train(recipe, windows.store, path, with_control=False)
    return _load(recipe, windows, path, recipe.train.steps)


def _load(recipe: Recipe, windows: Windows, path: Path, step: int) -> JEPA:
    jepa = build_jepa(recipe, windows.store.shape)
    if step:  # 0 is the untrained model
        jepa.load_state_dict(checkpoint.load_weights(path / "checkpoints" / f"step-{step:08d}"))
    return jepa.eval()


def _with_reducible(shadow: Shadow, run: Run) -> Shadow:
    """The log with RHO's score, and which reference gave it: surprise is ranked within those."""
    windows = build_windows(run.recipe, run.open_store(), "train")
    series, starts = windows.locate(np.arange(len(windows)))
    blocks = block_groups(series, starts, BLOCK * windows.length) % 2
    halves, parity = [_half(run, windows, blocks == k, k) for k in (0, 1)], blocks[shadow.ids]
    found = np.empty((len(shadow.steps), len(shadow.ids)), np.float32)
    for place, step in enumerate(shadow.steps.tolist()):
        jepa = _load(run.recipe, windows, run.path, step)
        for half in (0, 1):
            aids, inside = Aids(reference=halves[1 - half]), parity == half
            asked = batches(windows, shadow.ids[inside])
            told = [collect(jepa, batch, ("reference_losses",), aids=aids) for batch in asked]
            found[place, inside] = torch.cat([SCORES["reducible"](each) for each in told]).numpy()
    scores, buckets = {"reducible": found}, {HALF: parity.astype(np.int32)}
    return replace(shadow, scores=shadow.scores | scores, buckets=shadow.buckets | buckets)


def _measure(shadow: Shadow, recipe: Recipe, way: Way) -> Row:
    found = {each["group"]: each for each in shares(shadow, recipe, way)}
    row: Row = {"policy": way.policy, "gate": way.gate, "score": way.score}
    for group in GROUPS:
        row |= {f"natural_{group}": found[group]["natural"], group: found[group]["share"]}
    # The gate's evidence counts as if taken of every window that is trained on.
    asked = {way.score} | ({"progress", "mask-variation"} if way.gate else set())
    row["forwards"] = sum(score.forwards for name, score in SCORES.items() if name in asked)
    sampler, copy = (_sampler(shadow, recipe, way, len(shadow.ids)) for _ in range(2))
    tell, draws = partial(_tell, shadow, way), iter(sampler)
    for _ in range(LEARNT):
        tell(sampler, next(draws))
    row |= {"same_draws": _resumes(sampler, copy, draws, tell)} | _exactness(sampler, draws)
    row["off_paper"] = _off_paper(shadow, recipe, way)
    tracemalloc.start()
    held = iter(_sampler(shadow, recipe, way, MANY))
    next(held)
    row["bytes"] = tracemalloc.get_traced_memory()[0] / MANY
    tracemalloc.stop()
    return row


def _sampler(shadow: Shadow, recipe: Recipe, way: Way, n: int) -> Sampler:
    """The policy as in training: told only what it draws."""
    policy, count, sampled = POLICIES[way.policy], {"steps": DRAWS}, n == len(shadow.ids)
    if policy.sampler is Uniform:
        return Uniform(n, BATCH, **count)
    if policy.sampler is Fixed:
        return Fixed(probabilities(shadow, recipe, way) if sampled else np.ones(n), BATCH, **count)
    buckets = shadow.buckets[HALF] if sampled and way.normalisation == HALF else None
    gate = Gate(seed=0) if way.gate else None
    return SurpriseBand(n, BATCH, **count, buckets=buckets, settings=policy.settings, gate=gate)


def _tell(shadow: Shadow, way: Way, sampler: Sampler, draw: Draw) -> None:
    """Tell a draw's results, from one checkpoint of the log after the other."""
    place = min(draw.number * len(shadow.steps) // LEARNT, len(shadow.steps) - 1)
    known = {n: torch.tensor(s[place, draw], dtype=torch.float64) for n, s in shadow.scores.items()}
    vectors = torch.tensor(shadow.embeddings[place, draw], dtype=torch.float32)
    variation, faults = known["mask-variation"].exp(), shadow.faults[draw]
    told = Evidence(progress=known["progress"], variation=variation, faults=faults)
    judged = told if way.gate else None
    sampler.step(draw, known["loss"].exp(), vectors, scores=known.get(way.score), evidence=judged)


def _resumes(sampler: Sampler, copy: Sampler, draws: Iterator[Draw], tell: partial[None]) -> int:
    """How many of the next draws a copy from a saved state repeats, ids and p, bit for bit."""
    first, file = next(draws), io.BytesIO()  # in flight as the state is saved
    torch.save(sampler.state_dict(), file)
    copy.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    same = 0
    for number, other in zip(range(ROUND_TRIP), copy, strict=False):
        draw = next(draws) if number else first
        same += draw == other and draw.number == other.number and np.array_equal(draw.p, other.p)
        tell(sampler, draw)
        tell(copy, other)
    return same


def _exactness(sampler: Sampler, draws: Iterator[Draw]) -> Row:
    """Total variation between the slots of a frozen state and its p; the same of exact slots."""
    if isinstance(sampler, SurpriseBand):
        sampler.restrain(1.0)  # reads the quantiles, which nothing moves from here on
    p, drawn = sampler.probabilities(), [next(draws) for _ in range(SLOTS // BATCH)]
    off = max(float(np.abs(draw.p - p[draw]).max() * sampler.n) for draw in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=sampler.n)
    exact = np.random.default_rng(0).multinomial(SLOTS, p / p.sum(), SHUFFLES)
    tv, noise = (np.abs(each / SLOTS - p).sum(axis=-1) / 2 for each in (counts, exact))
    found: Row = {f"noise_{q}": float(np.quantile(noise, q)) for q in (0.025, 0.975)}
    return found | {"tv": float(tv), "off_stated": off, "ess": float(1 / (sampler.n * p @ p))}


def _off_paper(shadow: Shadow, recipe: Recipe, way: Way) -> float:
    """Total variation between a peer's p and its paper's rule on the last checkpoint's scores."""
    one = {name: values[-1:] for name, values in shadow.scores.items()}
    last = replace(shadow, steps=shadow.steps[-1:], scores=one, embeddings=shadow.embeddings[-1:])
    loss, n = np.exp(one["loss"][0].astype(np.float64)), len(shadow.ids)
    better = 1 - rank_within(one["reducible"][0], shadow.buckets[HALF])
    rules = {
        "infobatch": np.where(loss < loss.mean(), 0.5, 1.0),
        "selective-backprop": (rankdata(loss) / n) ** 2,
        "per": loss**0.6,
        "rho": binom.cdf(31, 319, better),  # the best 32 of a random 320
    }
    if (rule := rules.get(way.policy)) is None:
        return float("nan")
    return float(np.abs(probabilities(last, recipe, way) - rule / rule.sum()).sum() / 2)


if __name__ == "__main__":
    main()
