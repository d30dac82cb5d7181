"""The top of an ablation's page: the verdict on each benchmark, the A/A comparison beside it."""

from collections.abc import Sequence

import numpy as np

from bandpass.evaluation.paired import AGAIN, BAND, GOOD, ORACLE, UNIFORM, Comparison
from bandpass.report.ablation_cells import Cells, number
from bandpass.report.ablation_inputs import BUDGETS, SLOTS
from bandpass.report.blocks import Block, Section, Text, Verdict, Verdicts


def verdict_section(every: Sequence[Cells]) -> Section:
    """One sentence a benchmark, with what two identical samplers differ by and what is missing."""
    section = ("verdict", "Does the curriculum help?")
    if not every:
        return Section(*section, "No benchmark was given, so there is nothing to judge.", ())
    blocks: list[Block] = [Verdicts([_verdict(cells), *_beside(cells)]) for cells in every]
    lead = (
        "Every arm gets the same budget as uniform sampling, and is compared with it seed by seed: "
        "same weights at the start, same split, same masks. The A/A line compares uniform with "
        "itself in another order: what it differs by is noise."
    )
    return Section(*section, lead, [*blocks, Text(_legend)])


_legend = (
    f"✓ the arm “{BAND}” is better in the rare metric under every full budget and shown to keep "
    "normal operation within the margin; ✗ it is worse in one of them; ≈ neither is shown."
)


def _verdict(cells: Cells) -> Verdict:
    name, told = cells.benchmark.name, cells.told
    about = f"What it is: {cells.benchmark.title}."
    if told is None:
        why = f"The statistics were not computed. {about}"
        return Verdict("open", f"{name}: no verdict", why)
    first, *more = told.sentences
    return Verdict(_outcome(cells), name, first, (*more, about))


def _outcome(cells: Cells) -> str:
    """Of the band against uniform: ``yes``, ``no`` or ``open``."""
    if cells.told is None:
        return "open"
    mine = [
        each
        for each in cells.compared
        if (each.arm, each.against) == (BAND, UNIFORM) and each.budget in cells.told.judging
    ]
    rare = [each.outcome for each in mine if each.role == "rare"]
    normal = [each for each in mine if each.role == "normal"]
    if "worse" in rare or any(each.outcome == "worse" and not each.kept for each in normal):
        return "no"
    kept = bool(normal) and all(each.kept for each in normal)
    return "yes" if kept and rare and set(rare) == {"better"} else "open"


def _beside(cells: Cells) -> list[Verdict]:
    """The A/A line, and what this benchmark lacks."""
    lines = [_again(cells)]
    if not cells.rows:
        lines.append(Verdict("open", "No results", "No cell of this benchmark has a result yet."))
        return lines
    for arm, without in _NEEDED.items():
        if arm not in {row["arm"] for row in cells.rows}:
            lines.append(Verdict("open", f"No arm “{arm}”", without))
    return lines


_NEEDED = {
    UNIFORM: "There is nothing to compare the other arms with.",
    ORACLE: "Whether a better sampler could show here at all is not known.",
}


def _again(cells: Cells) -> Verdict:
    found = [
        each
        for budget in BUDGETS
        for role in GOOD
        if (each := cells.against_uniform(AGAIN, budget, role)) is not None
    ]
    found = [each for each in found if each.budget == found[0].budget]
    if not found:
        missing = f"The arm “{AGAIN}” was not compared, so the noise of the seeds is not known."
        return Verdict("open", "A/A", missing)
    said = "; ".join(f"{each.role} {_difference(cells, each)}" for each in found)
    differ = [each.role for each in found if each.outcome]
    if differ:
        why = f"It differs in {' and '.join(differ)}, so do not trust the other comparisons."
        return Verdict("no", "A/A", f"{AGAIN} against {UNIFORM}: {said}. {why}")
    if not any(np.isfinite(each.low) for each in found):
        why = "Without an interval it says nothing."
        return Verdict("open", "A/A", f"{AGAIN} against {UNIFORM}: {said}. {why}")
    quiet = f"{AGAIN} against {UNIFORM}: {said}. No difference shown, as it should be."
    return Verdict("yes", "A/A", quiet)


def _difference(cells: Cells, each: Comparison) -> str:
    metric = cells.metric(each.role)
    points = " points" if metric.task == SLOTS else ""
    difference = number(metric, each.difference, signed=True)
    return f"{difference}{points}, {interval(cells, each)}, n {each.n}"


def interval(cells: Cells, each: Comparison) -> str:
    """``[low, high]`` of a difference, or that there is none."""
    metric = cells.metric(each.role)
    if not np.isfinite([each.low, each.high]).all():
        return "no interval"
    low, high = (number(metric, value, signed=True) for value in (each.low, each.high))
    return f"[{low}, {high}]"


def probability(p: float) -> str:
    """A p value, plainly: ``p 0.023``, or that there is none."""
    if not np.isfinite(p):
        return "no p"
    return "p <0.001" if p < 0.0005 else f"p {round(p, 3):g}"
