"""Names beside points, in a column of their own so that they never cover one another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bandpass.report.ablation_cells import short
from bandpass.report.drawing import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float, str, str]
"""x, y, name and colour token."""


def side_labels(axes: "Axes", points: Sequence[Point], inches: float) -> None:
    """Write the names right of ``axes``, in the order of y, each with a line to its point.

    Args:
        axes: Drawn, its limits final.
        points: What to name.
        inches: Height of the figure.
    """
    low, high = axes.get_ylim()
    ordered = sorted(points, key=lambda point: (point[1], point[0], point[2]))
    wanted = np.array([(y - low) / (high - low) for _, y, _, _ in ordered])
    # An axes is some four fifths of the figure; a line of text takes 0.16 inches.
    at = spread(wanted, 0.16 / (0.8 * inches))
    for (x, y, name, token), place in zip(ordered, at.tolist(), strict=True):
        axes.annotate(
            short(name),
            xy=(x, y),
            xytext=(1.06, place),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            color=colour("ink"),
            arrowprops={
                "arrowstyle": "-",
                "color": colour(token),
                "linewidth": 0.7,
                "alpha": 0.7,
                "shrinkA": 1,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """The nearest places to ``wanted`` that are ``gap`` apart, by least squares.

    Args:
        wanted: (n,) ascending.
        gap: Between neighbours.

    Returns:
        (n,) ascending places: the isotonic regression of ``wanted - i * gap``, by pooling adjacent
        violators, put back in place.
    """
    pools: list[list[float]] = []
    for value in (wanted - gap * np.arange(len(wanted))).tolist():
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    flat = [float(np.mean(pool)) for pool in pools for _ in pool]
    return np.array(flat) + gap * np.arange(len(wanted))
