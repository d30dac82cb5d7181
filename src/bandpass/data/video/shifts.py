"""By how much whole pictures moved from one to the next: a camera that shakes, or pans."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

REACH = 0.13
"""Share of a side within which a shift is looked for: twice what `corruption.jitter` is off by."""

EXPLAINED = 0.5
"""Share of the change between two pictures that a shift must explain, or it is none."""

VOTE, MAJORITY = 2.0, 1.5
"""A pixel votes for a shift that brings it closer by so many levels, and against one that takes it
away; for a shift there must be so many times more. What moves in front of the camera changes much,
but in few places.
"""

LIKELY = 0.3
"""The same of the change of their projections, below which the pictures are not looked at."""

STILL = 0.5
"""Root mean square change of the projections, in levels, below which nobody looks for a shift."""

LEAST = 4
"""Pixels of a side that must stay inside the reach."""


def shifts(
    grey: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shift of every picture against the one before, where it explains half of what changed.

    Whole pixels come from the projections on both axes, the rest from least squares on the gradient
    (Lucas and Kanade 1981); the mean is left out, so that exposure has no part in it.

    Args:
        grey: (n, height, width) float32.
        rows: (n, height) float32, means of every row of pixels.
        columns: (n, width) float32, of every column.

    Returns:
        Pixels down and pixels to the right, each (n - 1,) float32.
    """
    found = np.zeros((len(grey) - 1, 2), np.float32)
    reach = [max(1, int(np.ceil(REACH * side))) for side in grey.shape[1:]]
    inner = [side - 2 * far for side, far in zip(grey.shape[1:], reach, strict=True)]
    if min(inner) < LEAST:
        return found[:, 0], found[:, 1]  # nobody can tell of pictures that are a few pixels small
    changed = sum(np.square(np.diff(profile, axis=0)).mean(1) for profile in (rows, columns))
    at = np.flatnonzero(changed > STILL**2)
    of_rows, of_columns = _along(rows, at, reach[0]), _along(columns, at, reach[1])
    change, left = of_rows[1] + of_columns[1], of_rows[2] + of_columns[2]
    likely = left <= (1 - LIKELY) * change
    at, whole = at[likely], np.stack([of_rows[0], of_columns[0]], axis=1)[likely]
    if len(at):
        moved, found_so = _refined(sliding_window_view(grey, inner, axis=(1, 2)), at, whole, reach)
        found[at] = np.where(found_so[:, None], moved, 0)
    return found[:, 0], found[:, 1]


def _along(
    profile: np.ndarray, at: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shift along one axis of (n, side) projections after ``at`` against those at ``at``.

    Returns:
        Whole pixels, int; square of the change without a shift, and with one to parts of a pixel;
        each (m,).
    """
    before, after = (
        _centred(_windows(profile[at], reach)),
        _centred(_windows(profile[at + 1], reach)),
    )
    centre = before[:, reach]
    misfit = np.square(after - centre[:, None]).sum(2)
    best = misfit.argmin(axis=1)
    rest = after[np.arange(len(best)), best] - centre
    slope = (before[:, reach + 1] - before[:, reach - 1]) / 2
    gained = _dot(slope, rest) ** 2 / np.maximum(_dot(slope, slope), 1e-6)
    return best - reach, misfit[:, reach], _dot(rest, rest) - gained


def _windows(profile: np.ndarray, reach: int) -> np.ndarray:
    """(m, 2 reach + 1, side - 2 reach): every view of the inside of a projection."""
    return sliding_window_view(profile, profile.shape[1] - 2 * reach, axis=1)


def _refined(
    views: np.ndarray, at: np.ndarray, whole: np.ndarray, reach: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (m, 2) to parts of a pixel, from whole ones, and (m,) whether they are shifts at all.

    Args:
        views: (n, 2 reach + 1, 2 reach + 1, inner height, inner width) of all pictures.
        at: (m,) pictures before the shift.
        whole: (m, 2) int.
        reach: How far the views go.
    """
    y, x = reach

    def inside(picture: np.ndarray, down: np.ndarray | int, right: np.ndarray | int) -> np.ndarray:
        cut = views[picture, y + down, x + right]
        return _centred(cut.reshape(len(cut), -1))

    before = inside(at, 0, 0)
    rest = inside(at + 1, whole[:, 0], whole[:, 1]) - before
    still = inside(at + 1, 0, 0) - before
    down = (inside(at, 1, 0) - inside(at, -1, 0)) / 2
    right = (inside(at, 0, 1) - inside(at, 0, -1)) / 2
    dd, rr, dr = _dot(down, down), _dot(right, right), _dot(down, right)
    d, r = _dot(down, rest), _dot(right, rest)
    scale = np.maximum(dd * rr - dr**2, 1e-3 * dd * rr + 1e-6)  # a flat picture has no slope
    part = np.stack([dr * r - rr * d, dr * d - dd * r], axis=1) / scale[:, None]
    part = np.clip(part, -1, 1)
    remains = rest + part[:, :1] * down + part[:, 1:] * right
    less = np.abs(still) - np.abs(remains)
    closer, farther = (less > VOTE).sum(axis=1), (less < -VOTE).sum(axis=1)
    explains = _dot(remains, remains) <= (1 - EXPLAINED) * _dot(still, still)
    return whole + part, explains & (closer > MAJORITY * farther)


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=-1, keepdims=True)


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("np,np->n", one, other)
