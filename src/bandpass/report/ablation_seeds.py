"""The rare figure seed by seed, and at half the budget: what the means do not show."""

from collections.abc import Mapping, Sequence

import numpy as np

from bandpass.evaluation.paired import HALF, UNIFORM
from bandpass.report.ablation_cells import Cells, measure, number, short
from bandpass.report.ablation_inputs import BUDGETS, FULL
from bandpass.report.ablation_labels import side_labels
from bandpass.report.blocks import Block, Cell, Picture, Pictures, Section, Table, Text
from bandpass.report.drawing import colour, panel, to_svg

Styles = Mapping[str, tuple[str, str]]
_ROW, _LANE = 0.34, 0.24  # inches of an arm, and how far apart its two lanes are, in arms
_PARTS = (0.5, 1.0)


def seeds_section(every: Sequence[Cells], styles: Styles) -> Section:
    """A dot a seed, tied to the dot of the same seed under uniform."""
    blocks: list[Block] = []
    pictures: list[Picture] = []
    absent: list[Block] = []
    for cells in every:
        pairs = _pairs(cells)
        if pairs:
            pictures.append(_dots(cells, pairs, styles))
        else:
            missing = f"no arm shares a seed with “{UNIFORM}” in the rare metric."
            absent.append(Text(f"{cells.benchmark.name}: {missing}"))
    if pictures:
        legend = [("c3", "━", "arm above uniform"), ("warn", "┅", "arm not above uniform")]
        blocks = [Pictures(pictures, legend)]
    lead = (
        "The rare metric of every seed: on the upper line of a pair the arm, on the lower one "
        "uniform with the same seed. Lines that all lean one way are an effect; lines that cross "
        "are noise."
    )
    return Section("seeds", "Seed by seed", lead, [*blocks, *absent])


def _pairs(cells: Cells) -> dict[str, np.ndarray]:
    """(seeds, 2) rare figure of each arm and of uniform, of seeds that both have."""
    rare = cells.benchmark.rare
    base = cells.all_seeds(UNIFORM, rare, cells.budget)
    found = {}
    for arm in cells.arms:
        mine = cells.by_seed(arm, rare, cells.budget)
        both = sorted(set(mine) & set(base))
        if arm != UNIFORM and both:
            found[arm] = np.array([(mine[seed], base[seed]) for seed in both])
    return found


def _dots(cells: Cells, pairs: Mapping[str, np.ndarray], styles: Styles) -> Picture:
    with panel(4.6, 0.75 + _ROW * len(pairs)) as (figure, axes):
        for place, (arm, values) in enumerate(pairs.items()):
            token, marker = styles[arm]
            upper, lower = -place + _LANE, -place - _LANE
            for mine, base in values.tolist():
                above = mine > base
                axes.plot(
                    *((base, mine), (lower, upper)),
                    color=colour("c3" if above else "warn"),
                    linestyle="-" if above else (0, (2, 1.5)),
                    linewidth=1,
                )
            level = np.ones(len(values))
            axes.plot(values[:, 0], upper * level, marker, color=colour(token), markersize=4.5)
            axes.plot(values[:, 1], lower * level, "o", color=colour("c0"), markersize=3.5)
            won = int((values[:, 0] > values[:, 1]).sum())
            axes.annotate(
                f"{won} of {len(values)}",
                xy=(1.02, -place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8.5,
                annotation_clip=False,
            )
        names = [short(arm) for arm in pairs]
        axes.set_yticks(-np.arange(len(pairs)), names)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.locator_params(axis="x", nbins=6)
        axes.set(xlabel=measure(cells.benchmark.rare), ylim=(0.6 - len(pairs), 0.6))
        svg = to_svg(figure, f"Rare figure of every seed, arm by arm, {cells.benchmark.name}")
    note = f"At {BUDGETS[cells.budget]}. On the right: seeds on which the arm is above uniform."
    return Picture(f"{cells.benchmark.name}: do the seeds agree?", svg, note)


def budget_section(every: Sequence[Cells], styles: Styles) -> Section:
    """The rare figure at half and at all of the budget, and when uniform's own is reached."""
    title = ("budget", "How soon")
    absent: list[Block] = []
    blocks: list[Block] = []
    pictures: list[Picture] = []
    for cells in every:
        found = _halves(cells)
        if found:
            pictures.append(_curves(cells, found, styles))
            blocks.append(_when(cells, found))
        else:
            missing = "no arm was run at half the budget and at the full one."
            absent.append(Text(f"{cells.benchmark.name}: {missing}"))
    drawn: list[Block] = [Pictures(pictures)] if pictures else []
    lead = (
        "Runs of their own, with their own decay of the learning rate: a half is not a run broken "
        "off half way."
    )
    return Section(*title, lead, [*drawn, *blocks, *absent])


def _halves(cells: Cells) -> dict[str, np.ndarray]:
    """(3,) rare figure at half and full, and of uniform at full, over the seeds that have all."""
    rare, full = cells.benchmark.rare, FULL[0]  # half is half of the counted FLOPs
    base = cells.all_seeds(UNIFORM, rare, full)
    found = {}
    for arm in cells.arms:
        some, most = cells.by_seed(arm, rare, HALF), cells.by_seed(arm, rare, full)
        common = sorted(set(some) & set(most) & (set(base) or set(most)))
        if common:
            line = [(some[seed], most[seed], base.get(seed, np.nan)) for seed in common]
            found[arm] = np.mean(line, axis=0)
    return found


def reached(half: float, full: float, target: float) -> str:
    """From which share of the budget on ``target`` is reached, on a straight line in between."""
    if not np.isfinite(target):
        return f"no “{UNIFORM}” to reach"
    if half >= target:
        return "50% or less"
    if full < target:
        return "not within it"
    at = _PARTS[0] + (_PARTS[1] - _PARTS[0]) * (target - half) / (full - half)
    return f"about {at:.0%}"


def _curves(cells: Cells, found: Mapping[str, np.ndarray], styles: Styles) -> Picture:
    height = max(2.6, 0.8 + 0.2 * len(found))
    with panel(4.6, height) as (figure, axes):
        for arm, line in found.items():
            token, marker = styles[arm]
            axes.plot(_PARTS, line[:2], f"{marker}-", color=colour(token), markersize=5)
        if UNIFORM in found:
            target = found[UNIFORM][1]
            axes.axhline(target, color=colour("muted"), linewidth=1, linestyle=(0, (2, 3)))
        axes.set_xticks(_PARTS, ["half", "full"])
        axes.set(xlabel=BUDGETS["flops"], ylabel=measure(cells.benchmark.rare), xlim=(0.45, 1.05))
        axes.margins(y=0.1)
        side_labels(axes, [(1.0, v[1], arm, styles[arm][0]) for arm, v in found.items()], height)
        svg = to_svg(figure, f"Rare figure at half and full budget, {cells.benchmark.name}")
    note = "Dotted: what uniform comes to with the full budget." if UNIFORM in found else ""
    return Picture(f"{cells.benchmark.name}: who gets there first?", svg, note)


def _when(cells: Cells, found: Mapping[str, np.ndarray]) -> Table:
    rare = cells.benchmark.rare
    body = []
    for arm, line in found.items():
        half, full, target = line.tolist()
        values = [Cell(number(rare, value)) for value in (half, full)]
        body.append([Cell(arm), *values, Cell(reached(half, full, target))])
    head = ("arm", "half", "full", "reaches uniform's full figure at")
    note = (
        "Share of the budget, read off a straight line between the two; of the seeds that have "
        "both and uniform at full."
    )
    return Table(f"{cells.benchmark.name}: {measure(rare)} by budget", head, body, note)
