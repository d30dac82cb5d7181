"""Which windows may share a draw: where they are grouped, a draw is of one group alone.

Clips and windows of a series do not fit in one array, say. The first slot of a draw is drawn from
all windows and decides the group, the other slots are drawn from that group. A group is so drawn
as often as its windows are, and every slot holds a window with exactly the probability that it has
among all of them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bandpass.curriculum.groups import codes

Ints = NDArray[np.int64]

MOST_GROUPS = 1 << 16


class Together:
    """Windows by group. Memory: 6 bytes a window.

    Args:
        groups: int (n,) from 0.
        n: Number of windows.

    Attributes:
        of: uint16 (n,), group of each window.
        order: int32 (n,), windows group by group, ascending in each.
        edges: int64 (groups + 1,), where each group begins in `order`, and where the last ends.
    """

    def __init__(self, groups: ArrayLike, n: int) -> None:
        given = codes("groups", groups, n)
        if given.max() >= MOST_GROUPS:
            raise ValueError(f"groups must be below {MOST_GROUPS}, got {given.max()}")
        self.of = given.astype(np.uint16)
        self.order = np.argsort(self.of, kind="stable").astype(np.int32)
        self.edges: Ints = np.append(0, np.cumsum(np.bincount(given)))

    def members(self, group: int) -> NDArray[np.int32]:
        """Windows of a group."""
        return self.order[self.edges[group] : self.edges[group + 1]]

    def shuffled(self, other: NDArray[np.integer]) -> "Together":
        """The groups of what is drawn in place of each window: `other[i]` for i."""
        return Together(self.of[other], len(self.of))
