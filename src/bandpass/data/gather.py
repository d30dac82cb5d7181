"""The inner loops of reading windows: one copy per window, a few passes while it is in cache."""

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from torch import Tensor

CACHE_VALUES = 1 << 18
"""Values normalised at a time: 1 MB, so that every pass after the first finds them in cache."""

TILE_VALUES = 128
"""Statistics are repeated to about this many values, a length at which broadcasting is fast."""

_TRUE = torch.ones(1, dtype=torch.bool)


def sliding(column: np.ndarray, length: int) -> np.ndarray:
    """View a (rows, *width) column as (rows - length + 1, length * width), each row a window.

    Indexing its first axis copies every chosen window in one piece, and the view itself is free.
    """
    width = int(np.prod(column.shape[1:], dtype=np.int64))
    shape = (len(column) - length + 1, length * width)
    strides = (width * column.itemsize, column.itemsize)
    return as_strided(column, shape, strides, writeable=False)


class Normalizer:
    """Centre, scale and clip windows by the moments of their entity; missing stays missing.

    Computed as ``value * scale + shift`` in one pass: beside a large offset the sum rounds about as
    coarsely as the float32 values were recorded.

    Args:
        mean: (entities, channels) float64.
        std: (entities, channels) float64, above 0.
        length: Rows per window.
        clip: Results are cut to -clip .. clip.
    """

    def __init__(self, mean: np.ndarray, std: np.ndarray, length: int, clip: float) -> None:
        channels = mean.shape[1]
        wanted = max(TILE_VALUES // channels, 1)
        repeats = max(n for n in range(1, length + 1) if length % n == 0 and n <= wanted)
        scale = np.minimum(1.0 / std, np.finfo(np.float32).max)
        self._shift = torch.from_numpy(np.tile(-mean * scale, repeats).astype(np.float32))
        self._scale = torch.from_numpy(np.tile(scale, repeats).astype(np.float32))
        self._clip = clip

    def __call__(self, windows: Tensor, entity: Tensor) -> None:
        """Normalise (B, length * channels) windows of entities (B,) int64 in place."""
        tiles = windows.view(len(windows), -1, self._scale.shape[-1])
        shift, scale = self._shift[entity].unsqueeze(1), self._scale[entity].unsqueeze(1)
        torch.addcmul(shift, tiles, scale, out=tiles)
        windows.clamp_(-self._clip, self._clip)


def gather(
    view: np.ndarray,
    at: np.ndarray,
    entity: np.ndarray,
    normalizer: Normalizer | None,
    *,
    complete: bool,
) -> tuple[Tensor, Tensor]:
    """Copy windows out of a `sliding` view of the values and normalise them.

    Args:
        view: (starts, length * channels) float32.
        at: (B,) int64 starts.
        entity: (B,) int64 entity of each window.
        normalizer: How; None leaves the observed values as they are.
        complete: Whether no value of the store is missing, which saves looking for gaps.

    Returns:
        Values, 0 where missing, and the observed mask, both (B, length * channels).
    """
    raw = view[at]
    values = torch.from_numpy(raw)
    # One element seen from everywhere: the mask of a complete store costs nothing.
    observed = _TRUE.expand(raw.shape) if complete else torch.from_numpy(raw == raw)
    if complete and normalizer is None:
        return values, observed
    entities = torch.from_numpy(entity)
    piece = max(CACHE_VALUES // raw.shape[1], 1)
    for first in range(0, len(at), piece):
        some = slice(first, first + piece)
        if normalizer is not None:
            normalizer(values[some], entities[some])
        if not complete:
            values[some].nan_to_num_(0.0)
    return values, observed


def most_frequent(codes: np.ndarray, nothing: int) -> np.ndarray:
    """Most frequent code above ``nothing`` in every row of (B, T); ``nothing`` where none is.

    The lowest among equally frequent ones.
    """
    best = np.full(len(codes), nothing, codes.dtype)
    most = np.zeros(len(codes), np.int64)
    for code in range(nothing + 1, int(codes.max(initial=nothing)) + 1):
        count = np.count_nonzero(codes == code, axis=1)
        best[count > most] = code
        most = np.maximum(most, count)
    return best
