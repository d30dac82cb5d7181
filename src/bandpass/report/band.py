"""The chapter on the surprise band: where it lay in the score histogram as training went on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bandpass.report.blocks import Picture, Pictures, Section
from bandpass.report.drawing import colour, panel, to_svg
from bandpass.report.tables import Columns, Run, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Paint = tuple[tuple[int, int, int], np.ndarray]

MOST_BUCKETS = 6
SNAPSHOTS = 4
MOST_BINS = 160
CLEARLY = 0.05  # a flat band is 1 but for the few windows held at the floor: that is no band
_SEEN = 2e-4  # mass below which a bin is left out of the picture
_HEAT = (74, 127, 181)  # a mid blue that reads on white and on black; density is its opacity
_PIXELS = (480, 280)
_BAND = (214, 138, 20)


@dataclass(frozen=True)
class Grid:
    """One bucket's histogram on a regular grid.

    Attributes:
        steps: (s,) logged steps.
        scores: (b,) log-scores of the bins, ascending.
        mass: (b, s) histogram mass.
        weight: (b, s) selection weight relative to uniform.
    """

    steps: np.ndarray
    scores: np.ndarray
    mass: np.ndarray
    weight: np.ndarray


def band_section(run: Run) -> Section:
    """Draw score histogram and band over time for the largest buckets, plus a few moments."""
    section = ("band", "The surprise band")
    if rows(run.band) == 0:
        absent = (
            "This run logged no surprise histogram: it sampled uniformly, or ended before the "
            "first snapshot."
        )
        return Section(*section, absent, ())
    buckets = np.unique(run.band["bucket"])
    grids = {int(bucket): grid_of(run.band, bucket) for bucket in buckets[:MOST_BUCKETS]}
    pictures = [_heat(run, bucket, grid, len(buckets)) for bucket, grid in grids.items()]
    pictures.append(_moments(run, *next(iter(grids.items()))))
    lead = (
        "Every training window is scored by its surprise; colour shows where the scores lie, step "
        "by step. Orange is the band: the scores that are drawn more often than under uniform "
        "sampling. As the model learns the scores move, and the band should move with them."
    )
    if len(buckets) > len(grids):
        lead += f" Drawn: the first {len(grids)} of {len(buckets)} buckets."
    return Section(*section, lead, [Pictures(pictures, legend=_LEGEND)])


_LEGEND = (
    ("c1", "■", "drawn about as often as uniform, or less"),
    ("band", "■", f"the band: drawn over {CLEARLY:.0%} more"),
)


def grid_of(band: Columns, bucket: int) -> Grid:
    """Lay out one bucket's long rows as score bins x steps, cut to the scores that occur.

    Bins without mass are not logged, so the bin width is the smallest distance between two
    logged scores; very fine bins are merged to ``MOST_BINS`` over the range that is drawn.
    """
    here = (band["bucket"] == bucket) & np.isfinite(band["score"])
    steps, column = np.unique(band["step"][here], return_inverse=True)
    score, share = band["score"][here], np.nan_to_num(band["mass"][here])
    weight = np.nan_to_num(band["weight"][here])
    seen = score[share > _SEEN] if (share > _SEEN).any() else score
    gaps = np.diff(np.unique(score.round(6)))
    span = seen.max() - seen.min()
    width = max(gaps.min() if len(gaps) else 1.0, span / MOST_BINS)
    line = np.round((score - seen.min()) / width).astype(int)
    bins = round(span / width) + 1
    inside = (line >= 0) & (line < bins)
    at = (line[inside], column[inside])
    mass, weighted = np.zeros((bins, len(steps))), np.zeros((bins, len(steps)))
    np.add.at(mass, at, share[inside])
    np.add.at(weighted, at, (share * weight)[inside])
    mean = np.divide(weighted, mass, out=np.zeros_like(mass), where=mass > 0)
    return Grid(steps, seen.min() + width * np.arange(bins), mass, mean)


def selected(grid: Grid) -> np.ndarray:
    """Bins drawn more often than under uniform sampling by ``CLEARLY``, (b, s) bool."""
    return grid.weight > 1 + CLEARLY


def _heat(run: Run, bucket: int, grid: Grid, buckets: int) -> Picture:
    with panel(height=3.2) as (figure, axes):
        steps, scores = _edges(grid.steps), _edges(grid.scores)
        peak = np.maximum(grid.mass.max(axis=0, keepdims=True), 1e-12)
        axes.grid(visible=False)
        opacity = np.sqrt(grid.mass / peak)
        _paint(axes, steps, scores, (_HEAT, np.where(selected(grid), 0, opacity)))
        _paint(axes, steps, scores, (_BAND, np.where(selected(grid), opacity, 0)))
        for edge in _band_edges(grid, scores):
            axes.stairs(edge, steps, baseline=None, color=colour("band"), linewidth=1.5)
        axes.set(xlabel="step", ylabel="surprise (log score)")
        axes.set(xlim=(steps[0], steps[-1]), ylim=(scores[0], scores[-1]))
        label = f"Surprise histogram over steps with the band, bucket {bucket} of {run.name}"
        svg = to_svg(figure, label)
    title = "The band over time" + (f", bucket {bucket}" if buckets > 1 else "")
    return Picture(
        f"{title}: does it follow the scores?",
        svg,
        "Opacity: mass relative to the fullest bin of the step (square root). Lines: lowest and "
        "highest score in the band.",
    )


def _paint(axes: "Axes", steps: np.ndarray, scores: np.ndarray, paint: Paint) -> None:
    """Cells of one colour whose opacity is the value, so that the page's ground shows through."""
    rgb, alpha = paint
    column = _cell_of_pixel(steps, _PIXELS[0])
    line = _cell_of_pixel(scores, _PIXELS[1])
    image = np.empty((len(line), len(column), 4))
    image[..., :3] = np.array(rgb) / 255
    image[..., 3] = alpha[line][:, column]
    extent = (steps[0], steps[-1], scores[0], scores[-1])
    axes.imshow(image, origin="lower", extent=extent, aspect="auto", interpolation="none")


def _cell_of_pixel(edges: np.ndarray, pixels: int) -> np.ndarray:
    centres = edges[0] + (np.arange(pixels) + 0.5) / pixels * (edges[-1] - edges[0])
    return np.clip(np.searchsorted(edges, centres, side="right") - 1, 0, len(edges) - 2)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Cell borders half-way between centres; one lone centre gets a cell of width 1."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _band_edges(grid: Grid, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest selected score of every step, NaN where nothing is selected."""
    chosen = selected(grid)
    any_chosen = chosen.any(axis=0)
    low = scores[:-1][np.argmax(chosen, axis=0)]
    high = scores[::-1][np.argmax(chosen[::-1], axis=0)]
    return np.where(any_chosen, low, np.nan), np.where(any_chosen, high, np.nan)


def _moments(run: Run, bucket: int, grid: Grid) -> Picture:
    """The same histogram as plain bars at a few steps, latest at the bottom."""
    at = np.unique(np.linspace(0, len(grid.steps) - 1, SNAPSHOTS).round().astype(int))
    with panel(height=3.2) as (figure, axes):
        scores, top = _edges(grid.scores), grid.mass[:, at].max() or 1.0
        axes.grid(visible=False, axis="y")
        for row, i in enumerate(at[::-1]):
            mass = grid.mass[:, i] / top * 0.86
            axes.stairs(row + mass, scores, baseline=row, fill=True, color=colour("c1"), alpha=0.55)
            chosen = np.where(selected(grid)[:, i], mass, 0.0)
            axes.stairs(row + chosen, scores, baseline=row, fill=True, color=colour("band"))
            axes.axhline(row, color=colour("muted"), linewidth=0.6)
        axes.set_yticks(range(len(at)), [f"step {grid.steps[i]:,}" for i in at[::-1]])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set(xlabel="surprise (log score)", ylim=(-0.04, len(at)))
        label = f"Surprise histograms at {len(at)} steps, bucket {bucket} of {run.name}"
        svg = to_svg(figure, label)
    title = "What was selected at a few moments: a slice, or just the tail?"
    return Picture(title, svg, f"Share of windows per score bin, bucket {bucket}; one scale.")
