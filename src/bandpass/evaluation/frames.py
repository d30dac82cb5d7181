"""From scores of clips to scores of frames."""

from typing import Literal

import numpy as np

from bandpass.evaluation._arrays import Doubles, Floats, Integers


def frame_scores(
    scores: Floats, rows: Integers, total: int, *, combine: Literal["mean", "max"] = "mean"
) -> Doubles:
    """Score frames by the clips that cover them.

    Args:
        scores: Of every position of every clip, (clips, length), or one of every clip, (clips,);
            NaN where a clip says nothing of a position.
        rows: Frame at every position, (clips, length), in 0 .. total - 1.
        total: Number of frames.
        combine: Takes the mean, or the maximum, of what is said of a frame.

    Returns:
        (total,) float64, NaN for a frame of which no clip says anything.

    Raises:
        ValueError: On shapes that do not match, a row out of range, or an unknown ``combine``.
    """
    if rows.ndim != 2 or scores.shape not in (rows.shape, rows.shape[:1]):
        raise ValueError(
            f"scores must be (clips,) or (clips, length) as the rows are, got {scores.shape} "
            f"and {rows.shape}"
        )
    if rows.size and not (0 <= rows.min() and rows.max() < total):
        raise ValueError(f"rows must lie in 0 .. {total - 1}, got {rows.min()} .. {rows.max()}")
    if combine not in ("mean", "max"):
        raise ValueError(f"combine must be 'mean' or 'max', got {combine!r}")
    each = scores if scores.ndim == 2 else np.broadcast_to(scores[:, None], rows.shape)
    said = np.isfinite(each)
    at, values = rows[said], each[said].astype(np.float64)
    count = np.bincount(at, minlength=total)
    if combine == "mean":
        found = np.bincount(at, values, minlength=total) / np.maximum(count, 1)
    else:
        found = np.full(total, -np.inf)
        np.maximum.at(found, at, values)
    return np.where(count > 0, found, np.nan)
