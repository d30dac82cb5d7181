"""Weak labels of frames and clips from signals alone: nobody looked, no model was asked."""

import numpy as np

from bandpass.data.video.faults import LIMITS, RULES, strengths
from bandpass.data.video.signals import SIGNALS

MARKS = ("blackout", "freeze", "jitter", "exposure", "cut", "onset", "offset")
"""Of a frame; of several in a clip, the first here says most of it.

- blackout, freeze, jitter: as in `faults.LIMITS`, at the fixed limit.
- exposure: a step of the exposure by 6% of the brightness or more.
- cut: the first frame of another picture: `cut` of the signals is over .5, and over twice that of
  all other frames within half a second. Shaking and noise differ from frame to frame and go on.
- onset, offset: the first frame with motion after half a second of calm, and the first of calm.
"""

MOTION = ("still", "slow", "busy")
EDGES = (0.5, 0.85)
"""Quantiles of the clips of an entity, by motion, that the names of ``MOTION`` part at."""

HOLD = 0.5  # seconds
CUT, PEAK = 0.5, 2.0
BUSY, LEAST_BUSY = 3.0, 0.005  # times the moving pixels of the calmest quarter; share above it


def mark_frames(signals: np.ndarray, fps: float) -> np.ndarray:
    """Mark the frames of one recording.

    Args:
        signals: (F, S) float32, as `signals.signals` gives them.
        fps: Rows a second.

    Returns:
        (F, MARKS) bool.
    """
    reach = max(round(HOLD * fps), 1)
    strength, limit = strengths(signals), np.array([limit.fixed for limit in LIMITS.values()])
    over = dict(zip(RULES, (strength >= limit).T, strict=True))
    onset, offset = _bouts(np.nan_to_num(signals[:, SIGNALS.index("moving")]), reach)
    marks = {
        "cut": _peaks(np.nan_to_num(signals[:, SIGNALS.index("cut")]), reach),
        "onset": onset,
        "offset": offset,
        "exposure": over["flicker"],
    }
    return np.stack([(over | marks)[name] for name in MARKS], axis=1)


def mark_bins(marks: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sort clips by what is marked in them.

    Args:
        marks: (F, MARKS) bool of all rows.
        rows: (n, T) int64 rows that the clips are made of.

    Returns:
        (n,) int64 index into ``MARKS``, the first that any frame has; ``len(MARKS)`` if none has.
    """
    found = np.zeros((len(rows), len(MARKS)), bool)
    for place in rows.T:
        found |= marks[place]
    return np.where(found.any(axis=1), found.argmax(axis=1), len(MARKS))


def motion_bins(signals: np.ndarray, rows: np.ndarray, entities: np.ndarray) -> np.ndarray:
    """Sort the clips of every entity by how much moves in them.

    Args:
        signals: (F, S) float32 of all rows.
        rows: (n, T) int64 rows that the clips are made of.
        entities: (n,) int64.

    Returns:
        (n,) int64 index into ``MOTION``: still is the calmer half of the entity's clips, busy the
        15% that move most; equal motion is never parted.
    """
    column = np.nan_to_num(signals[:, SIGNALS.index("motion")])  # an unknown change is none
    motion = np.zeros(len(rows))
    for place in rows.T:
        motion += column[place]
    bins = np.zeros(len(rows), np.int64)
    for entity in np.unique(entities):
        own = entities == entity
        bins[own] = np.searchsorted(np.quantile(motion[own], EDGES), motion[own])
    return bins


def _peaks(cut: np.ndarray, reach: int) -> np.ndarray:
    """Where a value is over `CUT`, and over `PEAK` times all others within reach."""
    padded = np.pad(cut, reach)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).copy()
    around[:, reach] = 0
    return (cut > CUT) & (cut > PEAK * around.max(axis=1))


def _bouts(share: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """First frames of bouts of motion and of the calm after them, (F,) bool each."""
    calm = np.quantile(share, 0.25) if len(share) else 0.0
    moving = np.flatnonzero(share > BUSY * calm + LEAST_BUSY)
    onset, offset = np.zeros((2, len(share)), bool)
    if len(moving):
        apart = np.flatnonzero(np.diff(moving) > reach)
        onset[np.append(moving[0], moving[apart + 1])] = True
        ends = np.append(moving[apart], moving[-1]) + 1
        offset[ends[ends < len(share)]] = True
    return onset, offset
