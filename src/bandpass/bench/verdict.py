"""Verdicts on arms, which can be negative."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bandpass.bench.arms import ARMS, CONTROLS
from bandpass.bench.compare import compare, of_benchmark
from bandpass.bench.declared import Benchmark
from bandpass.bench.judgement import Judgement, judge, seeds_of
from bandpass.bench.results import Row
from bandpass.evaluation.paired import AGAIN, ORACLE, UNIFORM, Comparison
from bandpass.evaluation.words import plain, probability, signed

FULL = "flops"
"""Budget that the benchmark itself is judged at: the oracle does not run at half of it."""

Kind = Literal["helps", "hurts", "no difference", "not judged", "pilot"]
Retention = Literal["kept", "lost", "not shown"]
Cause = Literal["information", "re-use", "not shown", "not compared"]


@dataclass(frozen=True)
class Verdict:
    """What is known of one arm, see `verdict`.

    Attributes:
        benchmark: Name of the benchmark.
        arm: Which arm.
        budget: At which budget.
        kind: Of the rare metric, against uniform.
        retention: Of the normal metric, against uniform: "kept" if it is non-inferior by the
            margin, "lost" if it is not and the corrected test finds a fall, else "not shown".
        cause: Of a gain: "information" if the arm beats its shuffled scores too, "re-use" if only
            both beat uniform, else "not shown"; "not compared" without pairs.
        sentence: All this in words.
        against_uniform: Rare, normal, corrupt.
        against_shuffled: The same against the arm with shuffled scores (`Arm.shuffled`).
    """

    benchmark: str
    arm: str
    budget: str
    kind: Kind
    retention: Retention
    cause: Cause
    sentence: str
    against_uniform: list[Comparison]
    against_shuffled: list[Comparison]


def verdict(rows: Sequence[Row], benchmark: Benchmark, budget: str) -> list[Verdict]:
    """Judge every arm but uniform, its A/A arm, the oracle and the controls.

    The three metrics of an arm are corrected for each other; arms are not: of twenty useless arms
    expect one to differ from uniform in something.

    Args:
        rows: Results of any benchmarks.
        benchmark: Which one.
        budget: "flops", "time" or "half".

    Returns:
        One for every arm that ran at this budget, in the order of the table.
    """
    rows = of_benchmark(rows, benchmark)
    judged = judge(rows, benchmark, FULL if budget == "half" else budget)
    ran = dict.fromkeys(row["arm"] for row in rows if budget in row["budgets"].split("+"))
    return [
        _verdict(rows, benchmark, judged, arm, budget)
        for arm in ran
        if arm not in (UNIFORM, AGAIN, ORACLE, *CONTROLS)
    ]


def _verdict(
    rows: Sequence[Row], benchmark: Benchmark, judged: Judgement, arm: str, budget: str
) -> Verdict:
    seeds = seeds_of(rows, benchmark, arm, budget)
    found = compare(rows, benchmark, arm, UNIFORM, budget, seeds)
    control = ARMS[arm].shuffled if arm in ARMS else ""
    beside = compare(rows, benchmark, arm, control, budget, seeds) if control else []
    shuffled = compare(rows, benchmark, control, UNIFORM, budget, seeds)[0]
    kind = _kind(found[0], judged, pilot=seeds == benchmark.screen)
    retention, cause = _retention(found[1]), _cause(beside, shuffled)
    clauses = [_opening(arm, kind, found[0], judged), _retained(found[1], retention)]
    if beside and cause != "not compared":
        clauses.append(_compared(beside[0], cause, gain=kind == "helps"))
    elif beside:
        clauses.append("not compared with shuffled scores")
    if found[2].outcome:
        clauses.append(f"corrupt {found[2].outcome}: {found[2].figures}")
    sentence = "; ".join(clauses) + "."
    return Verdict(benchmark.name, arm, budget, kind, retention, cause, sentence, found, beside)


def _kind(rare: Comparison, judged: Judgement, *, pilot: bool) -> Kind:
    if pilot or math.isinf(rare.mde):
        return "pilot"
    if judged.state != "yes":
        return "not judged"
    if not rare.outcome:
        return "no difference"
    return "helps" if rare.outcome == "better" else "hurts"


def _opening(arm: str, kind: Kind, rare: Comparison, judged: Judgement) -> str:
    tested = f"rare {rare.figures}, after Holm {probability(rare.p_holm)}"
    if kind == "pilot":
        return f"{arm}: pilot, n = {rare.n}; rare {rare.figures}"
    if kind == "not judged":
        why = "cannot" if judged.state == "no" else "is not known to be able to"
        return f"{arm} is not judged, as {judged.benchmark} {why} judge a sampler; {tested}"
    if kind == "no difference":
        missed = f"less than {plain(rare.mde)} could have been missed"
        return f"{arm}: no difference found, {missed}; {tested}"
    return f"{arm} {kind}: {tested}"


def _retention(normal: Comparison) -> Retention:
    if normal.retention is not None and normal.retention.holds:
        return "kept"
    return "lost" if normal.outcome == "worse" else "not shown"


def _retained(normal: Comparison, state: Retention) -> str:
    held = normal.retention
    said = f"retention {state}: normal {normal.figures}"
    if held is None or math.isnan(held.bound):
        return said
    return f"{said}, 95% above {signed(held.bound)}, margin {plain(held.margin)}"


def _cause(beside: Sequence[Comparison], shuffled: Comparison) -> Cause:
    if not beside or not beside[0].n:
        return "not compared"
    if beside[0].outcome == "better":
        return "information"
    return "re-use" if shuffled.outcome == "better" else "not shown"


def _compared(rare: Comparison, cause: Cause, *, gain: bool) -> str:
    said = f"against shuffled scores {rare.figures}"
    if not gain:
        return said
    meaning = {
        "information": "the gain is information",
        "re-use": "shuffled scores gain as well, so it is re-use, not information",
    }
    return f"{said}: {meaning.get(cause, 'that it is information is not shown')}"
