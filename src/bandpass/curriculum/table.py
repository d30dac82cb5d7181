"""What is remembered of every window, 12 bytes each, and how a draw finds its windows.

All windows of a *cell* share a selection probability. A cell is a bucket and a score bin, or the
prototype of a window that has no score of its own yet, or a verdict that decides alone. As
quantiles move only the cells' probabilities change, and no window has to be touched.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bandpass.curriculum.histogram import BINS
from bandpass.curriculum.triage import blank

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = np.ndarray  # of dtype ROW

# Verdicts. The first two leave the weight to the prototype and to the score.
UNSCORED, OPEN, PROBATION, HELD, BANNED, PINNED = range(6)
STATES = 4  # cells of the verdicts that decide alone, from PROBATION on

STEPS_PER_BIN = 128  # 2**16 / BINS: a remembered score is 16 bits, to 0.00035 in log-score
MOST = np.iinfo(np.uint16).max
MOST_VISITS = np.iinfo(np.uint8).max

# One 8-byte word, read by its bits in `Table.cell`: little-endian wherever torch runs.
ROW = np.dtype(
    [
        ("prototype", "<u2"),
        ("score", "<u2"),
        ("verdict", "u1"),
        ("visits", "u1"),
        ("suspicion", "u1"),
        ("progress", "i1"),
    ]
)


class Table:
    """Columns over all windows, and the number of windows in every cell.

    Cells are numbered: one per prototype, then bucket * BINS + bin, then `STATES`.

    Args:
        prototypes: (n,) ints from 0, the prototype of each window.
        buckets: (prototypes,) ints from 0, the bucket of each prototype.
    """

    def __init__(self, prototypes: NDArray[np.integer], buckets: NDArray[np.integer]) -> None:
        self.bucket_of = np.asarray(buckets, dtype=np.int64)
        rows = np.zeros(len(prototypes), ROW)
        rows["prototype"] = prototypes
        rows["suspicion"], rows["progress"] = blank(len(prototypes))
        self.touched = np.zeros(len(prototypes), np.int32)
        self.buckets = int(self.bucket_of.max()) + 1
        self.cells = len(self.bucket_of) + self.buckets * BINS + STATES
        self._first = self.bucket_of * BINS
        verdict, bins = np.arange(_VERDICTS)[:, None], np.arange(BINS)
        decided = self.cells - STATES - PROBATION + verdict
        scored = np.where(verdict == OPEN, len(self.bucket_of) + bins, decided)
        self._code: Ints = np.where(verdict == UNSCORED, 0, scored).ravel()
        self._keep(rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def scored(self) -> slice:
        """Cells of a bucket and a score bin."""
        return slice(len(self.bucket_of), self.cells - STATES)

    def state(self, verdict: int) -> int:
        """The cell of PROBATION, HELD or BANNED."""
        return self.cells - STATES + verdict - PROBATION

    def take(self, ids: Ints) -> Rows:
        """Rows of some windows: a copy, fetched as whole 8-byte words."""
        return self._words.take(ids).view(ROW)

    def bucket(self, ids: Ints) -> Ints:
        """Bucket of each id."""
        return self.bucket_of[self.rows["prototype"][ids]]

    def position(self, ids: Ints) -> Floats:
        """Remembered score of each id, in bins of the histogram's axis."""
        return self.rows["score"][ids] / STEPS_PER_BIN

    def cell(self, ids: Ints | slice) -> Ints:
        """Cell of each id.

        Read off the words themselves: a draw looks at thousands of rows, and reading a field of
        each would take it longer than fetching them.
        """
        words = self._words[ids] if isinstance(ids, slice) else self._words.take(ids)
        key = (words >> 23) & (_VERDICTS * BINS - 1)  # verdict and bin
        cells = self._code[key]
        if len(self.bucket_of) > 1:
            prototype = words & 0xFFFF
            scored = np.where(key < 2 * BINS, self._first[prototype], 0)  # UNSCORED, then OPEN
            cells += np.where(key < BINS, prototype, scored)
        return cells

    def drawable(self) -> Ints:
        """(cells,) windows in each cell that may be drawn: all but the banned."""
        counts = self.counts.copy()
        counts[self.state(BANNED)] = 0
        return counts

    def population(self) -> int:
        """Windows that may be drawn: all but the banned."""
        return len(self.rows) - int(self.counts[self.state(BANNED)])

    def update(self, ids: Ints, **columns: NDArray[Any] | int) -> None:
        """Set columns of (distinct) windows and recount their cells."""
        self._count(ids, -1)
        for name, values in columns.items():
            self.rows[name][ids] = values
        self._count(ids, 1)

    def draw(
        self,
        size: int,
        p: Floats,
        random: np.random.Generator,
        among: NDArray[np.integer] | None = None,
    ) -> tuple[Ints, Floats]:
        """Draw windows independently with exactly the probabilities of their cells.

        By rejection: a window is proposed uniformly and kept with probability p / max(p). That
        takes as many proposals a slot as the greatest probability is above the uniform one, at any
        number of windows, and needs no list of the members of a cell.

        Args:
            size: Windows wanted.
            p: (cells,) probability of one window of each cell; counts @ p is 1.
            random: Source of proposals.
            among: Windows that are drawn from, with the conditional probabilities of these; one
                of them at least must have any. All windows if None.

        Returns:
            (size,) ids and (size,) their probabilities among all windows.
        """
        most = float(p[self.counts > 0].max())
        count = len(self.rows) if among is None else len(among)
        ratio, chance = most * count, p / most
        ids, found = np.empty(0, np.int64), np.empty(0)
        while len(ids) < size:
            proposals = int((size - len(ids)) * ratio * 1.1) + 16
            # One number both proposes and decides: what n leaves of its 53 bits, at least 22.
            number = random.random(proposals) * count
            place = number.astype(np.int64)
            proposed = place if among is None else among[place].astype(np.int64)
            cells = self.cell(proposed)
            kept = np.flatnonzero(number - place < chance[cells])
            ids = np.concatenate([ids, proposed[kept]])
            found = np.concatenate([found, p[cells[kept]]])
            if among is not None:  # how much of the probability is theirs shows as one draws
                ratio *= 2
        return ids[:size], found[:size]

    def per_window(self, values: Floats) -> Floats:
        """(cells,) values to one per window."""
        out = np.empty(len(self))
        for part in self._parts():
            out[part] = values[self.cell(part)]
        return out

    def state_dict(self) -> dict[str, Any]:
        """The columns, as bytes."""
        rows = self.rows.view(np.uint8).reshape(-1, ROW.itemsize)
        return {
            "rows": torch.tensor(rows),
            "touched": torch.tensor(self.touched),
            "bucket_of": torch.tensor(self.bucket_of),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved columns.

        Raises:
            ValueError: The state was saved with other buckets or prototypes.
        """
        rows = state["rows"].numpy().copy().view(ROW)[:, 0]
        bucket_of = state["bucket_of"].numpy()
        same = np.array_equal(bucket_of, self.bucket_of)
        if not same or not np.array_equal(rows["prototype"], self.rows["prototype"]):
            raise ValueError(
                f"the state was saved with other buckets or prototypes ({len(bucket_of)} in "
                f"{bucket_of.max() + 1} buckets) than these ({len(self.bucket_of)} in "
                f"{self.buckets})"
            )
        self.touched = state["touched"].numpy().copy()
        self._keep(rows)

    def _keep(self, rows: Rows) -> None:
        self.rows, self._words = rows, rows.view(np.int64)
        self.counts: Ints = np.zeros(self.cells, np.int64)
        for part in self._parts():
            self._count(part, 1)

    def _count(self, ids: Ints | slice, sign: int) -> None:
        np.add.at(self.counts, self.cell(ids), sign)

    def _parts(self) -> Iterator[slice]:
        """The windows in parts whose intermediate results stay small."""
        return (slice(start, start + _PART) for start in range(0, len(self), _PART))


_PART = 1 << 16
_VERDICTS = 8  # a power of 2 that has room for them


def to_score(positions: Floats) -> NDArray[np.uint16]:
    """Positions in bins to what a row remembers of them."""
    return np.clip(np.rint(positions * STEPS_PER_BIN), 0, MOST).astype(np.uint16)
