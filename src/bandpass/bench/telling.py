"""The verdicts of one benchmark put together: for the page, and a few lines for a terminal."""

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from bandpass.bench.arms import CONTROLS
from bandpass.bench.block import Ending
from bandpass.bench.compare import compare
from bandpass.bench.declared import Benchmark
from bandpass.bench.grid import BUDGETS
from bandpass.bench.judgement import judge, seeds_of, training
from bandpass.bench.overall import over_benchmarks, target_compute
from bandpass.bench.results import Row
from bandpass.bench.verdict import verdict
from bandpass.evaluation.paired import AGAIN, BAND, HALF, ORACLE, UNIFORM, Comparison
from bandpass.evaluation.words import signed
from bandpass.report.ablation_inputs import About, Failed, Told

SPOKEN = {
    "flops": "At equal counted FLOPs",
    "time": "At equal reference time",
    "half": "At half of the FLOPs",
}


def lines(rows: Sequence[Row], benchmark: Benchmark, arms: Iterable[str]) -> list[str]:
    """Say what is known of some arms: whether the benchmark can judge them, then each.

    Args:
        rows: The results table.
        benchmark: Which benchmark.
        arms: Which arms; those without a verdict are passed over.
    """
    chosen = set(arms)
    said = _worth(rows, benchmark)
    for budget in (*BUDGETS, HALF):
        found = [each for each in verdict(rows, benchmark, budget) if each.arm in chosen]
        said += [f"{SPOKEN[budget]}, {each.sentence}" for each in found]
    return said


def told(rows: Sequence[Row], benchmark: Benchmark) -> Told:
    """What the page of an ablation is told of one benchmark."""
    states = {budget: judge(rows, benchmark, budget).state for budget in BUDGETS}
    spoken = [*_worth(rows, benchmark), *_of_band(rows, benchmark)]
    if set(states.values()) == {"no"}:  # its figures are in the tables
        spoken = [*_worth(rows, benchmark), "No sampler is judged on it."]
    every: list[Comparison] = []
    for budget in (*BUDGETS, HALF):
        for each in verdict(rows, benchmark, budget):
            every += [*each.against_uniform, *each.against_shuffled]
        for arm in (AGAIN, ORACLE):
            if _ran(rows, benchmark, arm, budget):
                seeds = seeds_of(rows, benchmark, arm, budget)
                every += compare(rows, benchmark, arm, UNIFORM, budget, seeds)
    judging = [budget for budget, state in states.items() if state == "yes"]
    return Told(spoken, judging, [each for each in every if each.n])


def _worth(rows: Sequence[Row], benchmark: Benchmark) -> list[str]:
    """What is asked of a benchmark before any sampler: can it judge, does training pay."""
    said = judge(rows, benchmark, BUDGETS[0]).sentence, training(rows, benchmark, BUDGETS[0])
    return [each for each in said if each]


def together(
    rows: Sequence[Row], benchmarks: Sequence[Benchmark], arms: Iterable[str]
) -> list[str]:
    """Say what arms come to over benchmarks that can judge, if two or more have one scale.

    The interquartile mean of all their paired differences, redrawn within each benchmark.
    """
    judging = [each for each in benchmarks if judge(rows, each, BUDGETS[0]).state == "yes"]
    scales = Counter(each.rare.metric for each in judging)
    if not scales or max(scales.values()) < 2:
        return []
    scale = scales.most_common(1)[0][0]
    same = [each for each in judging if each.rare.metric == scale]
    names, said = ", ".join(each.name for each in same), list[str]()
    for arm in arms:
        if arm in (UNIFORM, *CONTROLS):
            continue
        found = over_benchmarks(rows, same, arm, UNIFORM, BUDGETS[0])
        if found.count:
            ends = f"{signed(found.value)} ({signed(found.low)} to {signed(found.high)})"
            said.append(f"{arm} over {names}: interquartile mean of the rare differences {ends}.")
    return said


def _of_band(rows: Sequence[Row], benchmark: Benchmark) -> list[str]:
    """What the band did; at equal time only if that is something else than at equal counts."""
    found = [
        (budget, each)
        for budget in BUDGETS
        for each in verdict(rows, benchmark, budget)
        if each.arm == BAND
    ]
    kinds = [(each.kind, each.retention) for _, each in found]
    said = found if len(set(kinds)) > 1 else found[:1]
    spoken = [f"{SPOKEN[budget]}, {each.sentence}" for budget, each in said]
    if _ran(rows, benchmark, BAND, HALF):
        spoken.append(target_compute(rows, benchmark, BAND).sentence)
    return spoken


def about(ending: Ending) -> About:
    """Where the rows come from, as far as this machine and this block know."""
    failed = [
        Failed(cell.benchmark.name, cell.arm, cell.seed, cell.steps, why)
        for cell, why in ending.failed
    ]
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, torch {torch.__version__}"
    return About(_commit(), machine, failed)


def _commit() -> str:
    """The commit of the code, if it runs from a checkout of its own; else empty."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return ""
    words = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _ran(rows: Sequence[Row], benchmark: Benchmark, arm: str, budget: str) -> bool:
    mine = (benchmark.name, benchmark.version, arm)
    return any(
        (row["benchmark"], row["version"], row["arm"]) == mine
        and budget in row["budgets"].split("+")
        for row in rows
    )
