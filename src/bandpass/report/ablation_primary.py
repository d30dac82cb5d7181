"""The primary tables of an ablation: every arm against uniform at equal budgets."""

from collections.abc import Sequence

import numpy as np

from bandpass.evaluation.paired import AGAIN, GOOD, UNIFORM, Comparison
from bandpass.report.ablation_cells import Cells, measure, number, smallest
from bandpass.report.ablation_inputs import BUDGETS, CONTROLS, FULL
from bandpass.report.ablation_verdict import interval, probability
from bandpass.report.blocks import Block, Cell, Folded, Section, Table, Text

_NAMES = {AGAIN: "A/A", UNIFORM: "control", **CONTROLS}


def primary_section(every: Sequence[Cells]) -> Section:
    """Two tables a benchmark, and every comparison in words, folded."""
    blocks: list[Block] = []
    for cells in every:
        for budget in FULL:
            blocks.append(_table(cells, budget))
        if cells.compared:
            blocks.append(_all(cells))
    lead = (
        "Mean over the seeds that count, and the mean paired difference to uniform with its 95% "
        "interval; p after Holm's correction. Corrupt is the share of the slots that "
        "went to corrupt windows, in percent, its difference in percent points: less is better. "
        "Better and worse are said only where the corrected p is below 0.05."
    )
    return Section("primary", "At equal budgets", lead if blocks else "No benchmark.", blocks)


def _table(cells: Cells, budget: str) -> Table | Text:
    title = f"{cells.benchmark.name}: {BUDGETS[budget]}"
    arms = [arm for arm in cells.arms if _known(cells, arm, budget)]
    if not arms:
        return Text(f"{title}: no cell of this budget has a result.")
    if AGAIN not in arms:
        arms.insert(1, AGAIN)  # the row is always there: its absence is a finding
    head = ["arm"]
    for role in GOOD:
        head += [role, "to uniform"]
    body = [
        [_name(cells, arm), *_row(cells, arm, budget), _count(cells, arm, budget)] for arm in arms
    ]
    return Table(title, (*head, "seeds"), body, _note(cells, budget), stacked=True)


def _known(cells: Cells, arm: str, budget: str) -> bool:
    return any(
        cells.by_seed(arm, cells.metric(role), budget)
        or ((each := cells.against_uniform(arm, budget, role)) is not None and each.n > 0)
        for role in GOOD
    )


def _name(cells: Cells, arm: str) -> Cell:
    detail = "screening seeds" if cells.screened_only(arm) else _NAMES.get(arm, "")
    return Cell(arm, detail)


def _row(cells: Cells, arm: str, budget: str) -> list[Cell]:
    line = []
    for role in GOOD:
        metric = cells.metric(role)
        each = cells.against_uniform(arm, budget, role)
        mean = cells.mean(arm, metric, budget) if each is None else each.mean
        line.append(Cell(number(metric, mean)))
        if arm == UNIFORM or arm in CONTROLS:
            line.append(Cell("\N{EN DASH}"))
        elif each is None or not np.isfinite(each.difference):
            line.append(Cell("not compared" if np.isfinite(mean) else "not run"))
        else:
            line.append(_against(cells, each))
    return line


def _against(cells: Cells, each: Comparison) -> Cell:
    text = number(cells.metric(each.role), each.difference, signed=True)
    if each.outcome:
        text += f" {each.outcome}"
    tail = f"{interval(cells, each)}, {probability(each.p_holm)}"
    text += {None: "", True: ", kept", False: ", not kept"}[each.kept]
    return Cell(text, tail, strong=bool(each.outcome))


def _count(cells: Cells, arm: str, budget: str) -> Cell:
    """Seeds that were compared, or that have run; a range where the metrics differ."""
    found = set()
    for role in GOOD:
        each = cells.against_uniform(arm, budget, role)
        found.add(len(cells.by_seed(arm, cells.metric(role), budget)) if each is None else each.n)
    return Cell(str(min(found)) if len(found) == 1 else f"{min(found)} to {max(found)}")


def _note(cells: Cells, budget: str) -> str:
    bench = cells.benchmark
    asked = "; ".join(f"{role}: {measure(cells.metric(role))}" for role in GOOD)
    says = [f"{asked[:1].upper()}{asked[1:]}."]
    margin = number(bench.normal, bench.margin)
    says.append(
        f"Kept: normal is shown to lose less than {margin}, fixed beforehand; not kept: it is not."
    )
    shown = []
    for role in GOOD:
        known = [
            each.mde
            for each in cells.compared
            if (each.role, each.budget, each.against) == (role, budget, UNIFORM)
            and not np.isnan(each.mde)
        ]
        if known:
            finite = [each for each in known if np.isfinite(each)] or known  # pilots show none
            shown.append(f"{role} {smallest(cells.metric(role), float(np.median(finite)))}")
    if shown:
        says.append(f"Smallest difference these seeds could show (median): {', '.join(shown)}.")
    if not any(np.isfinite(each.low) for each in cells.compared if each.budget == budget):
        says.append("No interval: that takes two seeds or more, and a comparison of them.")
    return " ".join(says)


def _all(cells: Cells) -> Folded:
    """Everything that was compared, those against other controls than uniform too."""
    body = [
        [
            Cell(each.arm),
            Cell(each.against),
            Cell(each.budget),
            Cell(each.role),
            Cell(probability(each.p).removeprefix("p ")),
            Cell(smallest(cells.metric(each.role), each.mde)),
            Cell(each.sentence),
        ]
        for each in sorted(cells.compared, key=lambda each: each.against == UNIFORM)
    ]
    head = (
        "arm",
        "against",
        "budget",
        "primary metric",
        "p, uncorrected",
        "detectable difference",
        "in words",
    )
    caption = f"All comparisons of {cells.benchmark.name}"
    return Folded(f"{caption} ({len(body)})", Table(caption, head, body))
