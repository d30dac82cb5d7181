"""One arm against another on one benchmark: three metrics, paired by seed, corrected together."""

import math
from collections.abc import Sequence

import numpy as np

from bandpass.bench.declared import Benchmark, Metric
from bandpass.bench.results import Row, by_seed
from bandpass.evaluation import (
    holm,
    minimum_detectable_effect,
    non_inferior,
    paired_difference,
)
from bandpass.evaluation._arrays import Doubles
from bandpass.evaluation.paired import ALPHA, GOOD, Comparison


def enough(n: int) -> bool:
    """Whether so many pairs could show any effect in one metric: 6 or more."""
    return math.isfinite(minimum_detectable_effect(1.0, n, alpha=ALPHA))


def of_benchmark(rows: Sequence[Row], benchmark: Benchmark) -> list[Row]:
    """Rows of this version of a benchmark; figures of others do not compare."""
    mine = (benchmark.name, benchmark.version)
    return [row for row in rows if (row["benchmark"], row["version"]) == mine]


def pairs(
    rows: Sequence[Row],
    one: tuple[str, str],
    other: tuple[str, str],
    metric: Metric,
    seeds: Sequence[int],
) -> tuple[Doubles, Doubles]:
    """Return a metric of two arms, each given with its budget, for every seed: NaN if not run."""
    found = [by_seed(rows, arm, budget, metric) for arm, budget in (one, other)]
    a, b = (np.array([values.get(seed, np.nan) for seed in seeds], np.float64) for values in found)
    return a, b


def compare(
    rows: Sequence[Row],
    benchmark: Benchmark,
    arm: str,
    against: str,
    budget: str,
    seeds: Sequence[int],
) -> list[Comparison]:
    """Compare two arms in the three primary metrics, seed by seed.

    Args:
        rows: Results; those of other benchmarks and versions are left out.
        benchmark: What names the metrics.
        arm: Which arm.
        against: Which other, at the same budget.
        budget: "flops", "time" or "half".
        seeds: Which seeds; those that one arm lacks, or that are not finite, are left out.

    Returns:
        Rare, normal, corrupt. A metric without two pairs has no p and is not in Holm's family.
    """
    rows = of_benchmark(rows, benchmark)
    metrics: dict[str, Metric] = {role: getattr(benchmark, role) for role in GOOD}
    values = {
        role: pairs(rows, (arm, budget), (against, budget), metric, seeds)
        for role, metric in metrics.items()
    }
    tests = {role: paired_difference(*each) for role, each in values.items()}
    adjusted = holm(np.array([test.p for test in tests.values()]))
    family = max(1, int(np.isfinite(adjusted).sum()))
    found: list[Comparison] = []
    for (role, (a, b)), corrected in zip(values.items(), adjusted, strict=True):
        test, both = tests[role], np.isfinite(a - b)
        deviation = float((a - b)[both].std(ddof=1)) if test.count > 1 else math.nan
        kept = non_inferior(a, b, float(benchmark.margin)) if role == "normal" else None
        found.append(
            Comparison(
                *(arm, against, budget, role),
                mean=float(a[both].mean()) if test.count else math.nan,
                other=float(b[both].mean()) if test.count else math.nan,
                difference=test.mean,
                low=test.t_low,
                high=test.t_high,
                p=test.p,
                p_holm=float(corrected),
                mde=minimum_detectable_effect(deviation, test.count, alpha=ALPHA / family),
                n=test.count,
                asked=len(seeds),
                retention=kept,
            )
        )
    return found
