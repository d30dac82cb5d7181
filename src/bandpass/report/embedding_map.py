"""The chapter on the embedding map: do the regimes lie apart?"""

from collections.abc import Mapping

import numpy as np

from bandpass.report.blocks import Picture, Pictures, Section
from bandpass.report.drawing import (
    GLYPHS,
    MARKERS,
    by_share,
    class_token,
    colour,
    panel,
    to_svg,
)
from bandpass.report.slots import shares_of
from bandpass.report.tables import Run, rows

MOST_POINTS = 1500
LEAST_POINTS = 40  # per regime, so that rare ones stay visible
COMMON = 0.05  # regimes with a larger share are drawn small and faint
ROOM = 0.25  # of the middle 98%, left around it before outliers are moved to the edge
NAMELESS = "unlabelled"


def map_section(run: Run) -> Section:
    """Draw one map per encoder, in the regime colours of the slot shares."""
    section = ("map", "The embedding map")
    table = run.map
    if rows(table) == 0:
        absent = "No embedding map has been computed for this run: `bandpass evaluate` makes it."
        return Section(*section, absent, ())
    places = regime_places(run)
    encoders = sorted(np.unique(table["encoder"]), key=lambda name: (name != "pretrained", name))
    pictures = [_scatter(run, encoder, places) for encoder in encoders]
    legend = [
        (class_token(place), GLYPHS[place % len(GLYPHS)], name or NAMELESS)
        for name, place in places.items()
        if (table["regime"] == name).any()
    ]
    lead = (
        "One mark is one window, placed so that windows with like embeddings lie close. Look for "
        "regimes that form their own regions in the pretrained map and not in the others. "
        "Distances between far-apart groups mean little; the probes below are the measurement."
    )
    return Section(*section, lead, [Pictures(pictures, legend)])


def regime_places(run: Run) -> dict[str, int]:
    """Palette position of every regime: as in the slot shares, then those only mapped."""
    shares = shares_of(run.slots, "regime") if rows(run.slots) else None
    known = list(shares.names) if shares else []
    names, counts = np.unique(run.map["regime"], return_counts=True)
    known += [name for name in by_share(names, counts) if name not in known]
    return {name: place for place, name in enumerate(known)}


def _scatter(run: Run, encoder: str, places: Mapping[str, int]) -> Picture:
    table = run.map
    here = np.flatnonzero((table["encoder"] == encoder) & np.isfinite(table["x"] + table["y"]))
    x, beyond_x = _framed(table["x"][here])
    y, beyond_y = _framed(table["y"][here])
    drawn = 0
    with panel(height=3.9) as (figure, axes):
        for name, place in places.items():
            members = np.flatnonzero(table["regime"][here] == name)
            few = _thinned(members, len(here))
            drawn += len(few)
            common = len(members) > COMMON * len(here)
            axes.plot(
                *(x[few], y[few]),
                linestyle="none",
                marker=MARKERS[place % len(MARKERS)],
                markersize=3 if common else 4.4,
                markeredgewidth=0,
                color=colour(class_token(place)),
                alpha=0.4 if common else 0.85,
                clip_on=False,
            )
        axes.set(xticks=[], yticks=[], xlabel="first map axis (no unit)", ylabel="second map axis")
        axes.grid(visible=False)
        svg = to_svg(figure, f"Embedding map of the {encoder} encoder of {run.name} by regime")
    note = f"{len(here):,} windows."
    if drawn < len(here):
        note = f"{drawn:,} of {len(here):,} windows, rare regimes thinned least."
    if beyond := int((beyond_x | beyond_y).sum()):
        note += f" {beyond:,} outlying windows are drawn on the edge."
    return Picture(f"{encoder}: do regimes form their own regions?", svg, note)


def _framed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move outliers to the edge of a frame around the middle 98%; also say which they were."""
    if len(values) == 0:
        return values, np.zeros(0, dtype=bool)
    low, high = np.quantile(values, [0.01, 0.99])
    room = ROOM * (high - low)
    framed = np.clip(values, low - room, high + room)
    return framed, framed != values


def _thinned(members: np.ndarray, total: int) -> np.ndarray:
    """A fixed random subset in proportion, but at least ``LEAST_POINTS`` of every regime."""
    keep = max(LEAST_POINTS, round(len(members) * MOST_POINTS / max(total, 1)))
    if keep >= len(members):
        return members
    return np.random.default_rng(0).choice(members, keep, replace=False)
