"""Watches fixed windows while the band works, and holds it back when they are lost.

The watched windows are a seeded sample of the training windows themselves, with the successor of
each. They are not kept out of sampling: that would change N and every p, and with overlapping
windows it would only look like a hold-out, since the neighbours of a window hold most of its rows.
What is read off them is compared with the same windows at the end of warm-up, never with others.
"""

import math
from typing import Any

import numpy as np
import torch

from bandpass.curriculum import BandSettings, SurpriseBand
from bandpass.curriculum.balance import Balance
from bandpass.curriculum.guards import Guards, Reading
from bandpass.data import Corpus
from bandpass.evaluation import coverage, effective_rank, fit_ridge, positive_pairs, regime_geometry
from bandpass.evaluation.rare_events import Curve, average_precision
from bandpass.losses import collapse_terms
from bandpass.models import JEPA, AnyJEPA
from bandpass.scoring import flops, operations
from bandpass.scoring.frozen import batches, embed_windows, mean_rows
from bandpass.training.feed import Plan, Sampler
from bandpass.training.log import RunLog
from bandpass.training.passes import forward, window_losses
from bandpass.training.settings import TrainSettings

WATCHED, DRAWN = 512, 256
TAIL, NORMAL = 0.2, 0.5  # most and least surprising shares of the watched windows
LEAST = 1e-12  # loss: some windows have none, and logs are taken
FEWEST = 8  # windows of a bucket from which on its shape says anything
LEAST_EVENTS = 4
SINGLE = ("rank", "coverage", "similarity", "position", "sample", "scale", "retention", "tail")

# Forwards of the encoder over a whole window: a training forward (context, predictor, teacher)
# and an embedding for a watched window, an embedding for any other.
FULL, EMBED = 3.6, 1.0


class Watch:
    """Takes a reading every ``guard_every`` steps from the end of warm-up on, and acts on it.

    Args:
        windows: The training windows.
        sampler: What is held back; a sampler that is no surprise band is only watched.
        settings: Of the training; gives the interval and the seed.
        plan: Gives the buckets, regimes for isotropy and reweighting.

    Attributes:
        forwards: Forwards of the encoder that readings took so far.
        flops: Floating-point operations of these, and of the nearest neighbours behind coverage.
    """

    def __init__(
        self,
        windows: Corpus,
        sampler: Sampler,
        settings: TrainSettings,
        plan: Plan,
    ) -> None:
        self.windows, self.sampler, self.settings = windows, sampler, settings
        self.ids = watched(windows, settings.seed)
        self.guards = Guards()
        self.forwards = self.flops = 0.0
        codes = np.zeros(len(windows), np.int64) if plan.buckets is None else plan.buckets
        self._names = plan.names
        self._buckets = codes[self.ids]
        self.balance = Balance(np.bincount(codes), eta=settings.balance)
        self._labelled = labelled(windows, settings.guard_labels, settings.seed)
        self._surprise: np.ndarray | None = None  # of the watched windows, at the baseline
        self._recent: list[int] = []
        band = sampler.settings if isinstance(sampler, SurpriseBand) else BandSettings()
        self._start = max(1, math.ceil(band.warm_up * settings.steps))

    def note(self, draw: list[int]) -> None:
        """Remember the windows of a step: what training has been near."""
        if self.settings.guard_every:
            self._recent = [*self._recent, *draw][-DRAWN:]

    def due(self, step: int) -> bool:
        """Whether a reading is taken after ``step`` steps."""
        every = self.settings.guard_every
        return every > 0 and step >= self._start and (step - self._start) % every == 0

    def act(self, step: int, jepa: AnyJEPA, log: RunLog) -> None:
        """Read, decide, hold the band back, reweigh the buckets, and log all of it."""
        reading, covered = self.read(jepa.members[0])
        decision = self.guards.judge(reading)
        multiple = self.balance.update(reading.losses)
        if isinstance(self.sampler, SurpriseBand):
            reason = "; ".join(decision.reasons) or "guards: healthy"
            self.sampler.restrain(decision.factor, reason)
            if self.settings.balance:
                self.sampler.reweigh(np.ones_like(multiple) if decision.off else multiple)
        log.tables["guards"].append(
            {name: getattr(reading, name) for name in SINGLE}
            | {
                "step": step,
                "isotropy": min(reading.isotropy.values(), default=math.nan),
                "factor": decision.factor,
                "off": decision.off,
                "reasons": "; ".join(decision.reasons),
                "forwards": self.forwards,
            }
        )
        excess = self.balance.excess
        log.tables["buckets"] += [
            {
                "step": step,
                "bucket": bucket,
                "name": self._names[bucket],
                "loss": loss,
                "coverage": covered.get(bucket, math.nan),
                "excess": float(excess[bucket]),
                "multiple": float(multiple[bucket]),
            }
            for bucket, loss in reading.losses.items()
        ]

    @torch.no_grad()
    def read(self, jepa: JEPA) -> tuple[Reading, dict[int, float]]:
        """Take a reading, and the coverage of each bucket by recent draws."""
        losses, tokens, raw = self._forward(jepa)
        features = np.concatenate([tokens.mean(axis=1), tokens.std(axis=1)], axis=1)
        centre = features[:, : tokens.shape[2]]
        drawn = embed_windows(jepa, self.windows, np.array(self._recent, np.int64), "mean")
        self.forwards += FULL * len(self.ids) + EMBED * (len(drawn) + len(self._labelled[0]))
        alone = flops.encode(jepa.encoder, len(drawn) + len(self._labelled[0]))
        self.flops += alone.total
        logs = _by_bucket(np.log(losses), self._buckets)
        if self._surprise is None:
            typical = {bucket: np.median(values) for bucket, values in logs.items()}
            self._surprise = np.log(losses) - np.array([typical[int(b)] for b in self._buckets])
        tail = self._surprise >= np.quantile(self._surprise, 1 - TAIL)
        normal = self._surprise <= np.quantile(self._surprise, NORMAL)
        terms = collapse_terms(torch.from_numpy(tokens))
        series, starts = self.windows.locate(self.ids)
        lag, seed = self.windows.length, self.settings.seed
        pairs = positive_pairs(centre, series, starts, lag, seed=seed)
        regimes = regime_geometry(centre, self._buckets)
        reading = Reading(
            rank=effective_rank(centre),
            isotropy={r: g.isotropy for r, g in regimes.items() if g.count >= FEWEST},
            coverage=self._cover(centre[tail], drawn),
            similarity=pairs["difference"].value,
            position=float(terms.position),
            sample=float(terms.sample),
            scale=float(terms.scale),
            retention=missed(features[normal], raw[normal]),
            tail=self._probe(jepa),
            losses={bucket: float(values.mean()) for bucket, values in logs.items()},
        )
        whole = {b: centre[self._buckets == b] for b in logs}
        return reading, {b: self._cover(w, drawn) for b, w in whole.items() if len(w) >= FEWEST}

    def _forward(self, jepa: JEPA) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Losses (n,), tokens of the trained encoder (n, tokens, dim), raw channel means (n, C)."""
        losses: list[np.ndarray] = []
        tokens: list[np.ndarray] = []
        raw: list[np.ndarray] = []
        for batch in batches(self.windows, self.ids):
            output = forward(jepa, batch, self.settings, step=0)
            shape = flops.Shape.of(output.mask, batch.context)
            each = flops.forward(jepa, shape) + flops.encode(jepa.encoder, shape.windows)
            self.flops += each.total
            found = window_losses(output, self.settings, step=0).double()
            losses.append(found.clamp(min=LEAST).cpu().numpy())
            seen = jepa.embed(batch.values.to(jepa.device), batch.observed.to(jepa.device))
            tokens.append(seen.float().cpu().numpy())
            raw.append(mean_rows(batch.values, batch.observed))
        parts = np.concatenate(losses), np.concatenate(tokens), np.concatenate(raw)
        if not all(np.isfinite(part).all() for part in parts[:2]):
            raise FloatingPointError("losses or tokens of the watched windows are not finite")
        return parts

    def _cover(self, some: np.ndarray, drawn: np.ndarray) -> float:
        """Coverage of some watched windows by recent draws."""
        work = operations.neighbours(len(some), len(some) + len(drawn), some.shape[1])
        self.flops += work.total
        return coverage(some, drawn)

    def _probe(self, jepa: JEPA) -> float:
        """Average precision of a linear probe for events, fitted on half the labelled windows."""
        ids, labels = self._labelled
        if not len(ids):
            return math.nan
        features = embed_windows(jepa, self.windows, ids)
        fit = np.arange(len(ids)) % 2 == 0
        scores = fit_ridge(features[fit], labels[fit, None]).predict(features[~fit])[:, 0]
        alarms = Curve(labels[~fit] == 1, scores)(np.ones((1, len(scores))))
        return float(average_precision(*alarms)[0])

    def state_dict(self) -> dict[str, Any]:
        """Baseline, factor, shares, cost and recent draws."""
        surprise = None if self._surprise is None else torch.from_numpy(self._surprise)
        return {
            "guards": self.guards.state_dict(),
            "balance": self.balance.state_dict(),
            "surprise": surprise,
            "recent": self._recent,
            "forwards": self.forwards,
            "flops": self.flops,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved watch stood."""
        self.guards.load_state_dict(state["guards"])
        self.balance.load_state_dict(state["balance"])
        self._surprise = None if state["surprise"] is None else state["surprise"].numpy()
        self._recent, self.forwards = state["recent"], state["forwards"]
        self.flops = state.get("flops", 0.0)  # checkpoints from before it was counted have none


def watched(windows: Corpus, seed: int) -> np.ndarray:
    """Draw up to 512 window ids, ascending: windows and, where there is one, their successors.

    A successor is the first later window of the same series that shares no row.
    """
    generator = np.random.default_rng(seed)
    count = min(WATCHED // 2, len(windows))
    some = generator.choice(len(windows), count, replace=False)
    later = some + -(-windows.length // windows.stride)
    later = np.where(later < len(windows), later, some)
    same = windows.locate(some)[0] == windows.locate(later)[0]
    return np.unique(np.concatenate([some, later[same]]))


def labelled(windows: Corpus, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw ``count`` labelled windows, half of them events where there are as many.

    Returns:
        Ids and labels (1 event, 0 not), in random order; empty with fewer than 4 of either.
    """
    nothing = np.empty(0, np.int64), np.empty(0)
    if not count:
        return nothing
    labels = windows.labels()
    generator = np.random.default_rng(seed)
    parts = [
        generator.permutation(np.flatnonzero(labels == label))[: count // 2] for label in (0, 1)
    ]
    if min(map(len, parts)) < LEAST_EVENTS:
        return nothing
    ids = generator.permutation(np.concatenate(parts))
    return ids, (labels[ids] == 1).astype(np.float64)


def missed(features: np.ndarray, raw: np.ndarray) -> float:
    """Share of the variance of raw channel means that a linear readout misses, on every other row.

    Unlike a loss it does not depend on the target, which moves. NaN where nothing varies.
    """
    fit = np.arange(len(features)) % 2 == 0
    found = fit_ridge(features[fit], raw[fit]).predict(features[~fit])
    known = np.isfinite(found) & np.isfinite(raw[~fit])
    error = np.where(known, found - raw[~fit], 0.0)
    mean = np.where(known, raw[~fit], 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    spread = np.where(known, raw[~fit] - mean, 0.0)
    total = (spread**2).sum()
    return float((error**2).sum() / total) if total > 0 else math.nan


def _by_bucket(values: np.ndarray, buckets: np.ndarray) -> dict[int, np.ndarray]:
    return {int(bucket): values[buckets == bucket] for bucket in np.unique(buckets)}
