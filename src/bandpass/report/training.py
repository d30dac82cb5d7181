"""The chapter on the model's training: loss, collapse, rank, and how the steps were spent."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bandpass.losses.collapse import POSITION_LIMIT, SAMPLE_LIMIT, SCALE_LIMIT
from bandpass.report.blocks import Block, Cell, Folded, Picture, Pictures, Section, Table
from bandpass.report.drawing import colour, panel, smooth, thin, to_svg
from bandpass.report.tables import Columns, Run, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {"loss": "ink", "prediction": "c1", "grounding": "c3", "regulariser": "c4"}
COLLAPSE = {
    "collapse_position": ("position", "c1", POSITION_LIMIT),
    "collapse_sample": ("sample", "c3", SAMPLE_LIMIT),
    "collapse_scale": ("scale", "c4", SCALE_LIMIT),
}
RUN_TOKENS = ("c1", "c2", "c3", "c4", "c5", "c6")
RUN_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), "-.", (0, (7, 2, 1, 2, 1, 2)), (0, (3, 1)))
MOST_WARNINGS = 20

XY = tuple[np.ndarray, np.ndarray]


def training_section(runs: Sequence[Run]) -> Section:
    """Draw the training curves of the first run, the others beside it where that is fair."""
    run = runs[0]
    section = ("training", "Training")
    if rows(run.metrics) == 0:
        absent = "No step has been logged yet, so there are no training curves to show."
        return Section(*section, absent, ())
    pictures = [
        _loss(run, alone=len(runs) == 1),
        _collapse(run),
        _compare(runs, "rank"),
        _rate(runs),
    ]
    if np.isfinite(run.metrics["ess"]).any():
        pictures.insert(3, _compare(runs, "ess"))
    pictures.append(_compare(runs, "grad_norm"))
    blocks: list[Block] = [Pictures(pictures, legend=_run_legend(runs))]
    warnings = _warnings(run.metrics)
    if warnings:
        blocks.append(warnings)
    return Section(*section, _lead(run), blocks)


def warned(metrics: Columns) -> np.ndarray:
    """Which logged steps carry a collapse warning, (rows,) bool."""
    return metrics["warning"] != ""


def _lead(run: Run) -> str:
    metrics = run.metrics
    count, total = int(warned(metrics).sum()), rows(metrics)
    says = (
        f"{count} of {total} logged steps raised a collapse warning, the last at step "
        f"{metrics['step'][warned(metrics)][-1]:,}."
        if count
        else f"None of the {total} logged steps raised a collapse warning."
    )
    return (
        f"The loss went {_course(metrics['loss'])} and the effective rank of the embeddings "
        f"{_course(metrics['rank'])}. {says} A falling loss alone does not mean that anything was "
        "learnt: a collapsed model has a small loss too."
    )


def _course(values: np.ndarray) -> str:
    """First and last smoothed value in words."""
    logged = smooth(values[np.isfinite(values)])
    return f"from {logged[0]:.3g} to {logged[-1]:.3g}" if len(logged) else "unlogged"


def _loss(run: Run, *, alone: bool) -> Picture:
    metrics = run.metrics
    with panel() as (figure, axes):
        for name, token in PARTS.items():
            if name != "loss" and not np.nan_to_num(metrics[name]).any():
                continue  # a term this recipe does not use
            _curve(axes, (metrics["step"], metrics[name]), token, name)
        _held_out(axes, metrics)
        _mark_warnings(axes, metrics)
        axes.set(xlabel="step", ylabel="loss")
        axes.legend(loc="upper right", ncols=2)
        svg = to_svg(figure, f"Loss of {run.name} and its parts over training steps")
    note = "Faint: as logged. Solid: running median. Parts are before their weights."
    if warned(metrics).any():
        note += " Red ticks on the step axis: collapse warnings."
    if not alone:  # each run predicts its own targets, so a lower loss is not a better model
        note += " Only this run: losses against different targets cannot be compared."
    return Picture("Loss: does it fall and stay down?", svg, note)


def _held_out(axes: "Axes", metrics: Columns) -> None:
    """Mark the loss on held-out windows where it was measured."""
    known = np.isfinite(metrics["validation"])
    if known.any():
        step, loss = metrics["step"][known], metrics["validation"][known]
        axes.plot(step, loss, "o--", color=colour("c2"), markersize=4, label="held out")


def _collapse(run: Run) -> Picture:
    metrics = run.metrics
    with panel() as (figure, axes):
        for column, (name, token, limit) in COLLAPSE.items():
            _curve(axes, (metrics["step"], metrics[column] / limit), token, name)
        axes.axhline(1, color=colour("warn"), linewidth=1, linestyle=(0, (4, 3)))
        low, high = axes.get_ylim()
        axes.set(xlabel="step", ylabel="collapse term / its limit")
        axes.set_ylim(min(0, low), max(1.25, 1.15 * high))
        _mark_warnings(axes, metrics)
        axes.legend(loc="upper right", ncols=3)
        svg = to_svg(figure, f"Collapse terms of {run.name} over steps, relative to their limits")
    note = (
        f"Position (all samples alike; limit {POSITION_LIMIT:g}), sample (constant in time; "
        f"limit {SAMPLE_LIMIT:g}), scale (|log std|; limit {SCALE_LIMIT:.2g}), each divided by its "
        "limit: above the dashed line the run warns."
    )
    return Picture("Collapse: do all three stay below the line?", svg, note)


TITLES = {
    "rank": ("Effective rank: does it hold?", "effective rank", "RankMe of the pooled tokens."),
    "ess": (
        "Effective sample size: how narrow is the band?",
        "ESS / windows",
        "1 is uniform sampling; the lower, the more the draws concentrate on few windows.",
    ),
    "grad_norm": ("Gradient norm: any spikes?", "gradient norm", "Before clipping."),
}


def _compare(runs: Sequence[Run], column: str) -> Picture:
    title, label, note = TITLES[column]
    return _over_budget(runs, (title, label, note), lambda metrics: metrics[column])


def _rate(runs: Sequence[Run]) -> Picture:
    note = "Measured between logged rows, on the machine named under run facts."
    titles = ("Speed: is it steady?", "windows / s", note)
    return _over_budget(runs, titles, lambda metrics: metrics["windows_per_s"])


def _over_budget(
    runs: Sequence[Run], titles: tuple[str, str, str], pick: Callable[[Columns], np.ndarray]
) -> Picture:
    title, label, note = titles
    with panel() as (figure, axes):
        for position, run in enumerate(runs):
            values = pick(run.metrics) if rows(run.metrics) else np.empty(0)
            if not np.isfinite(values).any():
                continue
            x = 100 * run.metrics["fraction"] if len(runs) > 1 else run.metrics["step"]
            token = RUN_TOKENS[position % len(RUN_TOKENS)]
            _curve(axes, (x, values), token, run.name, RUN_DASHES[position % len(RUN_DASHES)])
        axes.set(xlabel="budget spent (%)" if len(runs) > 1 else "step", ylabel=label)
        axes.set_ylim(bottom=0)
        svg = to_svg(figure, f"{label} of {', '.join(run.name for run in runs)}")
    return Picture(title, svg, note)


def _curve(axes: "Axes", xy: XY, token: str, name: str, dash: object = "-") -> None:
    x, y = xy
    keep = np.isfinite(y)
    x, y = x[keep], y[keep]
    if len(y) == 0:
        return
    few = thin(len(y))
    axes.plot(x[few], y[few], color=colour(token), alpha=0.22, linewidth=0.8)
    axes.plot(x[few], smooth(y)[few], color=colour(token), linestyle=dash, label=name)


def _mark_warnings(axes: "Axes", metrics: Columns) -> None:
    steps = metrics["step"][warned(metrics)]
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    axes.vlines(steps, low, low + 0.05 * (high - low), color=colour("warn"), linewidth=1.4)


def _run_legend(runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    if len(runs) == 1:
        return []
    glyphs = ("━", "╍", "┅", "━", "┅", "╍")
    return [
        (RUN_TOKENS[i % len(RUN_TOKENS)], glyphs[i % len(glyphs)], run.name)
        for i, run in enumerate(runs)
    ]


def _warnings(metrics: Columns) -> Folded | None:
    at = np.flatnonzero(warned(metrics))
    if len(at) == 0:
        return None
    shown = at[:MOST_WARNINGS]
    body = [[Cell(f"{metrics['step'][i]:,}"), Cell(str(metrics["warning"][i]))] for i in shown]
    note = f"The first {len(shown)} of {len(at)}." if len(at) > len(shown) else ""
    table = Table("Collapse warnings by step", ("step", "warning"), body, note)
    return Folded(f"All {len(at)} collapse warnings" if not note else "Collapse warnings", table)
