"""All that is known of the windows' surprise, kept up to date batch by batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandpass.curriculum import triage
from bandpass.curriculum.aim import Aim
from bandpass.curriculum.gate import Evidence, Gate
from bandpass.curriculum.groups import Groups
from bandpass.curriculum.histogram import (
    LEAST_VARIANCE,
    LogHistogram,
    TargetVariance,
    WindowHistogram,
)
from bandpass.curriculum.objective import Observed
from bandpass.curriculum.prototypes import Prototypes
from bandpass.curriculum.quarantine import (
    BY_HAND,
    EXTREME,
    HELD_BY_HAND,
    NOT_FINITE,
    Quarantine,
)
from bandpass.curriculum.settings import BandSettings
from bandpass.curriculum.table import (
    BANNED,
    HELD,
    MOST_VISITS,
    OPEN,
    PINNED,
    PROBATION,
    UNSCORED,
    Table,
    to_score,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The gate's verdicts as the table keeps them, and the reasons that belong on the quarantine list.
VERDICTS = np.array([OPEN, PROBATION, HELD, HELD, HELD], np.uint8)
LISTED = {triage.ISOLATED: "isolated", triage.FAULTY: "faulty"}


class Scorebook:
    """Scores, their histograms, and the verdicts on windows because of them.

    Args:
        groups: Bucket, prototype and parent of the windows.
        settings: The band's.
        coverage: "table", "blend" or "prototype".
        gate: Judges the most surprising windows; none if None.
        batch_size: Windows a step: with the settings it says how fast unrenewed scores fade.
    """

    def __init__(
        self,
        groups: Groups,
        settings: BandSettings,
        coverage: str,
        gate: Gate | None,
        batch_size: int,
    ) -> None:
        self._settings = settings
        self._tau = settings.staleness * len(groups.prototypes) / batch_size
        self._coverage = coverage
        self._gate = gate
        self._lines = triage.TriageSettings()
        self.table = Table(groups.prototypes, groups.bucket_of)
        # What can ever be counted at once: a small batch shall not turn the valves off for good.
        most = batch_size / (1 - settings.decay)
        most = settings.window if settings.recent == "window" else most
        count, enough = self.table.buckets, min(settings.min_effective, most / 2)
        parents = groups.parents
        self.histogram = (
            LogHistogram(count, settings.decay, enough, parents)
            if settings.recent == "decayed"
            else WindowHistogram(count, settings.window, enough, parents)
        )
        self.variance = TargetVariance(count, settings.decay, enough, parents)
        self.prototypes = Prototypes(len(groups.bucket_of)) if groups.clustered else None
        self.quarantine = Quarantine()
        self.steps = 0

    @property
    def probation(self) -> float:
        """Weight of a window on probation, in multiples of uniform."""
        return self._lines.probation if self._gate else 1.0

    def positions(self, typical: Floats) -> Floats | None:
        """(prototypes,) scores of prototypes in bins; None if they are the buckets themselves.

        Args:
            typical: (buckets,) typical scores.
        """
        if self.prototypes is None:
            return None
        return self.prototypes.positions(typical[self.table.bucket_of])

    def record(self, ids: Ints, weights: Floats | None, observed: Observed, aim: Aim) -> None:
        """Take in a batch's results.

        Args:
            ids: (B,), windows may occur more than once.
            weights: (B,) windows of the population that each stands for; None if they are no
                fair sample of it, and so say nothing about quantiles.
            observed: The results.
            aim: Says what is surprising and what is extreme.
        """
        self._fade(aim)
        if not observed.finite.all():
            self._ban(np.unique(ids[~observed.finite]), NOT_FINITE)
        # A window that another draw in flight has found non-finite stays out as well.
        usable = self.table.rows["verdict"][ids] != BANNED
        usable &= observed.finite & ~np.isnan(observed.scores)
        if not (self.histogram.placed or np.isfinite(observed.scores[usable]).any()):
            usable[:] = False  # losses that are all 0, say: nothing to rank by yet
        if usable.any():
            slots = np.flatnonzero(usable)
            bins = self._bins(ids[slots], weights, observed, slots)
            windows, first, slot = np.unique(ids[slots], return_index=True, return_inverse=True)
            mean = np.bincount(slot, weights=bins) / np.bincount(slot)
            self._remember(windows, mean, aim)
            self._judge(windows, slots[first], observed, aim)
        self.steps += 1

    def release(self, ids: Ints) -> None:
        """Clear windows: they are held back no more, unless their loss is not finite."""
        for window in ids.tolist():
            self.quarantine.release(window)
            self.quarantine.released.add(window)
        rows = self.table.rows
        back = ids[rows["verdict"][ids] >= PROBATION]
        scored = (rows["visits"][back] > 0) & (self._coverage != "prototype")
        self.table.update(back, verdict=np.where(scored, OPEN, UNSCORED).astype(np.uint8))

    def hold(self, ids: Ints) -> None:
        """Draw these at the floor until they are released, whatever they score."""
        rows = self.table.take(ids)
        ids, visits = ids[rows["verdict"] != BANNED], rows["visits"]
        for window, seen in zip(ids.tolist(), visits.tolist(), strict=False):
            self.quarantine.hold(window, HELD_BY_HAND, float("nan"), seen, self.steps)
        self.table.update(ids, verdict=PINNED)

    def ban(self, ids: Ints) -> None:
        """Never draw these again."""
        self._ban(np.unique(ids), BY_HAND)

    def state_dict(self) -> dict[str, Any]:
        """State of all parts."""
        return {
            "steps": self.steps,
            **{name: part.state_dict() for name, part in self._parts().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved state.

        Raises:
            ValueError: It was saved with other buckets, prototypes or parts.
        """
        parts = self._parts()
        if state.keys() != {"steps", *parts}:
            raise ValueError(
                f"the state was saved with the parts {sorted(state.keys() - {'steps'})}, this "
                f"sampler has {sorted(parts)}: build it with the same gate and prototypes"
            )
        for name, part in parts.items():
            part.load_state_dict(state[name])
        self.steps = state["steps"]

    def _parts(self) -> dict[str, Any]:
        parts = {name: getattr(self, name) for name in ("table", "histogram", "variance")}
        parts |= {"quarantine": self.quarantine}
        optional = {"prototypes": self.prototypes, "gate": self._gate}
        return parts | {name: part for name, part in optional.items() if part is not None}

    def _fade(self, aim: Aim) -> None:
        """Let the scores of windows whose turn it is fade toward what is typical of their kind.

        All have their turn once per tau. This realises u <- rho u + (1 - rho) u_typical for stale
        scores at the cost of a fraction of a batch per step.
        """
        n = len(self.table)
        start, stop = (int(k * n / self._tau) for k in (self.steps, self.steps + 1))
        turns = np.arange(start, min(stop, start + n)) % n
        ids = turns[self.table.rows["verdict"][turns] == OPEN]
        keep = np.exp((self.table.touched[ids] - self.steps) / self._tau)
        own, typical = self.table.position(ids), self._typical(ids, aim)
        self.table.touched[ids] = self.steps
        self.table.update(ids, score=to_score(keep * own + (1 - keep) * typical))

    def _bins(self, ids: Ints, weights: Floats | None, observed: Observed, slots: Ints) -> Floats:
        """Count scores where they are a fair sample; returns their positions on the axis."""
        bucket = self.table.bucket(ids)
        scores = observed.scores[slots]
        if observed.scaled and observed.embeddings is not None:
            if weights is not None:
                self.variance.add(bucket, observed.embeddings[slots], weights[slots])
            scale = self.variance.log()
            if self.steps == 0 and scale.max() <= np.log(LEAST_VARIANCE):
                raise ValueError(
                    "the embeddings of the first batch are all alike, there is no scale to measure "
                    "losses on: give at least two different windows, or no embeddings"
                )
            scores = scores - scale[bucket]
        bins = self.histogram.bins(scores)
        if weights is not None:
            self.histogram.add(bucket, bins, weights[slots])
        if self.prototypes is not None and weights is not None:
            kinds = self.table.rows["prototype"][ids].astype(np.int64)
            self.prototypes.add(kinds, bins, weights[slots])
        return bins

    def _remember(self, ids: Ints, bins: Floats, aim: Aim) -> None:
        """Update the scores of distinct windows.

        The first is taken as it is, later ones are averaged half and half with the memory: a
        single mask's loss is noisy. In the blend the window's prototype counts for one visit.
        """
        visits = self.table.rows["visits"][ids].astype(np.int64)
        own = np.where(visits == 0, bins, (self.table.position(ids) + bins) / 2)
        if self._coverage == "blend":
            own = np.where(visits == 0, (own + self._typical(ids, aim)) / 2, own)
        self.table.touched[ids] = self.steps
        verdict = self.table.rows["verdict"][ids]
        if self._coverage != "prototype":
            verdict = np.where(verdict == UNSCORED, OPEN, verdict)
        visits = np.minimum(visits + 1, MOST_VISITS).astype(np.uint8)
        self.table.update(ids, score=to_score(own), visits=visits, verdict=verdict)

    def _typical(self, ids: Ints, aim: Aim) -> Floats:
        positions = self.positions(aim.typical)
        if positions is None:
            return aim.typical[self.table.bucket(ids)]
        return positions[self.table.rows["prototype"][ids]]

    def _judge(self, ids: Ints, slots: Ints, observed: Observed, aim: Aim) -> None:
        """Hold back what is extreme, and what the gate does not trust; let go what no longer is."""
        rows = self.table.take(ids)
        bucket, position = self.table.bucket_of[rows["prototype"]], self.table.position(ids)
        z = aim.z(bucket, position)
        free = OPEN if self._coverage != "prototype" else UNSCORED
        verdict = np.full(len(ids), free, np.uint8)
        reasons: dict[int, str] = {}
        if self._gate is not None:
            found = self._ask(self._gate, ids, observed.part(slots), aim.u(bucket, position))
            if aim.judging:
                judged = found != triage.OPEN
                verdict[judged] = VERDICTS[found[judged]]
                listed = np.flatnonzero(np.isin(found, list(LISTED))).tolist()
                reasons = {at: LISTED[int(found[at])] for at in listed}
        extreme = z > self._settings.extreme
        reasons |= dict.fromkeys(np.flatnonzero(extreme).tolist(), EXTREME)
        verdict[extreme] = HELD
        pinned = rows["verdict"] == PINNED
        for at, window in enumerate(ids.tolist()):
            if pinned[at]:
                continue
            if window in self.quarantine.released:
                verdict[at] = free
            elif at in reasons:
                visits = int(rows["visits"][at])
                self.quarantine.hold(window, reasons[at], float(z[at]), visits, self.steps)
            elif window in self.quarantine:
                self.quarantine.release(window)
        self.table.update(ids, verdict=np.where(pinned, PINNED, verdict).astype(np.uint8))

    def _ask(self, gate: Gate, ids: Ints, told: Observed, u: Floats) -> NDArray[np.uint8]:
        """Have the gate judge distinct windows, remember what it says, and read the triage."""
        evidence = told.evidence or Evidence()
        rows = self.table.take(ids)
        suspicion, progress = rows["suspicion"], rows["progress"]
        # Nobody is convicted at the first hearing, however often the window was seen before.
        visits = np.where(suspicion == 0, 0, rows["visits"])
        if told.embeddings is not None:  # without them, what is remembered decides
            judgement = gate.judge(ids, told.embeddings, u, evidence)
            suspicion, progress = triage.remember(suspicion, progress, judgement)
            self.table.rows["suspicion"][ids] = suspicion
            self.table.rows["progress"][ids] = progress
        verdict = triage.triage(
            triage.decode_suspicion(suspicion),
            triage.decode_progress(progress),
            visits,
            None if evidence.faults is None else np.asarray(evidence.faults, np.float64),
            self._lines,
        )
        return np.where(u > gate.settings.surprising, verdict, triage.OPEN).astype(np.uint8)

    def _ban(self, ids: Ints, reason: str) -> None:
        for window, visits in zip(ids.tolist(), self.table.rows["visits"][ids], strict=True):
            self.quarantine.hold(window, reason, float("nan"), int(visits), self.steps)
        self.table.update(ids, verdict=BANNED)
