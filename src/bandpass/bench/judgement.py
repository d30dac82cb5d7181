"""Whether a benchmark can judge a sampler: asked before any sampler is judged on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bandpass.bench.arms import UNTRAINED
from bandpass.bench.compare import compare, enough, of_benchmark
from bandpass.bench.declared import Benchmark
from bandpass.bench.results import Row
from bandpass.evaluation.paired import AGAIN, ALPHA, ORACLE, UNIFORM, Comparison
from bandpass.evaluation.words import plain, probability

State = Literal["yes", "no", "open"]


@dataclass(frozen=True)
class Judgement:
    """Whether a benchmark can judge a sampler, see `judge`.

    Attributes:
        benchmark: Its name.
        budget: At which budget.
        state: "yes", "no", or "open" with too few pairs of oracle or A/A.
        sentence: The same in words.
        oracle: Oracle against uniform in the rare metric.
        again: The two equal arms, likewise.
        spread: What two equal arms may differ by: the further end of their 95% interval from 0.
    """

    benchmark: str
    budget: str
    state: State
    sentence: str
    oracle: Comparison
    again: Comparison
    spread: float


def seeds_of(rows: Sequence[Row], benchmark: Benchmark, arm: str, budget: str) -> tuple[int, ...]:
    """Return the seeds an arm is judged by: those that count if it ran on any, else the screening.

    The two are never pooled: samplers were chosen by the screening seeds.
    """
    ran = {
        row["seed"]
        for row in of_benchmark(rows, benchmark)
        if row["arm"] == arm and budget in row["budgets"].split("+")
    }
    return benchmark.seeds if ran & set(benchmark.seeds) else benchmark.screen


def judge(rows: Sequence[Row], benchmark: Benchmark, budget: str) -> Judgement:
    """Ask whether a benchmark can tell samplers apart: whether the oracle beats uniform clearly.

    It can if the oracle gains in the rare metric with p < .05 (uncorrected: this is one question,
    asked before all others) and by more than two equal arms may differ.

    Args:
        rows: Results of any benchmarks.
        benchmark: Which one.
        budget: "flops" or "time"; the oracle does not run at "half".
    """
    seeds = seeds_of(rows, benchmark, ORACLE, budget)
    oracle = compare(rows, benchmark, ORACLE, UNIFORM, budget, seeds)[0]
    again = compare(rows, benchmark, AGAIN, UNIFORM, budget, seeds)[0]
    spread = max(abs(again.low), abs(again.high))
    fewest = min(oracle.n, again.n)
    clear = oracle.p < ALPHA and oracle.difference > spread
    state: State = "open" if not enough(fewest) else "yes" if clear else "no"
    can = {"yes": "can", "no": "cannot", "open": "is not known to be able to"}[state]
    change = "gains" if oracle.difference >= 0 else "changes the rare metric by"
    said = f"the oracle {change} {oracle.figures}, {probability(oracle.p)}"
    if not oracle.n:
        said = "the oracle was not run"
    if math.isnan(spread):
        noise = "two equal arms were not compared"
    else:
        noise = f"two equal arms differ by {plain(abs(again.difference))}, at most {plain(spread)}"
    pilot = f"pilot, n = {fewest}; " if state == "open" else ""
    sentence = f"{benchmark.name} {can} judge a sampler: {pilot}{said}; {noise}."
    return Judgement(benchmark.name, budget, state, sentence, oracle, again, spread)


def training(rows: Sequence[Row], benchmark: Benchmark, budget: str) -> str:
    """Say what uniform training adds to the untrained model in the rare metric.

    Where it adds nothing, a sampler that gains gains over worse trainings only. Empty without
    enough pairs.
    """
    seeds = seeds_of(rows, benchmark, UNTRAINED, budget)
    rare = compare(rows, benchmark, UNIFORM, UNTRAINED, budget, seeds)[0]
    if not enough(rare.n):
        return ""
    told = f"{rare.figures}, {probability(rare.p)}"
    if not rare.p < ALPHA:
        return f"That training adds to the untrained model is not shown: {told}."
    if rare.difference > 0:
        return f"Training adds to the untrained model: {told}."
    return (
        f"Training takes from the untrained model: {told}; what a sampler gains there, it gains "
        "over other trainings only."
    )
