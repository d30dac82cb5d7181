"""How sparse windows are among all windows, and how dense among the sparse: arrays in and out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

BANK = 4096
"""Windows in a bank at most. A larger one finds rare windows less sparse (experiments/LOG.md)."""

NOVEL = 0.15
"""Share of the windows, the sparsest, that the novel bank is drawn from."""

UNIFORM, AMONG_NOVEL = 5, 3
"""Neighbours that the mean distance is over, in the uniform bank and in the novel one."""

_CHUNK = 2048
_NEAREST = 1e-3  # distances below this are repeats, and equally near

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Densities:
    """Of every window.

    Attributes:
        density: (n,) float32 log mean distance to the ``UNIFORM`` nearest of the uniform bank;
            high where windows are sparse.
        ratio: (n,) float32 ``density`` minus the log mean distance to the ``AMONG_NOVEL`` nearest
            of the novel bank; high for windows that are unlike most and like a few others. A
            one-off, corrupt or not, is isolated in both banks.
    """

    density: np.ndarray
    ratio: np.ndarray


def densities(
    features: np.ndarray, place: np.ndarray, reach: int, *, seed: int = 0, progress: Progress
) -> Densities:
    """Densities among a uniform bank and among the most novel windows.

    Neighbours in time do not count: overlapping windows of one fault would vouch for each other.

    Args:
        features: (n, F) float16 or wider, in comparable units.
        place: (n,) int64 rows at which the windows begin, all series end to end.
        reach: Windows that begin closer than this do not count as neighbours.
        seed: Of the two banks.
        progress: Told of windows done and of all, which are two times n.
    """
    count = len(features)
    generator = np.random.default_rng([seed, count])
    bank = np.sort(generator.permutation(count)[:BANK])
    density = log_distance(
        features, place, bank, reach, UNIFORM, lambda done: progress(done, 2 * count)
    )
    novel = np.argsort(-density, kind="stable")[: max(round(NOVEL * count), 1)]
    bank = np.sort(generator.permutation(novel)[:BANK])
    isolation = log_distance(
        features, place, bank, reach, AMONG_NOVEL, lambda done: progress(count + done, 2 * count)
    )
    return Densities(density, density - isolation)


def log_distance(
    features: np.ndarray,
    place: np.ndarray,
    bank: np.ndarray,
    reach: int,
    neighbours: int,
    progress: Callable[[int], None],
) -> np.ndarray:
    """(n,) float32 log mean distance to the nearest of a bank, none of them near in time.

    Where fewer than ``neighbours`` are left, over those; where none is, the largest value of all.
    """
    bank = bank[np.argsort(place[bank], kind="stable")]
    of_bank = torch.from_numpy(features[bank]).float()
    squares, at = of_bank.square().sum(1), torch.from_numpy(place[bank])
    out = torch.empty(len(features))
    for first in range(0, len(features), _CHUNK):
        some = torch.from_numpy(features[first : first + _CHUNK]).float()
        # Squared distances in one product of matrices; rounding may take one below 0.
        square = torch.addmm(squares, some, of_bank.T, alpha=-2) + some.square().sum(1)[:, None]
        for i, j in _near(torch.from_numpy(place[first : first + _CHUNK]), at, reach):
            square[i, j] = torch.inf
        near = square.topk(min(neighbours, len(bank)), largest=False).values
        near = near.clamp(min=_NEAREST**2).sqrt()
        found = near.isfinite()
        near = torch.where(found, near, 0.0).sum(1) / found.sum(1)  # NaN where there is none
        out[first : first + _CHUNK] = near.log()
        progress(first + len(some))
    known = out[~out.isnan()]
    return out.nan_to_num(float(known.max()) if len(known) else 0.0).numpy()


def _near(place: Tensor, at: Tensor, reach: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pairs (row, member of the bank) that begin closer than ``reach``; ``at`` ascends."""
    member = torch.searchsorted(at, place - reach, right=True)
    stop = torch.searchsorted(at, place + reach)
    rows = torch.arange(len(place))
    while len(rows := rows[member[rows] < stop[rows]]):
        yield rows, member[rows]
        member[rows] += 1
