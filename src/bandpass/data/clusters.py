"""Prototypes: clusters of cheap features, for scores that windows visited once cannot carry."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

MOST, FEWEST = 4096, 12
"""Clusters at most, and windows of a cluster at least."""

SAMPLE, ROUNDS = 16, 10
"""Windows a cluster that centres are found on, and how often they are moved."""

_CHUNK = 4096


def prototypes(features: np.ndarray, *, seed: int, progress: Callable[[int], None]) -> np.ndarray:
    """Cluster by k-means: centres from a sample, then every window to its nearest centre.

    Half as many clusters as ``FEWEST`` allows, so that most are larger; one that is smaller is
    dissolved, its windows go to the nearest that is left.

    Args:
        features: (n, F) float16 or wider.
        seed: Of the sample and of the first centres.
        progress: Told of the windows assigned so far.

    Returns:
        (n,) int32 cluster, numbered from 0 without gaps.
    """
    rows, count = torch.from_numpy(features), len(features)
    wanted = clusters(count)
    order = torch.from_numpy(np.random.default_rng([seed, count]).permutation(count))
    sample = rows[order[: wanted * SAMPLE]].float()
    centres = sample[:wanted].clone()
    for _ in range(ROUNDS):
        nearest = _nearest(sample, centres)
        size = torch.bincount(nearest, minlength=wanted)
        total = torch.zeros_like(centres).index_add_(0, nearest, sample)
        centres = torch.where(size[:, None] > 0, total / size.clamp(min=1)[:, None], centres)
    cluster = _nearest(rows, centres, progress)
    size = torch.bincount(cluster, minlength=wanted)
    keep = size >= min(FEWEST, int(size.max()))
    astray = ~keep[cluster]
    number = torch.cumsum(keep, 0) - 1
    cluster[astray] = keep.nonzero()[:, 0][_nearest(rows[astray], centres[keep])]
    return number[cluster].numpy().astype(np.int32)


def clusters(count: int) -> int:
    """How many clusters so many windows are first sorted into."""
    return max(min(count // (2 * FEWEST), MOST), 1)


def _nearest(
    rows: Tensor, centres: Tensor, progress: Callable[[int], None] = lambda done: None
) -> Tensor:
    squares = centres.square().sum(1)
    out = torch.empty(len(rows), dtype=torch.int64)
    for first in range(0, len(rows), _CHUNK):
        some = rows[first : first + _CHUNK].float()
        out[first : first + _CHUNK] = torch.addmm(squares, some, centres.T, alpha=-2).argmin(1)
        progress(first + len(some))
    return out
