"""A few dozen numbers of every frame: what cheap looks see of a video, without a model."""

import numpy as np

from bandpass.data.video.shifts import shifts

GRID = 4
"""Cells along each side of the coarse grids."""

_CELLS = tuple(f"{row}{column}" for row in range(GRID) for column in range(GRID))

SIGNALS = (
    "brightness",
    "contrast",
    "sharpness",
    "extremes",
    "motion",
    "moving",
    "shift-y",
    "shift-x",
    "frozen",
    "exposure",
    "cut",
    *(f"level-{cell}" for cell in _CELLS),
    *(f"motion-{cell}" for cell in _CELLS),
)
"""Of a frame, in grey levels unless said otherwise; "before" is the row before.

- brightness, contrast: mean and standard deviation over pixels.
- sharpness: root mean square difference of neighbouring pixels, down and across.
- extremes: share of pixels within 4 levels of black or white.
- motion: mean absolute difference to the frame before. moving: share of pixels that differ by more
  than 12.
- shift-y, shift-x: pixels by which the whole picture moved; 0 unless a shift explains half of the
  change.
- frozen: seconds for which the picture, this frame among others, repeats exactly; 0 if it does not.
- exposure: median over the grid of the change of brightness. What moves is in a few cells.
- cut: 1 minus the contrast-structure term of SSIM (Wang et al. 2004, eq. 6 with eq. 10) between the
  frame and the one before: 0 for the same picture, brighter or darker; 1 for unrelated ones.
- level-RC: brightness of a cell of the grid, row and column, minus its median over the recording:
  all of it, for frames are described before they are split. It moves all rows alike.
- motion-RC: motion in a cell.
"""

LEVELS = tuple(i for i, name in enumerate(SIGNALS) if name.startswith("level-"))
MOTIONS = tuple(i for i, name in enumerate(SIGNALS) if name.startswith("motion-"))

CHANGED = np.float32(12)
EXTREME = 4
SSIM_C2 = np.float32((0.03 * 255) ** 2)
BLOCK_VALUES = 1 << 17
"""Pixels looked at together: half a MB, so that every pass after the first finds them in cache."""

_OF_STEPS = ("motion", "moving", "shift-y", "shift-x", "exposure", "cut")
_STEPS = [i for i, name in enumerate(SIGNALS) if name in _OF_STEPS or i in MOTIONS]
_FROZEN = SIGNALS.index("frozen")


def signals(frames: np.ndarray, missing: np.ndarray, fps: float) -> np.ndarray:
    """Describe every frame of a recording; reads it once, a block at a time.

    Args:
        frames: (F, height, width, colours) uint8 at an even rate; may be a memory map. Colours are
            averaged.
        missing: (F,) bool or int, where nothing was decoded.
        fps: Frames a second.

    Returns:
        (F, S) float32, columns as in ``SIGNALS``. NaN in missing rows, and where a frame is
        compared with one before that is missing or not there.
    """
    count, height, width = frames.shape[:3]
    out = np.empty((count, len(SIGNALS)), np.float32)
    same = np.zeros(count, bool)
    means = _means(height, width)
    step = max(BLOCK_VALUES // max(height * width, 1), 8)
    for first in range(0, count, step):
        rows = np.arange(first - 1, min(first + step, count))
        some = slice(first, first + step)
        out[some], same[some] = _block(frames[np.maximum(rows, 0)], means)
    seen = ~missing.astype(bool)
    known = seen.copy()
    known[1:] &= seen[:-1]
    known[:1] = False
    out[:, _FROZEN] = _runs(same & known) / fps
    out[np.flatnonzero(~known)[:, None], _STEPS] = np.nan
    out[~seen] = np.nan
    levels = out[:, LEVELS[0] : LEVELS[-1] + 1]
    if seen.any():
        levels -= np.median(levels[seen], axis=0)
    return out


def usual(signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and a robust deviation of every column; 0 and .001 of one that was never observed."""
    known = np.isfinite(signals).any(axis=0)
    low, centre, high = np.nanquantile(np.where(known, signals, 0), (0.25, 0.5, 0.75), axis=0)
    spread = np.nanstd(np.where(known, signals, 0), axis=0)
    scale = np.where(high - low > 1e-4 * spread, (high - low) / 1.35, spread)
    return centre.astype(np.float32), np.maximum(scale, 1e-3).astype(np.float32)


def _block(frames: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signals of all frames of a block but its first, and where one equals the frame before."""
    count, height, width, colours = frames.shape
    grey = frames[..., 0].astype(np.float32) if colours == 1 else frames.mean(-1, dtype=np.float32)
    flat = grey.reshape(count, height * width)
    every = flat @ means
    grid, rows, columns = np.split(every, [GRID**2, GRID**2 + height], axis=1)
    level = rows.mean(1)
    change = np.diff(flat, axis=0)
    size = np.abs(change)
    moved = size @ means[:, : GRID**2]
    motion = moved @ (means[:, : GRID**2] > 0).mean(0, dtype=np.float32)
    same = motion == 0
    if colours > 1:
        same[same] = [np.array_equal(frames[i + 1], frames[i]) for i in np.flatnonzero(same)]
    variance = np.maximum(_dot(flat, flat) - level**2, 0)
    both = _dot(flat[1:], flat[:-1]) - level[1:] * level[:-1]
    alike = (2 * both + SSIM_C2) / (variance[1:] + variance[:-1] + SSIM_C2)
    # Wraps around: 252 .. 255 become 0 .. 3 and 0 .. 4 become 4 .. 8.
    extreme = (frames[1:].reshape(count - 1, -1) + np.uint8(EXTREME)) <= 2 * EXTREME
    shift_y, shift_x = shifts(grey, rows, columns)
    described = (
        level[1:],
        np.sqrt(variance[1:]),
        _sharpness(grey[1:]),
        np.count_nonzero(extreme, axis=1) / extreme.shape[1],
        motion,
        np.count_nonzero(size > CHANGED, axis=1) / size.shape[1],
        shift_y,
        shift_x,
        np.zeros_like(motion),  # frozen is a matter of the whole recording
        np.median(np.diff(grid, axis=0), axis=1),
        1 - alike,
    )
    return np.column_stack([*described, grid[1:], moved]), same


def _sharpness(grey: np.ndarray) -> np.ndarray:
    down, across = np.diff(grey, axis=1), np.diff(grey, axis=2)
    total = sum(np.einsum("nyx,nyx->n", step, step) for step in (down, across))
    return np.sqrt(total / max(down[0].size + across[0].size, 1))


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,) mean over pixels of the product of (n, pixels) pictures."""
    return np.einsum("np,np->n", one, other) / one.shape[1]


def _means(height: int, width: int) -> np.ndarray:
    """(height * width, cells + height + width) float32: means of a flat picture, in one product.

    Over every cell of the grid, every row and every column.
    """
    y, x = (place.ravel() for place in np.indices((height, width)))
    cell = (y * GRID // height) * GRID + x * GRID // width
    member = [of[:, None] == np.arange(n) for of, n in ((cell, GRID**2), (y, height), (x, width))]
    inside = np.concatenate(member, axis=1).astype(np.float32)
    return inside / np.maximum(inside.sum(0), 1)


def _runs(same: np.ndarray) -> np.ndarray:
    """(F,) length of the run of true values that each true one is in; 0 elsewhere."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    out = np.zeros(len(same))
    out[same] = np.repeat(stops - starts, stops - starts)
    return out
