"""The raw-feature control: what a probe reaches without any encoder."""

import numpy as np
import numpy.typing as npt

from bandpass.evaluation._arrays import Booleans, Floats


def raw_features(values: Floats, observed: Booleans) -> npt.NDArray[np.float32]:
    """Summarise each channel of each window by six statistics of its observed rows.

    Args:
        values: Windows, (B, T, C); what stands at missing rows is ignored, NaN included.
        observed: True where a value was measured, (B, T, C).

    Returns:
        (B, 6 C) float32: mean, standard deviation, least-squares slope over the window (a window
        is one unit of time), minimum, maximum and share of missing rows, C columns each. A
        channel without observed rows gives 0 and a missing share of 1; with one, std and slope 0.

    Raises:
        ValueError: when the shapes differ or are not (B, T, C), or an observed value is not finite.
    """
    if values.ndim != 3 or values.shape != observed.shape:
        raise ValueError(
            f"values and observed must share a shape (B, T, C), got {values.shape} "
            f"and {observed.shape}"
        )
    if not np.isfinite(values[observed]).all():
        raise ValueError("an observed value is NaN or infinite: mark it as missing")
    count = observed.sum(axis=1)
    some = np.maximum(count, 1)
    clean = np.where(observed, values, 0)
    mean = clean.sum(axis=1, dtype=np.float64) / some
    centred = np.where(observed, clean - mean[:, None], 0)
    std = np.sqrt((centred**2).sum(axis=1) / some)
    clock = (np.arange(values.shape[1]) / values.shape[1])[None, :, None]
    clock = np.where(observed, clock, 0)
    clock = np.where(observed, clock - (clock.sum(axis=1) / some)[:, None], 0)
    spread = (clock**2).sum(axis=1)
    slope = (clock * centred).sum(axis=1) / np.where(spread > 0, spread, 1)
    lowest = np.where(observed, values, np.inf).min(axis=1)
    highest = np.where(observed, values, -np.inf).max(axis=1)
    absent = 1 - count / values.shape[1]
    parts = [mean, std, slope, np.where(count, lowest, 0), np.where(count, highest, 0), absent]
    return np.concatenate(parts, axis=1).astype(np.float32)
