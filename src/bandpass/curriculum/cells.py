"""Every window sits in one cell; drawing a cell, then a member, costs the same at any N.

A cell is (bucket, score bin), or one of three states of a bucket: not yet seen, quarantined,
banned. All members of a cell share a selection weight, so as quantiles move only the cells'
weights change and no window has to be touched. Members are kept in unordered lists: a window
leaves by swapping with the last one, so a move is O(1).
"""

from array import array
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bandpass.curriculum.histogram import BINS

Ints = NDArray[np.int64]

UNSEEN, QUARANTINED, BANNED = BINS, BINS + 1, BINS + 2
KINDS = BINS + 3


class Cells:
    """Member lists of all cells: 12 bytes a window (id, cell, place in the list).

    Cells are numbered bucket * KINDS + kind, where kind is a score bin, UNSEEN, QUARANTINED
    or BANNED. Every window starts unseen.

    Args:
        buckets: (n,) ints from 0, the bucket of each window.
    """

    def __init__(self, buckets: NDArray[np.integer]) -> None:
        self._fill(buckets.astype(np.int64) * KINDS + UNSEEN, np.arange(len(buckets)))

    def _fill(self, cell: Ints, order: Ints) -> None:
        """Build the lists, each holding its members in the sequence of `order`."""
        cells = int(cell.max()) // KINDS * KINDS + KINDS
        order = order[np.argsort(cell[order], kind="stable")]
        self.counts: Ints = np.bincount(cell, minlength=cells)
        starts = np.cumsum(self.counts) - self.counts
        place = np.empty(len(cell), dtype=np.int32)
        place[order] = np.arange(len(cell)) - starts[cell[order]]
        # array.array for fast scalar access in move(), with a NumPy view of the same memory
        self._cell = array("i", cell.astype(np.int32).tobytes())
        self._place = array("i", place.tobytes())
        self.cell = np.frombuffer(self._cell, dtype=np.int32)
        packed = order.astype(np.int32)
        self._members = {
            int(c): array("i", packed[starts[c] : starts[c] + self.counts[c]].tobytes())
            for c in np.flatnonzero(self.counts)
        }

    def bucket(self, ids: Ints) -> Ints:
        """Bucket of each id."""
        return self.cell[ids].astype(np.int64) // KINDS

    def kind(self, ids: Ints) -> Ints:
        """Score bin or state of each id."""
        return self.cell[ids].astype(np.int64) % KINDS

    def drawable(self) -> Ints:
        """(cells,) windows in each cell that may be drawn: all but the banned."""
        counts = self.counts.copy()
        counts[BANNED::KINDS] = 0
        return counts

    def population(self) -> int:
        """Windows that may be drawn."""
        return int(self.counts.sum() - self.counts[BANNED::KINDS].sum())

    def members(self, cells: Ints, fractions: NDArray[np.float64]) -> list[int]:
        """One member of each cell: the one at `fractions` in [0, 1) of its list."""
        at = (fractions * self.counts[cells]).astype(np.int64)
        return [self._members[c][k] for c, k in zip(cells.tolist(), at.tolist(), strict=True)]

    def move(self, ids: Ints, kinds: Ints) -> None:
        """Put each of the (distinct) ids into the cell of that kind of its bucket."""
        old = self.cell[ids].astype(np.int64)
        new = old // KINDS * KINDS + kinds
        moved = old != new
        np.subtract.at(self.counts, old[moved], 1)
        np.add.at(self.counts, new[moved], 1)
        moves = zip(ids[moved].tolist(), old[moved].tolist(), new[moved].tolist(), strict=True)
        for window, source, target in moves:
            members = self._members[source]
            last = members.pop()
            if last != window:
                place = self._place[window]
                members[place] = last
                self._place[last] = place
            members = self._members.get(target)
            if members is None:
                members = self._members[target] = array("i")
            self._place[window] = len(members)
            self._cell[window] = target
            members.append(window)

    def state_dict(self) -> dict[str, Any]:
        """Cell of each window, and all member lists end to end: their order decides draws."""
        occupied = np.flatnonzero(self.counts).tolist()
        order = np.concatenate([np.array(self._members[c], dtype=np.int32) for c in occupied])
        return {"cell": torch.tensor(self.cell), "order": torch.from_numpy(order)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved cells.

        Raises:
            ValueError: The state was saved with other buckets.
        """
        cell = state["cell"].numpy().astype(np.int64)
        ids = np.arange(len(cell))
        other = cell // KINDS != self.bucket(ids)
        if other.any():
            first = int(np.argmax(other))
            raise ValueError(
                f"the state was saved with other buckets: window {first} was in bucket "
                f"{cell[first] // KINDS}, is in {self.bucket(ids[first : first + 1])[0]}"
            )
        self._fill(cell, state["order"].numpy().astype(np.int64))
