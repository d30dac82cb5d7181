"""The chapter on surprise along videos: does the curve rise where something rare happens?"""

import itertools
from typing import TYPE_CHECKING

import numpy as np

from bandpass.data import Clips
from bandpass.report.blocks import Picture, Pictures, Section
from bandpass.report.drawing import CLASS_COLOURS, class_token, colour, panel, to_svg
from bandpass.report.footage import clock
from bandpass.report.tables import Columns, Run, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 3
POINTS = 500
"""Places along a curve at most; of what lies between, the highest frame is shown."""

USUAL = 0.995
"""Quantile of motion that the axis of motion goes half as far again as; what is over it is cut."""

NAMED = 8
"""Events of a recording that are named in the figure; more would cover each other."""

Stretches = list[tuple[int, int, str]]
"""First row, row after the last, and name."""


def surprise_section(run: Run, clips: Clips | str) -> Section:
    """Draw the test recordings with most rare events: surprise, motion beneath, what happens.

    Where nothing is labelled, those that surprise most.
    """
    section = ("surprise", "Surprise along a video")
    table = run.surprise
    if rows(table) == 0:
        absent = "No test recording has been looked at along time: `bandpass evaluate` does."
        return Section(*section, absent, ())
    if not np.isfinite(table["surprise"]).any():
        absent = "This model predicts no latents, so it has no surprise to draw."
        return Section(*section, absent, ())
    fps = None if isinstance(clips, str) else clips.store.fps
    names = dict.fromkeys(table["regime"][table["regime"] != ""].tolist())
    tokens = {name: class_token(1 + i) for i, name in enumerate(list(names)[:CLASS_COLOURS])}
    pictures = [_picture(of_series(table, name), name, fps, tokens) for name in chosen(table)]
    lead = (
        "The end of every clip is hidden and foreseen from its beginning; surprise is the latent "
        "error, 1 where it is as large as usual. "
    )
    if names or (table["label"] == 1).any():
        lead += (
            "Shaded: rare events, by their labels, which training never saw. Drawn: "
            f"{len(pictures)} test recordings, those with most of them."
        )
    else:
        lead += f"Nothing is labelled; drawn are the {len(pictures)} that surprise most."
    legend = [(token, "■", name) for name, token in tokens.items()]
    return Section(*section, lead, [Pictures(pictures, legend)])


def chosen(table: Columns) -> list[str]:
    """Recordings with most rare events, then most stretches of classes, then most surprise."""
    found = []
    for name in dict.fromkeys(table["series"].tolist()):
        own = of_series(table, name)
        rare, known = (len(stretches(own, which)) for which in ("label", "regime"))
        if np.isfinite(own["surprise"]).any():
            found.append((-rare, -known, -float(np.nanmax(own["surprise"])), name))
    return [name for *_, name in sorted(found)[:SHOWN]]


def of_series(table: Columns, name: str) -> Columns:
    """The rows of one recording, in order."""
    own = np.flatnonzero(table["series"] == name)
    own = own[np.argsort(table["row"][own], kind="stable")]
    return {column: values[own] for column, values in table.items()}


def stretches(own: Columns, which: str) -> Stretches:
    """Runs of events (``label``), or of one class (``regime``), in rows of the recording."""
    inside = own["label"] == 1 if which == "label" else own["regime"] != ""
    row, kind = own["row"], own["regime"]
    begins = np.flatnonzero(inside & ~_continues(inside, row, None if which == "label" else kind))
    found = []
    for begin, limit in itertools.pairwise([*begins, len(row)]):
        last = begin + np.flatnonzero(inside[begin:limit])[-1]
        names, counts = np.unique(kind[begin : last + 1], return_counts=True)
        found.append((int(row[begin]), int(row[last]) + 1, str(names[counts.argmax()])))
    return found


def _continues(inside: np.ndarray, row: np.ndarray, kind: np.ndarray | None) -> np.ndarray:
    """Where a row goes on with what the row before was in."""
    same = np.zeros(len(row), bool)
    same[1:] = inside[:-1] & (np.diff(row) == 1)
    if kind is not None:
        same[1:] &= kind[1:] == kind[:-1]
    return same


def _picture(own: Columns, name: str, fps: float | None, tokens: dict[str, str]) -> Picture:
    rare = stretches(own, "label")
    unit = 1 / fps if fps else 1.0
    with panel(width=5.2, height=3.4) as (figure, whole):
        whole.remove()
        top, below, lane = figure.subplots(3, 1, sharex=True, height_ratios=(6, 2.4, 0.7))
        for axes in (top, below):
            for start, stop, _ in rare:
                axes.axvspan(unit * start, unit * stop, color=colour("band"), alpha=0.25, lw=0)
        top.axhline(1, color=colour("muted"), linewidth=0.8, linestyle=(0, (4, 3)))
        for axes, column, token in ((top, "surprise", "c1"), (below, "motion", "c0")):
            at, peaks = highest(own["row"], own[column])
            axes.plot(unit * at, peaks, color=colour(token), linewidth=1.1)
            axes.set_ylabel(column)
        below.set_ylim(0, _most_motion(own["motion"]))
        _name(top, [each for each in rare if each[2]], unit)
        _lane(lane, stretches(own, "regime"), tokens, unit)
        lane.set_xlabel("minutes:seconds" if fps else "row of the recording")
        if fps:
            lane.xaxis.set_major_formatter(_clock)
        figure.align_ylabels([top, below])
        svg = to_svg(figure, _alt(own, name, rare, fps))
    return Picture(f"{name}: does surprise rise in the shaded parts?", svg, _note(own, rare))


def highest(at: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a curve into at most ``POINTS`` parts: middle row and highest value of each, or NaN."""
    parts = np.array_split(np.arange(len(at)), min(POINTS, len(at)))
    known = np.where(np.isfinite(values), values, -np.inf)
    peaks = np.array([known[part].max() for part in parts])
    middle = np.array([at[part].mean() for part in parts])
    return middle, np.where(np.isfinite(peaks), peaks, np.nan)


def _clock(seconds: float, _: int | None) -> str:
    """Label of a tick, as matplotlib asks for it."""
    return clock(seconds)


def _most_motion(motion: np.ndarray) -> float | None:
    """Upper end of the axis: of single frames far above all others, the first one say, too low."""
    usual = 1.5 * float(np.nanquantile(motion, USUAL)) if np.isfinite(motion).any() else 0.0
    return usual if 0 < usual < np.nanmax(motion) else None


def _name(axes: "Axes", rare: Stretches, unit: float) -> None:
    """Write the names over the shades, in two heights in turn, so that neighbours do not meet."""
    axes.margins(y=0.22)
    for place, (start, stop, name) in enumerate(rare[:NAMED]):
        axes.annotate(
            name,
            (unit * (start + stop) / 2, 0.97 - 0.1 * (place % 2)),
            xycoords=axes.get_xaxis_transform(),
            ha="center",
            va="top",
            fontsize=8.5,
            color=colour("band"),
        )


def _lane(axes: "Axes", known: Stretches, tokens: dict[str, str], unit: float) -> None:
    """What happens, as colours along the bottom."""
    for name, token in tokens.items():
        spans = [(unit * a, unit * (b - a)) for a, b, other in known if other == name]
        axes.broken_barh(spans, (0, 1), color=colour(token), linewidth=0)
    axes.set(yticks=[], ylim=(0, 1))
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)


def _alt(own: Columns, name: str, rare: Stretches, fps: float | None) -> str:
    def place(row: int) -> str:
        return clock(row / fps) if fps else f"row {row}"

    events = ", ".join(f"{kind or 'event'} at {place(start)}" for start, _, kind in rare[:NAMED])
    end = place(int(own["row"][-1]))
    return f"Surprise and motion along {name} up to {end}; events: {events or 'none labelled'}"


def _note(own: Columns, rare: Stretches) -> str:
    value, label = own["surprise"], own["label"]
    known = np.isfinite(value)
    note = f"{len(rare)} rare events. " if rare else "No rare event is labelled here. "
    inside, outside = (value[known & (label == which)] for which in (1, 0))
    if len(inside) and len(outside):
        note += (
            f"Mean surprise {inside.mean():.2f} in them, {outside.mean():.2f} elsewhere; motion "
            f"{np.nanmean(own['motion'][label == 1]):.2f} and "
            f"{np.nanmean(own['motion'][label == 0]):.2f}. "
        )
    if _most_motion(own["motion"]) is not None:
        note += f"Motion is cut; its peak is {np.nanmax(own['motion']):.0f}. "
    return note + "Each point is the highest of its frames; the lane shows what happens."
