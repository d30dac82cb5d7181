"""The chapter on the held-out loss of a schedule run: what it is worth beside its controls."""

from collections.abc import Sequence

import numpy as np

from bandpass.evaluation.schedules import LEAST_BEYOND, LEAST_RANK
from bandpass.report.blocks import Block, Cell, Picture, Pictures, Section, Table, Verdict, Verdicts
from bandpass.report.drawing import colour, panel, to_svg
from bandpass.report.tables import Columns, Run, rows

ALL = "all"
WHO = {
    "trained": "c1",
    "fresh": "c0",
    "mean target": "c5",
    "position's mean": "c2",
    "collapsed encoder": "warn",
}
"""Whose loss is shown, and its colour."""

VARIANCES = {
    "variance": ("variance of the targets", "c0"),
    "variance_within_position": ("about each position's mean", "c2"),
    "mse": ("squared error of the model", "c1"),
}

_SOURCES = {
    "loss": ".4g",
    "variance": ".4g",
    "variance_within_position": ".4g",
    "explained": ".3f",
    "explained_beyond_position": ".3f",
    "effective_rank": ".2f",
}
_RANKS = {
    "effective_rank": ("effective rank, pooled", ".2f"),
    "rankme": ("RankMe, pooled", ".2f"),
    "effective_rank_tokens": ("effective rank, tokens", ".2f"),
    "rankme_tokens": ("RankMe, tokens", ".2f"),
    "top_direction": ("variance in one direction", ".4%"),
    "variance": ("variance of tokens", ".4g"),
    "variance_within_position": ("about each position's mean", ".4g"),
}


def losses_section(run: Run) -> tuple[Section, Verdict | None]:
    """Losses, variance and rank of the targets, and every source by itself."""
    section = ("losses", "Held-out loss, and what it is worth")
    if rows(run.losses) == 0:
        absent = "Not measured yet: `bandpass evaluate` compares the loss with its controls."
        return Section(*section, absent, ()), None
    found = verdict(run.losses)
    blocks: list[Block] = [
        Verdicts([found]),
        Pictures([_bars(run.losses), _variances(run.losses)]),
        _ranks(run.losses),
        _sources(run.losses),
    ]
    lead = (
        "A latent loss is small when the prediction is good, and also when there is nothing to "
        "predict. So it stands beside predictors that have learnt nothing, which answer for the "
        "same targets at the same hidden positions, and beside the variance of these targets: "
        "what counts is the share that is explained beyond each position's mean. An encoder that "
        "does not see its input has a loss of 0."
    )
    return Section(*section, lead, blocks), found


def value_of(losses: Columns, what: str, metric: str, dataset: str = ALL) -> float:
    """One measured number; NaN if there is none."""
    same = (losses["what"] == what) & (losses["metric"] == metric)
    found = losses["value"][same & (losses["dataset"] == dataset)]
    return float(found[0]) if len(found) else float("nan")


def verdict(losses: Columns) -> Verdict:
    """Say in a sentence whether the low loss means that something was learnt."""
    trained, fresh = (value_of(losses, who, "loss") for who in ("trained", "fresh"))
    total, beyond = (
        value_of(losses, "trained", metric) for metric in ("explained", "explained_beyond_position")
    )
    rank, top = (
        value_of(losses, "trained", metric) for metric in ("effective_rank", "top_direction")
    )
    change = 1 - trained / fresh
    how = f"{change:.2%} lower" if change >= 0 else f"{-change:.2%} higher"
    facts = f"the held-out loss is {trained:.4g}, {how} than the {fresh:.4g} of a fresh model, "
    tail = (
        f"the targets have effective rank {rank:.2f} with {top:.2%} of their variance in one "
        f"direction, and the model explains {_share(total)} of it in total and {_share(beyond)} "
        "beyond each position's mean."
    )
    if beyond >= LEAST_BEYOND and rank >= LEAST_RANK:
        return Verdict("yes", "Collapse? No", f"{facts[0].upper()}{facts[1:]}and {tail}")
    return Verdict("no", "Collapse? Near-collapse", f"{facts[0].upper()}{facts[1:]}but {tail}")


def table_of(losses: Columns) -> Table:
    """Every loss, as recipe and as squared error have it."""
    shown = [who for who in WHO if np.isfinite(value_of(losses, who, "loss"))]
    body = [
        [Cell(who), *(_cell(value_of(losses, who, metric), ".4g") for metric in ("loss", "mse"))]
        for who in shown
    ]
    windows = value_of(losses, "windows", "count")
    note = f"Measured on {windows:,.0f} held-out windows." if np.isfinite(windows) else ""
    return Table("Held-out loss", ("predictor", "loss", "squared error"), body, note)


def _share(value: float) -> str:
    return f"{value:.1%}" if value > 0 else "none"


def _cell(value: float, form: str) -> Cell:
    return Cell(format(value, form) if np.isfinite(value) else "n/a")


def _bars(losses: Columns) -> Picture:
    values = {who: value_of(losses, who, "loss") for who in WHO}
    bars = [(who, value, WHO[who]) for who, value in values.items() if np.isfinite(value)]
    label = "Held-out loss of the model and of predictors that have learnt nothing, log scale"
    return Picture("Is trained lower than what nothing learnt gives?", _log_bars(bars, label))


def _variances(losses: Columns) -> Picture:
    bars = [
        (name, value_of(losses, "trained", metric), paint)
        for metric, (name, paint) in VARIANCES.items()
    ]
    label = "Variance of the targets of the trained model, and its squared error, log scale"
    return Picture("Is there variance, and is the error well below it?", _log_bars(bars, label))


def _log_bars(bars: Sequence[tuple[str, float, str]], label: str) -> str:
    """Horizontal bars on a log scale; what is 0, or next to it, stands at the edge as a number."""
    positive = [value for _, value, _ in bars if value > 1e-9]
    low = min(positive, default=1e-3) / 5
    with panel(height=0.7 + 0.3 * len(bars)) as (figure, axes):
        for y, (_, value, paint) in enumerate(reversed(bars)):
            axes.barh(y, max(value, low), color=colour(paint), height=0.62)
            text = f"{value:.3g}" if value > 1e-9 else "0"
            axes.annotate(
                text, (max(value, low), y), xytext=(3, 0), textcoords="offset points", va="center"
            )
        axes.set_xscale("log")
        axes.set_yticks(range(len(bars)), [name for name, _, _ in reversed(bars)])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlim(low, 12 * max(positive, default=1.0))
        return to_svg(figure, label)


def _ranks(losses: Columns) -> Table:
    body = [
        [
            Cell(name),
            *(_cell(value_of(losses, who, metric), form) for who in ("trained", "fresh")),
        ]
        for metric, (name, form) in _RANKS.items()
    ]
    note = "Targets of held-out windows; pooled is the mean over a window's tokens."
    return Table("Rank and variance of the targets", ("targets of", "trained", "fresh"), body, note)


def _sources(losses: Columns) -> Table:
    names = [name for name in dict.fromkeys(losses["dataset"].tolist()) if name != ALL]
    body = []
    for name in [*names, ALL]:
        count = value_of(losses, "windows", "count", name)
        fresh = value_of(losses, "fresh", "loss", name)
        own = {m: value_of(losses, "trained", m, name) for m in _SOURCES}
        cells = [_cell(count, ",.0f"), _cell(own.pop("loss"), ".4g"), _cell(fresh, ".4g")]
        cells += [_cell(value, _SOURCES[metric]) for metric, value in own.items()]
        body.append([Cell(name), *cells])
    head = ("source", "windows", "loss", "fresh", "variance", "about position", "explained")
    note = (
        "Variance, share explained and rank of a source are about its own means: what tells the "
        "sources apart does not count."
    )
    caption = "Every source by itself"
    return Table(caption, (*head, "beyond position", "effective rank"), body, note)
