"""The chapter on slot shares: which classes the training slots went to, against nature."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bandpass.report.blocks import Block, Cell, Picture, Pictures, Section, Table
from bandpass.report.drawing import (
    GLYPHS,
    MARKERS,
    by_share,
    class_token,
    colour,
    panel,
    percent_axis,
    thin,
    to_svg,
)
from bandpass.report.tables import Columns, Run, rows

KINDS = {"modality": "modality", "regime": "regime", "dataset": "dataset", "shape": "shape"}
KINDS |= {"label": "label", "corrupt": "corruption"}
TIMES = "\N{MULTIPLICATION SIGN}"
_SPAN = 0.08  # shares over time are counted over this part of the run, so that rare classes show
_DWARFS = 0.6  # natural share from which one class would hide the bars of the others
_LEAST = 1e-4  # lower end of the log axis of shares


@dataclass(frozen=True)
class Shares:
    """Slot shares of one kind of class.

    Attributes:
        names: (k,) class names, commonest first.
        steps: (s,) logged steps.
        recent: (k, s) share of the draws of the last part of the run up to each step.
        final: (k,) share of all draws.
        natural: (k,) share of the training windows.
    """

    names: tuple[str, ...]
    steps: np.ndarray
    recent: np.ndarray
    final: np.ndarray
    natural: np.ndarray


def slots_section(runs: Sequence[Run]) -> Section:
    """Draw natural and sampled shares by regime, label and corruption; all runs in the tables."""
    run = runs[0]
    section = ("slots", "Where the training slots went")
    if rows(run.slots) == 0:
        absent = "This run logged no slot shares, so it cannot be said which classes it drew."
        return Section(*section, absent, ())
    blocks: list[Block] = []
    for kind, word in KINDS.items():
        shares = shares_of(run.slots, kind)
        if shares is None:
            continue
        pictures = [_over_time(run, word, shares), _bars(run, word, shares)]
        legend = [
            (class_token(i), GLYPHS[i % len(GLYPHS)], name) for i, name in enumerate(shares.names)
        ]
        blocks += [Pictures(pictures, legend), _table(runs, kind, word, shares)]
    lead = (
        "A slot is one place in a training batch. Uniform sampling fills the slots with classes in "
        "their natural shares; a useful band gives the rare regimes more, and corrupt windows not. "
        "Labels are used for this count only, never for the training."
    )
    return Section(*section, lead, blocks)


def shares_of(slots: Columns, kind: str) -> Shares | None:
    """Shares of all classes of ``kind``; None if the run logged none."""
    here = slots["kind"] == kind
    if not here.any():
        return None
    steps, column = np.unique(slots["step"][here], return_inverse=True)
    names, line = np.unique(slots["name"][here], return_inverse=True)
    drawn, natural = np.zeros((len(names), len(steps))), np.zeros(len(names))
    drawn[line, column] = slots["drawn"][here]
    natural[line] = slots["natural"][here]
    drawn = np.maximum.accumulate(drawn, axis=1)  # a class first drawn late was at 0 before
    before = np.searchsorted(steps, steps - _SPAN * steps[-1], side="right") - 1
    earlier = np.where(before >= 0, drawn[:, before.clip(0)], 0.0)
    recent = drawn - earlier
    order = by_share(names, natural)
    pick = [names.tolist().index(name) for name in order]
    return Shares(
        names=tuple(order),
        steps=steps,
        recent=(recent / np.maximum(recent.sum(axis=0), 1))[pick],
        final=(drawn[:, -1] / max(drawn[:, -1].sum(), 1))[pick],
        natural=natural[pick],
    )


def _over_time(run: Run, word: str, shares: Shares) -> Picture:
    with panel(height=2.9) as (figure, axes):
        few = thin(len(shares.steps), 200)
        for i, name in enumerate(shares.names):
            paint = colour(class_token(i))
            seen = np.where(shares.recent[i] > 0, shares.recent[i], np.nan)[few]
            axes.plot(
                *(shares.steps[few], seen),
                color=paint,
                label=name,
                marker=MARKERS[i % len(MARKERS)],
                markevery=max(1, len(few) // 5),
                markersize=4,
            )
            if shares.natural[i] > 0:
                axes.axhline(shares.natural[i], color=paint, linewidth=1, linestyle=(0, (2, 3)))
        axes.set_yscale("log")
        low = max(_LEAST, min(1e-2, axes.get_ylim()[0]))
        axes.set(xlabel="step", ylabel="share of the slots", ylim=(low, 1.1))
        percent_axis(axes.yaxis)
        svg = to_svg(figure, f"Share of the training slots by {word} over steps, {run.name}")
    note = (
        f"Log scale. Solid: share of the slots over the last {_SPAN:.0%} of the run. Dotted: "
        "natural share."
    )
    return Picture(f"Slots by {word} over time: which lines leave their dotted one?", svg, note)


def _bars(run: Run, word: str, shares: Shares) -> Picture:
    """Grey natural and coloured drawn bars; a class that dwarfs the rest is told, not drawn."""
    dwarfs = len(shares.names) > 1 and shares.natural[0] > _DWARFS
    chosen = range(int(dwarfs), len(shares.names))
    with panel(height=2.9) as (figure, axes):
        at, spare = np.arange(len(chosen))[::-1], max(0, 3 - len(chosen)) / 2
        for y, i in zip(at, chosen, strict=True):
            final, natural = shares.final[i], shares.natural[i]
            axes.barh(y + 0.19, natural, 0.32, color=colour("muted"), alpha=0.45)
            axes.barh(y - 0.19, final, 0.32, color=colour(class_token(i)))
            ratio = f" {TIMES}{final / natural:.2f}" if natural > 0 else " new"
            axes.annotate(ratio, (final, y - 0.19), va="center", fontsize=8.5)
        axes.grid(visible=False, axis="y")
        axes.set_yticks(at, [shares.names[i] for i in chosen])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(right=1.15 * axes.get_xlim()[1])
        axes.set(xlabel="share", ylim=(-0.7 - spare, len(chosen) - 0.4 + spare))
        percent_axis(axes.xaxis)
        svg = to_svg(figure, f"Natural and drawn share by {word}, whole run, {run.name}")
    note = "Grey: natural share. Coloured: share of all slots, and their ratio."
    if dwarfs:
        note += (
            f" Too long to draw here: {shares.names[0]}, {_percent(shares.natural[0])} natural, "
            f"{_percent(shares.final[0])} of the slots."
        )
    return Picture(f"The whole run by {word}: which colours outgrow the grey?", svg, note)


def _table(runs: Sequence[Run], kind: str, word: str, shares: Shares) -> Table:
    others = {run.name: shares_of(run.slots, kind) for run in runs[1:] if rows(run.slots)}
    body = []
    for i, name in enumerate(shares.names):
        cells = [Cell(name), Cell(_percent(shares.natural[i])), _share(shares, name)]
        cells += [_share(other, name) for other in others.values()]
        body.append(cells)
    head = [word, "natural", f"drawn: {runs[0].name}", *(f"drawn: {name}" for name in others)]
    return Table(
        f"Slot shares by {word}, whole run", head, body, f"{TIMES}: drawn relative to natural."
    )


def _share(shares: Shares | None, name: str) -> Cell:
    if shares is None or name not in shares.names:
        return Cell("not logged")
    i = shares.names.index(name)
    ratio = shares.final[i] / shares.natural[i] if shares.natural[i] > 0 else np.nan
    return Cell(_percent(shares.final[i]), f"{TIMES}{ratio:.2f}" if np.isfinite(ratio) else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%" if share >= 0.01 else f"{100 * share:.2f}%"
