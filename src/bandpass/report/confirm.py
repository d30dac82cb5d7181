"""The page of a confirmation: every pass as a dot, every run as a line of the table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.report.blocks import Block, Cell, Picture, Pictures, Section, Table, Verdict, Verdicts
from bandpass.report.drawing import GLYPHS, MARKERS, colour, panel, to_svg
from bandpass.report.page import needs_packages, page, publish
from bandpass.report.tables import Columns, ReportError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMBINED = "combined"
LOSSES = {
    "loss_trained": ("c1", "trained"),
    "loss_fresh": ("c0", "fresh, never trained"),
    "loss_position": ("c2", "position's mean target"),
    "loss_mean": ("c5", "mean target"),
}
"""Held-out losses, their colours and names; the first two are of models, the others of controls."""

HEAD = {
    "pass": "d",
    "train_windows": ",d",
    "validation_windows": ",d",
    "training_loss": ".4g",
    "loss_trained": ".4g",
    "loss_fresh": ".4g",
    "lower": ".2%",
    "loss_position": ".4g",
    "loss_mean": ".4g",
    "explained_beyond": ".3f",
    "effective_rank": ".2f",
    "target_variance": ".4g",
    "seconds": ",.0f",
}
"""Columns of the table after the dataset, and how they are written."""

WORST = -1.0
"""Share explained that is drawn at the edge: less would leave no room for the rest."""

_LINE = 0.3  # inches of a row of dots


def write_confirmation(folder: Path) -> Path:
    """Write ``confirm.html`` from the tables of a confirmation, whole or half done.

    Raises:
        ReportError: If the tables are missing or damaged, the page cannot be written, or the
            packages of the extra ``report`` are not installed.
    """
    needs_packages()
    try:
        about = json.loads((folder / "confirm.json").read_text())
        table = pq.read_table(folder / "confirm.parquet").to_pydict()
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise ReportError(
            f"{folder} holds no confirmation that can be read ({error}): `bandpass confirm` writes "
            "its tables after every run"
        ) from error
    columns = {name: np.array(values) for name, values in table.items()}
    sections = [_losses(columns, about), _runs(columns, about)]
    out = folder / "confirm.html"
    publish(out, page(folder.resolve().name, sections))
    return out


def _losses(table: Columns, about: dict[str, Any]) -> Section:
    """What the passes come to, the loss never without what it is worth."""
    loss = [
        _dots(table, list(LOSSES), "held-out loss"),
        _dots(table, ["explained_beyond"], "share of the variance beyond position", nothing=0),
        _dots(table, ["effective_rank"], "effective rank of the targets", nothing=1),
    ]
    titles = (
        ("Held-out loss: lower than fresh, and lower than the controls?", _LOSS_NOTE),
        ("How much is explained beyond each position's mean?", _BEYOND_NOTE),
        ("In how many directions do the targets vary?", _RANK_NOTE),
    )
    pictures = [Picture(title, svg, note) for svg, (title, note) in zip(loss, titles, strict=True)]
    legend = [(token, GLYPHS[place], name) for place, (token, name) in enumerate(LOSSES.values())]
    blocks: list[Block] = [Verdicts(_verdicts(about)), Pictures(pictures, legend)]
    lead = (
        "Every pass splits, shuffles and starts anew from its own seed. A constant target gives a "
        "low loss too, so read a loss only beside the controls, the variance it explains beyond "
        "each position's mean, and the rank of its targets."
    )
    return Section("losses", "What the passes agree on", lead, blocks)


_LOSS_NOTE = (
    "One dot a pass, logarithmic. The controls predict the trained model's own targets by their "
    "mean: a trained dot that is not left of them has learnt nothing about the window."
)
_BEYOND_NOTE = (
    "One dot a pass. 0 is what the mean target of each position explains, 1 is all; a dot at "
    f"{WORST:g} lies there or further left."
)
_RANK_NOTE = "One dot a pass. Near 1, all windows look alike but for one number."


def _verdicts(about: dict[str, Any]) -> list[Verdict]:
    found = about["combined"]
    done = f"{about['done']} of {about['of']} runs are done"
    verdicts = [Verdict("yes" if about["done"] == about["of"] else "open", "Progress", f"{done}.")]
    for run, why in about["failed"].items():
        verdicts.append(Verdict("no", f"{run} failed", why))
    if not found:
        return verdicts
    sentence = (
        f"Held-out loss {found['loss_trained']:.4g} over {found['passes']} passes "
        f"({found['lowest']:.4g} to {found['highest']:.4g}) against {found['loss_fresh']:.4g} of a "
        f"fresh model, {1 - found['loss_trained'] / found['loss_fresh']:.2%} lower, beside "
        f"{found['explained_beyond']:.3f} explained beyond each position's mean and an effective "
        f"rank of {found['effective_rank']:.2f}."
    )
    outcome = "open" if found["warning"] else "yes"
    verdicts.append(Verdict(outcome, "All datasets together", sentence))
    if found["warning"]:
        warning = found["warning"]
        verdicts.append(Verdict("no", "Collapse", f"{warning[:1].upper()}{warning[1:]}."))
    return verdicts


def _dots(table: Columns, names: list[str], axis: str, *, nothing: float | None = None) -> str:
    """A line for every dataset, a dot for every pass.

    Args:
        table: The table of the confirmation.
        names: Columns, each with a marker of its own.
        axis: What they measure.
        nothing: The value that is worth nothing; None for losses, whose axis is logarithmic.
    """
    datasets = _datasets(table)
    with panel(height=0.8 + _LINE * len(datasets)) as (figure, axes):
        for place, name in enumerate(names):
            token = LOSSES[name][0] if name in LOSSES else "c1"
            for y, dataset in enumerate(reversed(datasets)):
                values = table[name][table["dataset"] == dataset]
                values = values[np.isfinite(values) & ((values > 0) | (nothing is not None))]
                values = np.maximum(values, WORST)
                axes.plot(
                    *(values, np.full(len(values), y)),
                    linestyle="",
                    marker=MARKERS[place],
                    markersize=5,
                    color=colour(token),
                    alpha=0.7,
                )
        if nothing is None:
            _log_axis(axes)
        else:
            axes.axvline(nothing, color=colour("muted"), linewidth=1, linestyle=(0, (2, 3)))
        axes.set_yticks(range(len(datasets)), datasets[::-1])
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel=axis, ylim=(-0.6, len(datasets) - 0.4))
        return to_svg(figure, f"{axis} of every pass by dataset")


def _log_axis(axes: "Axes") -> None:
    """A logarithmic axis with plain numbers, and more of them where it spans little."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 50 * low else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _datasets(table: Columns) -> list[str]:
    """In the order of the alphabet, the combined runs first."""
    return sorted(set(table["dataset"].tolist()), key=lambda name: (name != COMBINED, name))


def _runs(table: Columns, about: dict[str, Any]) -> Section:
    """All numbers, and what has no line here."""
    body = []
    for dataset in _datasets(table):
        for i in np.flatnonzero(table["dataset"] == dataset).tolist():
            cells = [Cell(format(table[name][i].item(), spec)) for name, spec in HEAD.items()]
            check = Cell(str(table["sha256"][i])[:12])
            body.append([Cell(dataset, strong=dataset == COMBINED), *cells, check])
    head = ("dataset", *(name.replace("_", " ") for name in HEAD), "sha256")
    note = (
        "Training loss: mean over the last tenth of the budget. Lower: than fresh. Checkpoints "
        "were read again and found finite and complete; the sha256 is of their weights, in full "
        "in confirm.csv."
    )
    blocks: list[Block] = [Table("Runs", head, body, note)]
    if about["left_out"]:
        rows = [
            [Cell(each["name"]), Cell(str(each["records"])), Cell(each["why"])]
            for each in about["left_out"]
        ]
        blocks.append(Table("Without runs of their own", ("dataset", "records", "why"), rows))
    counts = [
        [Cell(name, "no time known" if name in about["timeless"] else ""), Cell(f"{count:,}")]
        for name, count in about["combined_windows"].items()
    ]
    most = about["recipe"]["schedule"]["timeless"]
    capped = f"Datasets without any time are {most:.0%} of the windows at most."
    blocks.append(
        Table("Training windows of the combined run", ("dataset", "pass 0"), counts, capped)
    )
    return Section("runs", "Every run", "", blocks)
