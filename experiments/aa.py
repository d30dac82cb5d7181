"""How often does the test of the bench find a difference that is not there, and one that is?

    python experiments/aa.py RESULTS.parquet [--budget flops] [--seeds 8]

Simulates 500 tables of two equal arms (seeds x the three primary metrics) from noise, and for
every declared benchmark in RESULTS from its own differences between uniform and uniform-again, and
puts them through the very test of the verdicts: sign flips, Holm. At most 5% may be rejected. Then
plants an effect of the size that is stated as detectable; about 80% should find it.
"""

import argparse
from pathlib import Path

import numpy as np

from bandpass.bench.compare import of_benchmark, pairs
from bandpass.bench.declared import BENCHMARKS, Benchmark
from bandpass.bench.judgement import seeds_of
from bandpass.bench.results import Row, read_results
from bandpass.evaluation import (
    Estimate,
    equal_arms,
    exchanged,
    minimum_detectable_effect,
    rejection_rate,
)
from bandpass.evaluation.paired import AGAIN, ALPHA, GOOD, UNIFORM

TABLES = 500
LEVELS = {"one metric": ALPHA, "first of three by Holm": ALPHA / len(GOOD)}


def measured(rows: list[Row], benchmark: Benchmark, budget: str) -> np.ndarray:
    """Differences between the equal arms, (seeds, metrics), of the seeds that have all."""
    mine = of_benchmark(rows, benchmark)
    seeds = seeds_of(mine, benchmark, AGAIN, budget)
    columns = []
    for role in GOOD:
        a, b = pairs(mine, (AGAIN, budget), (UNIFORM, budget), getattr(benchmark, role), seeds)
        columns.append(a - b)
    differences = np.stack(columns, axis=1)
    return differences[np.isfinite(differences).all(axis=1)]


def said(found: Estimate) -> str:
    """A share with its binomial interval."""
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%} of {found.count})"


def main() -> None:
    """Print a line per kind of table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--budget", default="flops", choices=("flops", "time"))
    parser.add_argument("--seeds", type=int, default=8)
    given = parser.parse_args()
    rows, n, metrics = read_results(given.results), given.seeds, len(GOOD)

    normal = np.random.default_rng(0).normal(size=(TABLES, n, metrics))
    print(f"A/A, normal noise: rejected {said(rejection_rate(normal))}")
    for correlation in (0.0, 0.5, 0.9):
        tails = equal_arms((TABLES, n, metrics), correlation=correlation, seed=1)
        print(f"A/A, t(4), correlation {correlation}: rejected {said(rejection_rate(tails))}")
    for benchmark in BENCHMARKS.values():
        real = measured(rows, benchmark, given.budget)
        if len(real) < 2:
            print(f"A/A, {benchmark.name}: {len(real)} seeds of {AGAIN}, nothing to draw from")
            continue
        rejected = rejection_rate(exchanged(real, (TABLES, n), seed=2))
        print(f"A/A, {benchmark.name}, {len(real)} seeds: rejected {said(rejected)}")
        for role, deviation in zip(GOOD, real.std(axis=0, ddof=1), strict=True):
            effect = minimum_detectable_effect(float(deviation), n, alpha=ALPHA / metrics)
            print(
                f"  {role}: A/A deviation {deviation:.4f}, detectable with {n} seeds {effect:.4f}"
            )

    for name, alpha in LEVELS.items():
        effect = minimum_detectable_effect(1.0, n, alpha=alpha)
        planted = np.random.default_rng(3).normal(effect, 1, (TABLES, n, 1))
        found = rejection_rate(planted, alpha=alpha)
        print(f"planted, {effect:.2f} deviations, {name}: found {said(found)}")


if __name__ == "__main__":
    main()
