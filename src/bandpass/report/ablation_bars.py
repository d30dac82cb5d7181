"""What a step of every arm costs, and where its slots go, beside uniform."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from bandpass.evaluation.paired import UNIFORM
from bandpass.report.ablation_cells import Cells, short
from bandpass.report.ablation_inputs import BUDGETS, CONTROLS, SLOTS
from bandpass.report.blocks import Block, Picture, Pictures, Section, Text
from bandpass.report.drawing import colour, panel, to_svg
from bandpass.report.slots import TIMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COSTS = {"FLOPs": ("c1", "counted FLOPs"), "time": ("c2", "reference time")}
_SHARES = {"rare": "c3", "corrupt": "warn", "normal": "c0"}
_BAR = 0.155  # inches
_LEAST_RATIO = 1 / 16  # shorter bars end here: the axis is logarithmic, and a share may be 0

Line = Sequence[tuple[str, float, str]]
"""Bars of one arm from the top: colour token, length (NaN for none), and what is written beside."""


def cost_section(every: Sequence[Cells]) -> Section:
    """Bars of FLOPs and seconds a step, uniform at 1; what comes before the first step in words."""
    pictures: list[Picture] = []
    absent: list[Block] = []
    for cells in every:
        why = _unpriced(cells)
        if why:
            absent.append(Text(f"{cells.benchmark.name}: {why}"))
        else:
            pictures.append(_cost(cells))
    legend = [(token, "■", f"{name} a step") for token, name in _COSTS.values()]
    blocks: list[Block] = [Pictures(pictures, legend)] if pictures else []
    lead = (
        "A step of an arm against a step of uniform; an arm that costs more gets fewer steps for "
        "the same budget. Behind the plus: what it spends before its first step, in uniform steps."
    )
    return Section("cost", "Cost of a step", lead, [*blocks, *absent])


def _unpriced(cells: Cells) -> str:
    base = cells.prices.get(UNIFORM)
    if base is None:
        return f"the cost of “{UNIFORM}” was not measured, so there is nothing to relate to."
    if not (base.flops > 0 and base.seconds > 0):
        return f"the cost of “{UNIFORM}” is {base.flops:g} FLOPs and {base.seconds:g} s a step."
    return ""


def _cost(cells: Cells) -> Picture:
    base = cells.prices[UNIFORM]
    lines: dict[str, Line] = {}
    for arm in (arm for arm in cells.arms if arm in cells.prices):
        price = cells.prices[arm]
        both = (
            (price.flops / base.flops, price.start_flops / base.flops),
            (price.seconds / base.seconds, price.start_seconds / base.seconds),
        )
        lines[arm] = [
            (token, ratio, f"{word} {_cost_words(ratio, start)}")
            for (word, (token, _)), (ratio, start) in zip(_COSTS.items(), both, strict=True)
        ]
    with _barred(lines) as (figure, axes):
        axes.set_xlim(left=0)
        axes.set(xlabel="relative to a step of uniform")
        svg = to_svg(figure, f"FLOPs and seconds a step of every arm, {cells.benchmark.name}")
    unpriced = [arm for arm in cells.arms if arm not in cells.prices and arm not in CONTROLS]
    note = f"Not priced: {', '.join(unpriced)}." if unpriced else ""
    return Picture(f"{cells.benchmark.name}: how much dearer is a step?", svg, note)


def _cost_words(ratio: float, start: float) -> str:
    if not np.isfinite(ratio):
        return "n/a"
    return f"{TIMES}{ratio:.2f}" + (f" + {start:,.0f}" if start >= 0.5 else "")


def slots_section(every: Sequence[Cells]) -> Section:
    """Bars of the rare, corrupt and normal slots against their natural share, on a log axis."""
    pictures: list[Picture] = []
    absent: list[Block] = []
    for cells in every:
        shares = _shares(cells)
        natural = shares.get(UNIFORM, {})
        if not any(share > 0 for share in natural.values()):
            missing = f"“{UNIFORM}” logged no slot shares, so the natural ones are not known."
            absent.append(Text(f"{cells.benchmark.name}: {missing}"))
        else:
            pictures.append(_slots(cells, shares, natural))
    legend = [(token, "■", role) for role, token in _SHARES.items()]
    blocks: list[Block] = [Pictures(pictures, legend)] if pictures else []
    lead = (
        "A slot is one place in a training batch. Bars start at the natural share, which is what "
        "uniform drew: to the right an arm drew more, to the left less. Labels are used for this "
        "count only (but by the oracle)."
    )
    return Section("slots", "Where the training slots went", lead, [*blocks, *absent])


class _Slots:
    """The metric of a slot share, of whichever slice."""

    def __init__(self, name: str) -> None:
        self.task, self.metric = SLOTS, name


def _shares(cells: Cells) -> dict[str, dict[str, float]]:
    """Mean share of the slots by arm and slice."""
    found: dict[str, dict[str, float]] = {}
    for arm in cells.arms:
        each = {role: cells.mean(arm, _Slots(role), cells.budget) for role in _SHARES}
        if any(np.isfinite(share) for share in each.values()):
            found[arm] = each
    return found


def _slots(
    cells: Cells, shares: Mapping[str, Mapping[str, float]], natural: Mapping[str, float]
) -> Picture:
    lines: dict[str, Line] = {}
    for arm, mine in shares.items():
        if arm == UNIFORM:
            continue
        lines[arm] = [
            (token, *_ratio(role, mine[role], natural[role])) for role, token in _SHARES.items()
        ]
    if not lines:
        lines[UNIFORM] = [
            (token, *_ratio(role, natural[role], natural[role])) for role, token in _SHARES.items()
        ]
    with _barred(lines, start=1.0) as (figure, axes):
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, 0.5), max(high, 2.0))
        _powers_of_two(axes)
        axes.set(xlabel="share of the slots / natural share")
        svg = to_svg(figure, f"Slot shares of every arm against natural, {cells.benchmark.name}")
    held = ", ".join(f"{role} {_percent(natural[role])}" for role in _SHARES)
    note = f"Natural shares: {held}. At {BUDGETS[cells.budget]}."
    missing = [role for role in _SHARES if not natural[role] > 0]
    if missing:
        note += f" Nothing natural to relate to: {', '.join(missing)}."
    return Picture(f"{cells.benchmark.name}: more rare slots, fewer corrupt ones?", svg, note)


def _ratio(role: str, share: float, natural: float) -> tuple[float, str]:
    """Length of a bar, and the share in words."""
    said = f"{role} {_percent(share)}"
    if not (np.isfinite(share) and natural > 0):
        return np.nan, said
    ratio = share / natural
    return max(ratio, _LEAST_RATIO), f"{said} {TIMES}{ratio:.{1 if ratio >= 2 else 2}f}"


def _percent(share: float) -> str:
    if not np.isfinite(share):
        return "n/a"
    return f"{100 * share:.1f}%" if share >= 0.01 or share == 0 else f"{100 * share:.2f}%"


def _powers_of_two(axes: "Axes") -> None:
    """Ticks at 1/4, 1/2, 1, 2 and so on, in plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    axes.xaxis.set_major_locator(LogLocator(base=2))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(
        lambda value, _: f"{value:g}" if value >= 1 else f"1/{1 / value:g}"
    )


@contextmanager
def _barred(lines: Mapping[str, Line], start: float = 0.0) -> Iterator[tuple["Figure", "Axes"]]:
    """Groups of bars from ``start``, an arm each, with their words in a column on the right."""
    many = len(next(iter(lines.values())))
    pitch = many + 0.7  # of an arm, in bars
    with panel(4.6, 0.75 + _BAR * pitch * len(lines)) as (figure, axes):
        for place, line in enumerate(lines.values()):
            for row, (token, length, said) in enumerate(line):
                y = -(place * pitch + row)
                if np.isfinite(length):
                    axes.barh(y, length - start, 0.8, left=start, color=colour(token))
                axes.annotate(
                    said,
                    xy=(1.02, y),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    fontsize=8,
                    annotation_clip=False,
                )
        axes.axvline(1, color=colour("ink"), linewidth=0.9)
        middles = [-(place * pitch + (many - 1) / 2) for place in range(len(lines))]
        axes.set_yticks(middles, [short(arm) for arm in lines])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_ylim(-(len(lines) * pitch - 0.7) + 0.3, 0.7)
        yield figure, axes
