"""Beyond one comparison: less compute, several benchmarks at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bandpass.bench.compare import enough, of_benchmark, pairs
from bandpass.bench.declared import Benchmark
from bandpass.bench.judgement import State, seeds_of
from bandpass.bench.results import Row, by_seed
from bandpass.bench.verdict import FULL
from bandpass.evaluation import (
    Estimate,
    NonInferiority,
    PairedDifference,
    non_inferior,
    paired_difference,
    paired_iqm,
)
from bandpass.evaluation.paired import HALF, UNIFORM
from bandpass.evaluation.words import plain, signed


@dataclass(frozen=True)
class TargetCompute:
    """Whether an arm reaches uniform's figure with less compute, see `target_compute`.

    Attributes:
        arm: Which arm, at half of the budget.
        state: "yes", "no" or "open".
        share: Of the counted operations of uniform.
        rare: The arm minus uniform at the full budget.
        normal: Retention, likewise.
        sentence: All this in words.
    """

    arm: str
    state: State
    share: float
    rare: PairedDifference
    normal: NonInferiority
    sentence: str


def target_compute(rows: Sequence[Row], benchmark: Benchmark, arm: str) -> TargetCompute:
    """Ask whether an arm at half of the budget reaches what uniform reaches at the full one.

    "yes" if the one-sided 95% lower bound of the rare difference is above 0 and that of the normal
    one above minus the margin: with a margin of 0 an arm must be better to be shown as good. "no"
    if the 95% interval of either lies below. Otherwise, and with screening seeds or fewer than 6
    pairs, it is open.

    Args:
        rows: Results of any benchmarks.
        benchmark: Which one.
        arm: An arm that ran at budget "half".
    """
    rows = of_benchmark(rows, benchmark)
    seeds = seeds_of(rows, benchmark, arm, HALF)
    one, other = (arm, HALF), (UNIFORM, FULL)
    rare = pairs(rows, one, other, benchmark.rare, seeds)
    normal = pairs(rows, one, other, benchmark.normal, seeds)
    found, steady = paired_difference(*rare), paired_difference(*normal)
    margin = float(benchmark.margin)
    reaches, kept = non_inferior(*rare, 0.0), non_inferior(*normal, margin)
    pilot = seeds == benchmark.screen or not enough(found.count)
    state: State = "open"
    verb = "is not shown to reach uniform's rare figure"
    if not pilot and found.t_high < 0:
        state, verb = "no", "does not reach uniform's rare figure"
    elif not pilot and steady.t_high < -margin:
        state, verb = "no", "loses normal operation"
    elif not pilot and reaches.holds:
        verb = "reaches uniform's rare figure, but is not shown to keep normal operation,"
        if kept.holds:
            state, verb = "yes", "reaches uniform's rare figure"
    share = _share(rows, benchmark, one, other, seeds)
    few = f"; pilot, n = {found.count}." if pilot else "."
    sentence = (
        f"{arm} {verb} with {share:.0%} of the compute: rare {_said(found)}; "
        f"normal {_said(steady)}, margin {plain(margin)}{few}"
    )
    if math.isnan(share):
        sentence = f"{arm} did not run at half of the budget beside uniform at the full one."
    return TargetCompute(arm, state, share, found, kept, sentence)


def _share(
    rows: Sequence[Row],
    benchmark: Benchmark,
    one: tuple[str, str],
    other: tuple[str, str],
    seeds: Sequence[int],
) -> float:
    """Counted operations of one arm at a budget in those of another, over the pairs."""
    mine, theirs = (by_seed(rows, *each, benchmark.rare, "flops") for each in (one, other))
    both = [seed for seed in seeds if seed in mine and seed in theirs]
    return sum(mine[s] for s in both) / sum(theirs[s] for s in both) if both else math.nan


def over_benchmarks(
    rows: Sequence[Row], benchmarks: Sequence[Benchmark], arm: str, against: str, budget: str
) -> Estimate:
    """Interquartile mean of the rare differences over several benchmarks, by the seeds that count.

    The rare metrics should be of one scale, such as average precisions. It is missing if a pair is,
    also where benchmarks declare different numbers of seeds.
    """
    most = max((len(benchmark.seeds) for benchmark in benchmarks), default=0)
    values = np.full((2, most, len(benchmarks)), np.nan)
    for place, benchmark in enumerate(benchmarks):
        mine, n = of_benchmark(rows, benchmark), len(benchmark.seeds)
        found = pairs(mine, (arm, budget), (against, budget), benchmark.rare, benchmark.seeds)
        values[:, :n, place] = found
    return paired_iqm(values[0], values[1])


def _said(found: PairedDifference) -> str:
    ends = f"{signed(found.t_low)} to {signed(found.t_high)}, n {found.count}"
    return f"{signed(found.mean)} ({ends})"
