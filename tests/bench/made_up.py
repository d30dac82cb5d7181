"""Results tables made by hand: what an arm adds to uniform, metric by metric."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bandpass.bench.declared import Benchmark, Metric
from bandpass.evaluation.paired import GOOD

BENCHMARK = Benchmark(
    name="toy",
    version=2,
    title="Toy",
    source="plant",
    folder="",
    recipe="series",
    split="by series",
    slices={},
    rare=Metric("few-shot rare", "average_precision"),
    normal=Metric("future readout, normal", "r2"),
    corrupt=Metric("slots", "corrupt"),
    margin=0.02,
    screen=(0, 1, 2),
    seeds=tuple(range(100, 108)),
    chosen="by hand",
)
SEEDS = BENCHMARK.seeds
BASE = {"rare": 0.4, "normal": 0.8, "corrupt": 0.02}
CLEAR = 0.05
NONE = np.array([1, -1, 2, -2, 1, -1, 2, -2]) / 1000
"""Differences of mean 0 that no test should notice."""

GOOD_ORACLE = {"oracle": {"rare": CLEAR}, "uniform-again": {}}
"""With these the benchmark can judge."""


def table(
    arms: Mapping[str, Mapping[str, Any]], seeds: tuple[int, ...] = SEEDS, budgets: str = "flops"
) -> list[dict[str, Any]]:
    """Rows of uniform and of arms that add to its metrics what is given, a number or one a seed."""
    rows = []
    for arm, effects in {"uniform": {}, **arms}.items():
        for place, seed in enumerate(seeds):
            luck = np.random.default_rng(seed).normal(0, 0.1)  # what a seed's pair shares
            for role in GOOD:
                metric = getattr(BENCHMARK, role)
                plus = np.broadcast_to(effects.get(role, 0.0), len(seeds))[place]
                wobble = 0.0 if arm == "uniform" else np.roll(NONE, len(arm))[place % len(NONE)]
                rows.append(
                    row(arm, seed, budgets)
                    | {"task": metric.task, "metric": metric.metric}
                    | {"value": float(BASE[role] + luck + plus + wobble)}
                )
    return rows


def row(arm: str = "uniform", seed: int = 100, budgets: str = "flops") -> dict[str, Any]:
    """One row, of the rare metric."""
    half = budgets == "half"
    return {
        "benchmark": "toy",
        "version": 2,
        "arm": arm,
        "recipe": "0123456789ab",
        "budgets": budgets,
        "seed": seed,
        "steps": 500 if half else 1000,
        "flops": 0.5e12 if half else 1e12,
        "reference_seconds": 10.0,
        "wall_seconds": 12.5,
        "task": "few-shot rare",
        "metric": "average_precision",
        "value": 0.5,
    }
