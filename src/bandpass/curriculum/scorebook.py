"""All that is known of the windows' surprise, kept up to date batch by batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandpass.curriculum.aim import Aim
from bandpass.curriculum.cells import BANNED, QUARANTINED, Cells
from bandpass.curriculum.draws import Draw
from bandpass.curriculum.histogram import BINS, LogHistogram, TargetVariance
from bandpass.curriculum.memory import Memory
from bandpass.curriculum.objective import Observed
from bandpass.curriculum.quarantine import Quarantine
from bandpass.curriculum.settings import BandSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Scorebook:
    """Scores, their histograms, and the cell that each window is in because of them.

    Args:
        buckets: (n,) ints from 0, the bucket of each window.
        settings: The band's.
    """

    def __init__(self, buckets: NDArray[np.integer], settings: BandSettings) -> None:
        count = int(buckets.max()) + 1
        self._settings = settings
        self.cells = Cells(buckets)
        self.memory = Memory(len(buckets))
        self.histogram = LogHistogram(count, settings.decay, settings.min_effective)
        self.variance = TargetVariance(count, settings.decay, settings.min_effective)
        self.quarantine = Quarantine()
        self.steps = 0

    def record(self, draw: Draw, observed: Observed, aim: Aim) -> None:
        """Take in a batch's results; `aim` says which scores are extreme."""
        ids = np.array(draw, dtype=np.int64)
        if not observed.finite.all():
            self._ban(np.unique(ids[~observed.finite]))
        # A window that another draw in flight has found non-finite stays out as well.
        usable = np.flatnonzero(self.cells.kind(ids) != BANNED)
        if len(usable):
            ids = ids[usable]
            bins = self._count(ids, draw.p[usable], observed, usable)
            windows, slot = np.unique(ids, return_inverse=True)
            self._remember(windows, np.bincount(slot, weights=bins) / np.bincount(slot), aim)
        self.steps += 1

    def fade(self, turns: Ints, aim: Aim, tau: float) -> None:
        """Let the scores of windows whose turn it is fade toward their bucket's median.

        Args:
            turns: Distinct ids; those without a score, or held back, are passed over.
            aim: Knows the medians.
            tau: Time constant in steps.
        """
        ids = turns[self.cells.kind(turns) < BINS]
        toward = aim.typical[self.cells.bucket(ids)]
        bins = self.memory.fade(ids, toward, self.steps, tau)
        self.cells.move(ids, bins.astype(np.int64))

    def state_dict(self) -> dict[str, Any]:
        """State of all parts."""
        return {
            "steps": self.steps,
            **{name: part.state_dict() for name, part in self._parts().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state.

        Raises:
            ValueError: It was saved with other buckets.
        """
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.steps = state["steps"]

    def _parts(self) -> dict[str, Any]:
        names = ("cells", "memory", "histogram", "variance", "quarantine")
        return {name: getattr(self, name) for name in names}

    def _count(self, ids: Ints, p: Floats, observed: Observed, usable: Ints) -> Floats:
        """Add scores to the histograms; returns their positions on its axis."""
        bucket = self.cells.bucket(ids)
        # Weighted by 1 / (N p), the histograms show the population, not the band's own taste.
        weights = 1 / (self.cells.population() * p)
        with np.errstate(divide="ignore"):  # a loss of 0 goes to the lowest bin
            scores = np.log(observed.losses[usable])
        if observed.embeddings is not None:
            self.variance.add(bucket, observed.embeddings[usable], weights)
            scores = scores - self.variance.log()[bucket]
        bins = self.histogram.bins(scores)
        self.histogram.add(bucket, bins, weights)
        return bins

    def _remember(self, ids: Ints, bins: Floats, aim: Aim) -> None:
        """Update the memory of distinct windows and put them where they now belong."""
        bins = self.memory.visit(ids, bins, self.steps)
        z = aim.z(self.cells.bucket(ids), bins)
        extreme = z > self._settings.extreme
        for window in ids[~extreme & (self.cells.kind(ids) == QUARANTINED)].tolist():
            self.quarantine.release(window)
        for window, score in zip(ids[extreme].tolist(), z[extreme].tolist(), strict=True):
            visits = int(self.memory.visits[window])
            self.quarantine.hold(window, "extreme", score, visits, self.steps)
        self.cells.move(ids, np.where(extreme, QUARANTINED, bins.astype(np.int64)))

    def _ban(self, ids: Ints) -> None:
        for window in ids.tolist():
            visits = int(self.memory.visits[window])
            self.quarantine.hold(window, "not finite", float("nan"), visits, self.steps)
        self.cells.move(ids, np.full(len(ids), BANNED))
