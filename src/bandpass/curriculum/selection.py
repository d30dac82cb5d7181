"""From weights to exact probabilities: mixture, cap, effective sample size, strength.

Windows that share a cell share a probability, so everything here is over cells:
`counts[c]` windows in cell c, each with weight `h[c]` and probability `p[c]`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

HALVINGS = 10  # of [0, 32], say: lambda to 0.03, the effective share to about 0.002


def mixture(h: Floats, counts: Counts, *, floor: float, cap: float) -> Floats:
    """Probabilities floor / N + (1 - floor) h / sum(h), none of them above cap / N.

    What the cap cuts off goes to the other windows in proportion to h (evenly, if all their h
    are 0), and again until nothing exceeds it: the set of capped cells only grows, so this
    ends. sum(counts * p) is 1.

    Args:
        h: (C,) weights, at least 0.
        counts: (C,) windows per cell; N is their sum. Cells may be empty.
        floor: Share that is spread uniformly, in [0, 1].
        cap: Highest multiple of the uniform probability, over 1.

    Returns:
        (C,) probability of one window of each cell.
    """
    total = counts.sum()
    least, most = floor / total, cap / total
    capped = np.zeros(len(h), dtype=bool)
    while True:
        free = np.where(capped, 0, counts)
        left, mass = free.sum(), free @ h
        weight, mass = (h, mass) if mass > 0 else (np.ones_like(h), left)
        spare = 1 - most * (total - left) - least * left
        p = np.where(capped, most, least + (spare / mass) * weight)
        over = p > most * (1 + 1e-12)
        if not over.any():
            return p
        capped |= over


def effective_share(p: Floats, counts: Counts) -> float:
    """Effective sample size over N: 1 / (N sum p^2), 1 for uniform sampling."""
    return float(1 / (counts.sum() * (counts * p * p).sum()))


def strongest(allowed: Callable[[float], bool], limit: float) -> float:
    """The greatest lambda in [0, limit] found to be allowed, by bisection.

    0 if none is: then it is not the rule that narrows the sample.
    """
    if allowed(limit):
        return limit
    low, high = 0.0, limit
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if allowed(middle):
            low = middle
        else:
            high = middle
    return low


def group_shares(p: Floats, groups: NDArray[np.integer]) -> Floats:
    """Expected share of the slots per group.

    Args:
        p: float64 (n,), probability of each window.
        groups: int (n,), group of each window; below 0 for none.

    Returns:
        float64 (max group + 1,).
    """
    groups = np.asarray(groups)
    if groups.shape != p.shape:
        raise ValueError(f"groups must have shape {p.shape}, got {groups.shape}")
    known = groups >= 0
    return np.bincount(groups[known], weights=p[known]).astype(np.float64)
