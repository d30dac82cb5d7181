"""The chapter on scores: what each finds over training, and the slots that policies would give."""

from typing import TYPE_CHECKING

import numpy as np

from bandpass.report.blocks import Block, Cell, Folded, Picture, Pictures, Section, Table, Verdicts
from bandpass.report.drawing import MARKERS, class_token, colour, panel, percent_axis, to_svg
from bandpass.report.findings import (
    CORRUPT,
    MODEL_FREE,
    NORMAL,
    RARE,
    Choice,
    choices,
    findings,
    last,
    ranked,
    targets_verdict,
)
from bandpass.report.tables import Columns, Run, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 8
_TINT = {RARE: "c3", CORRUPT: "c2", NORMAL: "c0"}
_LINE = 0.26  # inches of a row of a heat table or a bar


def enrichment_section(run: Run) -> Section:
    """Say, draw and tabulate what `bandpass enrich` found; a sentence where it was not run."""
    section = ("enrichment", "What the scores find")
    table, shares = run.enrichment, run.shares
    if rows(table) == 0:
        absent = "No scores have been compared on this run: `bandpass enrich` fills this chapter."
        return Section(*section, absent, ())
    named = [name for name in (RARE, CORRUPT) if name in table["slice"]]
    shown = named or [str(name) for name in np.unique(table["slice"])]
    found = findings(table, shares) + targets_verdict(run.targets)
    blocks: list[Block] = [Verdicts(found)]
    pictures = [_over_time(run, slice_) for slice_ in shown]
    pictures += [_heat(run, slice_) for slice_ in shown]
    blocks.append(Pictures(pictures))
    if rows(shares) and RARE in shares["group"]:
        best = choices(shares)[0]
        groups = [name for name in (RARE, CORRUPT, NORMAL) if name in shares["group"]]
        blocks.append(Pictures([_bars(run, best, group) for group in groups]))
        blocks.append(_best_table(choices(shares)))
    blocks += [
        Folded(f"All slices under {score}", _table(table, score)) for score in _scores(table)
    ]
    lead = (
        "Every score ranks one sample of training windows at checkpoints of a uniformly trained "
        "run. Enrichment is a slice's share of the highest scores over its natural share; labels "
        "are looked at here only, never by a sampler. Read it before any curriculum run."
    )
    return Section(*section, lead, blocks)


def _scores(table: Columns) -> list[str]:
    return list(dict.fromkeys(table["score"].tolist()))


def _over_time(run: Run, slice_: str) -> Picture:
    """Enrichment in the top tenth over steps: a line per score, each under its best ranking."""
    table = run.enrichment
    end = last(table)
    here = np.flatnonzero(end["slice"] == slice_)
    order = sorted(here, key=lambda i: -np.nan_to_num(end["top10"][i]))
    chosen: dict[str, str] = {}
    for i in order:
        chosen.setdefault(str(end["score"][i]), str(end["normalisation"][i]))
    with panel(height=3.4) as (figure, axes):
        for place, (score, within) in enumerate(list(chosen.items())[:MOST_LINES]):
            of = (table["slice"] == slice_) & (table["score"] == score)
            of &= table["normalisation"] == within
            token = class_token(place + 1)
            axes.plot(
                *(table["step"][of], table["top10"][of]),
                color=colour(token),
                marker=MARKERS[place % len(MARKERS)],
                markersize=4,
                linestyle=(0, (4, 2)) if score in MODEL_FREE else "-",
                label=ranked(score, within),
            )
        axes.axhline(1, color=colour("muted"), linewidth=1, linestyle=(0, (2, 3)))
        axes.set(xlabel="step", ylabel="times its share, top 10%")
        axes.set_ylim(bottom=0, top=1.7 * max(1.0, axes.get_ylim()[1]))
        axes.legend(loc="upper left", ncols=2, fontsize=7.5, handlelength=1.6, columnspacing=1)
        label = f"Enrichment of the slice {slice_} over training by score, {run.name}"
        svg = to_svg(figure, label)
    note = (
        f"The {min(len(chosen), MOST_LINES)} highest of {len(chosen)} scores, each ranked within "
        "what suits it best at the end. Dashed: no model has a part in it. Dotted: no enrichment. "
        "Step 0 is the untrained model."
    )
    return Picture(f"{slice_.capitalize()}: which scores find it, and when?", svg, note)


def _heat(run: Run, slice_: str) -> Picture:
    """Score by normalisation, enrichment in the top tenth at the last checkpoint."""
    end = last(run.enrichment)
    here = end["slice"] == slice_
    scores = _scores(end)
    within = list(dict.fromkeys(end["normalisation"].tolist()))
    value = np.full((len(scores), len(within)), np.nan)
    for i in np.flatnonzero(here):
        value[scores.index(end["score"][i]), within.index(end["normalisation"][i])] = end["top10"][
            i
        ]
    with panel(height=0.7 + _LINE * len(scores)) as (figure, axes):
        _cells(axes, value, _TINT.get(slice_, "c1"))
        axes.set_xticks(range(len(within)), within)
        axes.set_yticks(range(len(scores)), scores)
        svg = to_svg(figure, f"Enrichment of {slice_} by score and normalisation, {run.name}")
    return Picture(
        f"{slice_.capitalize()} in the top 10%: which score, ranked within what?",
        svg,
        "Times its natural share, at the last checkpoint; 1.0 is none. The stronger the tint, the "
        "more of it a sampler would be shown.",
    )


def _cells(axes: "Axes", value: np.ndarray, token: str) -> None:
    """Tinted cells with their number; the tint is an opacity, so the page shows through."""
    strength = np.clip(np.nan_to_num(np.log2(np.maximum(value, 1e-3))) / 3, 0, 1)
    for (row, column), number in np.ndenumerate(value):
        alpha = 0.65 * float(strength[row, column])
        axes.fill_between(
            [column - 0.48, column + 0.48],
            *(row - 0.46, row + 0.46),
            color=colour(token),
            alpha=alpha,
            linewidth=0,
        )
        text = f"{number:.1f}" if np.isfinite(number) else "n/a"
        axes.text(column, row, text, ha="center", va="center", fontsize=8)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set(xlim=(-0.5, value.shape[1] - 0.5), ylim=(value.shape[0] - 0.5, -0.5))


def _bars(run: Run, best: Choice, group: str) -> Picture:
    """Slots of one group under every policy, on the score and ranking of the best one."""
    table = run.shares
    here = (table["group"] == group) & (table["score"] == best.score)
    here &= (table["normalisation"] == best.normalisation) | (table["policy"] == "uniform")
    here |= (table["group"] == group) & (table["policy"] == "uniform")
    chosen = np.flatnonzero(here)
    names = [f"{table['policy'][i]}{' + gate' if table['gate'][i] else ''}" for i in chosen]
    with panel(height=0.8 + _LINE * len(chosen)) as (figure, axes):
        for y, i in enumerate(chosen[::-1]):
            axes.barh(y, table["share"][i], 0.62, color=colour(_TINT[group]), alpha=0.75)
            span = (table["shuffled_low"][i], table["shuffled_high"][i])
            axes.hlines(y, *span, color=colour("ink"), linewidth=2.2)
        natural = float(table["natural"][chosen[0]])
        axes.axvline(natural, color=colour("muted"), linewidth=1.2, linestyle=(0, (2, 3)))
        axes.set_yticks(range(len(chosen)), names[::-1])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="share of the slots", ylim=(-0.6, len(chosen) - 0.4))
        percent_axis(axes.xaxis)
        svg = to_svg(figure, f"Foretold slot shares of {group} windows by policy, {run.name}")
    note = (
        f"Every policy fed with {ranked(best.score, best.normalisation)}. Dotted: natural share. "
        "Dark line: where 95% of the shares lie when the same probabilities fall on the wrong "
        "windows."
    )
    return Picture(f"{group.capitalize()} windows: how many slots would they get?", svg, note)


def _best_table(found: list[Choice], most: int = 12) -> Table:
    body = [
        [
            Cell(c.policy),
            Cell(c.score),
            Cell(c.normalisation),
            Cell(f"{c.rare:.2f}"),
            Cell("none" if np.isnan(c.corrupt) else f"{c.corrupt:.2f}"),
        ]
        for c in found[:most]
    ]
    head = ("policy", "score", "ranked within", "rare slots, times", "corrupt slots, times")
    note = f"The first {len(body)} of {len(found)} that need no label; corrupt kept in check first."
    return Table("Ways to draw, by what they give rare windows", head, body, note)


def _table(table: Columns, score: str) -> Table:
    end = last(table)
    here = np.flatnonzero(end["score"] == score).tolist()
    within = list(dict.fromkeys(end["normalisation"][here].tolist()))
    by = {(str(end["slice"][i]), str(end["normalisation"][i])): i for i in here}
    body = []
    for name in dict.fromkeys(end["slice"][here].tolist()):
        row = [Cell(name), Cell(f"{end['natural'][by[name, within[0]]]:.2%}")]
        body.append(row + [_cell(end, by[name, w]) for w in within])
    note = "AUROC [95% interval], then times its share in the top 10 / 20 / 30%."
    return Table(f"{score}, last checkpoint", ("slice", "natural", *within), body, note)


def _cell(end: Columns, i: int) -> Cell:
    if not np.isfinite(end["auroc"][i]):
        return Cell("n/a")
    tops = " / ".join(f"{end[name][i]:.1f}" for name in ("top10", "top20", "top30"))
    return Cell(
        f"{end['auroc'][i]:.2f}",
        f"[{end['low'][i]:.2f}, {end['high'][i]:.2f}] {tops}",
        strong=bool(end["low"][i] > 0.5),
    )
