"""What an arm gains in the rare metric against what it loses in the normal one."""

from collections.abc import Mapping, Sequence

import numpy as np

from bandpass.evaluation.paired import ORACLE, UNIFORM
from bandpass.report.ablation_cells import Cells, measure
from bandpass.report.ablation_inputs import BUDGETS, CONTROLS
from bandpass.report.ablation_labels import side_labels
from bandpass.report.blocks import Block, Picture, Pictures, Section, Text
from bandpass.report.drawing import colour, panel, to_svg

Styles = Mapping[str, tuple[str, str]]
XY = tuple[float, float]
_LEAST, _LINE = 3.4, 0.2  # inches of a figure, and of a name beside it


def tradeoff_section(every: Sequence[Cells], styles: Styles) -> Section:
    """One figure a benchmark; a sentence where the two metrics were not measured together."""
    pictures: list[Picture] = []
    absent: list[Block] = []
    for cells in every:
        drawn = _points(cells)
        if drawn:
            pictures.append(_picture(cells, drawn, styles))
        else:
            missing = "no arm has both a rare and a normal figure at a full budget."
            absent.append(Text(f"{cells.benchmark.name}: {missing}"))
    lead = (
        "Up is better for rare states, right is better for normal operation: an arm above uniform "
        "and not left of it is a gain, one above and left is a trade."
    )
    blocks: list[Block] = [Pictures(pictures)] if pictures else []
    return Section("tradeoff", "What the gain costs", lead, [*blocks, *absent])


def _points(cells: Cells) -> dict[str, np.ndarray]:
    """(seeds, 2) normal and rare figure of each arm, of the seeds that have both."""
    found = {}
    for arm in cells.arms:
        normal = cells.by_seed(arm, cells.benchmark.normal, cells.budget)
        rare = cells.by_seed(arm, cells.benchmark.rare, cells.budget)
        both = sorted(set(normal) & set(rare))
        if both:
            found[arm] = np.array([(normal[seed], rare[seed]) for seed in both])
    return found


def front(means: Mapping[str, XY]) -> list[str]:
    """Names that no other beats in one figure without losing in the other, from left to right."""
    kept = [
        name
        for name, (x, y) in means.items()
        if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in means.values())
    ]
    return sorted(kept, key=lambda name: (means[name], name))


def _picture(cells: Cells, drawn: Mapping[str, np.ndarray], styles: Styles) -> Picture:
    bench = cells.benchmark
    means: dict[str, XY] = {arm: tuple(each.mean(axis=0).tolist()) for arm, each in drawn.items()}
    best = front({arm: mean for arm, mean in means.items() if arm not in (ORACLE, *CONTROLS)})
    height = max(_LEAST, 0.8 + _LINE * len(drawn))
    with panel(4.6, height) as (figure, axes):
        for arm, seeds in drawn.items():
            token, marker = styles[arm]
            axes.plot(*seeds.T, marker, color=colour(token), markersize=3, alpha=0.45)
            x, y = means[arm]
            axes.plot(
                *(x, y, marker),
                color=colour(token),
                markersize=8,
                markeredgecolor=colour("ink"),
                markeredgewidth=0.8,
                zorder=4,
            )
        if best:
            line = [means[arm] for arm in best]
            axes.plot(*zip(*line, strict=True), color=colour("ink"), linewidth=1.1, zorder=3)
        if UNIFORM in means:
            lost = means[UNIFORM][0] - bench.margin
            axes.axvline(lost, color=colour("warn"), linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlabel=measure(bench.normal), ylabel=measure(bench.rare))
        axes.margins(0.07)
        axes.locator_params(nbins=5)
        named = [(*means[arm], _label(cells, arm), styles[arm][0]) for arm in drawn]
        side_labels(axes, named, height)
        svg = to_svg(figure, f"Rare against normal figure of every arm, {bench.name}")
    note = (
        f"At {BUDGETS[cells.budget]}. Small: a seed. Big: an arm's mean. Line: the Pareto front of "
        f"the means, without controls and {ORACLE}, which knows the labels."
    )
    if UNIFORM in means:
        note += " Dashed: uniform's normal figure less the margin."
    return Picture(f"{bench.name}: is anything above uniform without lying left of it?", svg, note)


def _label(cells: Cells, arm: str) -> str:
    return f"{arm} (screen)" if cells.screened_only(arm) else arm
