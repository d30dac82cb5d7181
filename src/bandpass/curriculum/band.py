"""The surprise band: a batch sampler that spends its slots on what still surprises the model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import Sampler

from bandpass.curriculum.aim import Aim, take_aim
from bandpass.curriculum.cells import BANNED, KINDS, QUARANTINED, Cells
from bandpass.curriculum.draws import Draw, Schedule, philox
from bandpass.curriculum.histogram import BINS, LogHistogram, TargetVariance, borrow
from bandpass.curriculum.memory import Memory
from bandpass.curriculum.objective import check_losses, weighted_mean
from bandpass.curriculum.quarantine import Quarantine, Quarantined
from bandpass.curriculum.selection import effective_share, group_shares, mixture
from bandpass.curriculum.settings import BandSettings, check_size

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SurpriseBand(Sampler[Draw]):
    """Draws batches with exact, known probabilities from a band over the windows' surprise.

    The score of a window is the logarithm of its training loss, over the variance of its
    bucket's embeddings if those are given. Its rank u among the recent scores of its bucket
    sets its weight h; p = floor / N + (1 - floor) h / sum(h), at most cap / N. Slots are
    independent (a batch may hold a window twice), so p is exact for each of them. Extremes
    against the surprising part of their bucket are quarantined at the floor, windows with a
    non-finite loss are never drawn again; N counts all others.

    It knows ids and losses only, never data or models, and works with any loop::

        band = SurpriseBand(len(windows), 64, steps=10_000)
        for draw in band:
            losses = model(windows[draw])  # (64,)
            band.step(draw, losses).backward()

    Or as `DataLoader(dataset, batch_sampler=band, num_workers=2)`, with the draw handed on by
    the dataset's `__getitems__`: steps may then come late and out of order.

    Memory: about 28 bytes a window.

    Args:
        n: Number of windows, ids 0 .. n-1.
        batch_size: Slots per draw.
        steps: Draws in the whole run; warm-up and cool-down are shares of it.
        seed: Of the draws: draw k is a function of (seed, k) and the scores so far.
        buckets: int (n,) from 0; surprise is ranked within a bucket. All in one if None.
        settings: See `BandSettings`.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        *,
        steps: int,
        seed: int = 0,
        buckets: ArrayLike | None = None,
        settings: BandSettings = BandSettings(),  # noqa: B008 (frozen)
    ) -> None:
        check_size(n, batch_size, seed)
        bucket = _check_buckets(n, buckets)
        count = int(bucket.max()) + 1
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.settings = settings
        self.ess = 1.0
        self._schedule = Schedule(steps)
        self._cells = Cells(bucket)
        self._memory = Memory(n)
        self._histogram = LogHistogram(count, settings.decay)
        self._variance = TargetVariance(count, settings.decay, settings.min_effective)
        self._quarantine = Quarantine()
        self._aim = self._look(0)
        self._stepped = 0
        self._with_embeddings: bool | None = None

    def __len__(self) -> int:
        """Batches that iterating now yields: the steps that remain."""
        return len(self._schedule)

    def __iter__(self) -> Iterator[Draw]:
        """Draws in flight first, then new ones."""
        return self._schedule.run(self._draw)

    def step(self, draw: Draw, losses: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """Record a draw's losses and return the weighted scalar to differentiate.

        Args:
            draw: As yielded, after any delay and in any order, once.
            losses: (B,) non-negative per-window losses, in the graph. A non-finite one is left
                out of the mean and its window banned.
            embeddings: (B, D) of the windows (the teacher's, say), at every step or at none.

        Returns:
            Scalar: mean of w * loss, w = (1 / (N p)) ** beta scaled to mean 1.

        Raises:
            ValueError, TypeError: A shape, dtype, sign or draw is wrong.
            FloatingPointError: No loss is finite.
        """
        self._schedule.check(draw)
        check_losses(draw, losses, embeddings)
        if self._with_embeddings not in (None, embeddings is not None):
            raise ValueError("embeddings must be given at every step or at none")
        loss = weighted_mean(draw, losses, draw.p**-self.settings.beta)
        values = losses.detach().double().cpu().numpy()
        vectors = None if embeddings is None else embeddings.detach().double().cpu().numpy()
        self._with_embeddings = embeddings is not None
        self._record(draw, values, vectors)
        self._fade()
        self._stepped += 1
        self._schedule.settle(draw)
        return loss

    @property
    def lambda_(self) -> float:
        """Strength of the band at the last refresh; 0 is uniform."""
        return self._aim.strength

    def probabilities(self) -> Floats:
        """float64 (n,): exact probability of each window in a slot of the next draw."""
        _, cells, p = self._select(self._schedule.drawn)
        table = np.zeros(len(self._cells.counts))
        table[cells] = p
        return table[self._cells.cell]

    def expected_shares(self, groups: NDArray[np.integer]) -> Floats:
        """Expected share of the next draw's slots per group.

        Args:
            groups: int (n,), group of each window; below 0 for none.

        Returns:
            float64 (max group + 1,).
        """
        return group_shares(self.probabilities(), groups)

    def score(self, ids: ArrayLike) -> Floats:
        """float64, shape of `ids`: remembered log-scores, NaN where a window is unseen."""
        return self._histogram.scores(self._memory.score[np.asarray(ids)].astype(np.float64))

    def quarantine(self) -> list[Quarantined]:
        """Windows held back now, in the order in which they came."""
        return self._quarantine.entries()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """The band as columns, a row per bucket and score bin with any mass.

        Returns:
            bucket int64; score float64, log-score at the bin's middle; mass float64, share of
            the recent scores, 1 in sum over a bucket; weight float64, selection probability of
            a window there relative to uniform.
        """
        if self._histogram.start is None:
            raise RuntimeError("the band has no scores yet: take a snapshot after a step")
        observed = self._histogram.counts.sum(axis=1)
        mass = borrow(self._histogram.counts, observed, self.settings.min_effective)
        mass[mass < 1e-6 * mass.sum(axis=1, keepdims=True)] = 0
        mass /= mass.sum(axis=1, keepdims=True)
        aim, _, _ = self._select(self._schedule.drawn)
        drawable = np.where(np.arange(len(aim.weights)) % KINDS == BANNED, 0, self._cells.counts)
        p = self._mixture(aim.weights, drawable).reshape(-1, KINDS)
        bucket, bins = np.nonzero(mass)
        return {
            "bucket": bucket,
            "score": self._histogram.scores(bins + 0.5),
            "mass": mass[bucket, bins],
            "weight": p[bucket, bins] * self._cells.population(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs, in flight draws included.

        Plain nested dicts of tensors, numbers and strings: it survives `torch.save` and
        `torch.load(weights_only=True)`.
        """
        return {
            "size": self._size(),
            "ess": self.ess,
            "stepped": self._stepped,
            "with_embeddings": self._with_embeddings,
            "aim": self._aim.state_dict(),
            **{name: part.state_dict() for name, part in self._parts().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved sampler stood; steps and settings stay as constructed.

        Raises:
            ValueError: The state is of a sampler of another size, seed or bucketing.
        """
        if state["size"] != self._size():
            raise ValueError(
                f"the state was saved by a sampler of {state['size']}, this is {self._size()}"
            )
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.ess = state["ess"]
        self._stepped = state["stepped"]
        self._with_embeddings = state["with_embeddings"]
        self._aim = Aim.from_state(state["aim"])

    def _size(self) -> dict[str, int]:
        return {"n": self.n, "batch_size": self.batch_size, "seed": self.seed}

    def _parts(self) -> dict[str, Any]:
        return {
            "cells": self._cells,
            "schedule": self._schedule,
            "memory": self._memory,
            "histogram": self._histogram,
            "variance": self._variance,
            "quarantine": self._quarantine,
        }

    def _draw(self, number: int) -> Draw:
        self._aim, cells, p = self._select(number)
        counts = self._cells.counts[cells]
        self.ess = effective_share(p, counts)
        edges = np.cumsum(counts * p)
        random = philox(self.seed, number).random((2, self.batch_size))
        at = np.searchsorted(edges, random[0] * edges[-1], side="right")
        return Draw(self._cells.members(cells[at], random[1]), number, p[at])

    def _select(self, number: int) -> tuple[Aim, Ints, Floats]:
        """Aim, occupied cells and the probability of a window of each, for a draw."""
        if self._cells.population() == 0:
            raise RuntimeError("every window is banned: all their losses were non-finite")
        cells = self._cells.occupied()
        counts = self._cells.counts[cells]
        active = self._active(number)
        if number % self.settings.refresh and active == self._active(number - 1):
            p = self._mixture(self._aim.weights[cells], counts)
            if not active or effective_share(p, counts) >= self.settings.ess:
                return self._aim, cells, p
        aim = self._look(number)
        return aim, cells, self._mixture(aim.weights[cells], counts)

    def _active(self, number: int) -> bool:
        return self.settings.active(number, self._schedule.steps)

    def _look(self, number: int) -> Aim:
        steps = self._schedule.steps
        return take_aim(
            self._histogram,
            self._cells,
            self.settings,
            active=self._active(number),
            guarded=number >= self.settings.warm_up * steps,
        )

    def _mixture(self, h: Floats, counts: Ints) -> Floats:
        return mixture(h, counts, floor=self.settings.floor, cap=self.settings.cap)

    def _record(self, draw: Draw, losses: Floats, embeddings: Floats | None) -> None:
        """Take a batch's losses into the histograms, the memory and the cells."""
        ids = np.array(draw, dtype=np.int64)
        self._ban(np.unique(ids[~np.isfinite(losses)]))
        usable = np.flatnonzero(self._cells.kind(ids) != BANNED)
        if not len(usable):
            return
        ids = ids[usable]
        bucket = self._cells.bucket(ids)
        # Weighted by 1 / (N p), the histograms show the population, not the band's own taste.
        weights = 1 / (self._cells.population() * draw.p[usable])
        with np.errstate(divide="ignore"):
            scores = np.log(losses[usable])
        if embeddings is not None:
            self._variance.add(bucket, embeddings[usable], weights)
            scores = scores - self._variance.log()[bucket]
        bins = self._histogram.bins(scores)
        self._histogram.add(bucket, bins, weights)
        windows, slot = np.unique(ids, return_inverse=True)
        self._remember(windows, np.bincount(slot, weights=bins) / np.bincount(slot))

    def _remember(self, ids: Ints, bins: Floats) -> None:
        """Update the memory of distinct windows and put them where they now belong."""
        bins = self._memory.visit(ids, bins, self._stepped)
        z = self._aim.z(self._cells.bucket(ids), bins)
        extreme = z > self.settings.extreme
        leaving = ~extreme & (self._cells.kind(ids) == QUARANTINED)
        for window in ids[leaving].tolist():
            self._quarantine.release(window)
        for window, score in zip(ids[extreme].tolist(), z[extreme].tolist(), strict=True):
            visits = int(self._memory.visits[window])
            self._quarantine.hold(window, "extreme", score, visits, self._stepped)
        self._cells.move(ids, np.where(extreme, QUARANTINED, bins.astype(np.int64)))

    def _ban(self, ids: Ints) -> None:
        for window in ids.tolist():
            visits = int(self._memory.visits[window])
            self._quarantine.hold(window, "not finite", float("nan"), visits, self._stepped)
        self._cells.move(ids, np.full(len(ids), BANNED))

    def _fade(self) -> None:
        """Let the scores of the next few windows in turn fade toward their bucket's median.

        Every window's turn comes once per time constant tau. This realises
        u <- rho u + (1 - rho) / 2 for stale scores at the cost of a fraction of a batch.
        """
        tau = self.settings.staleness * self.n / self.batch_size
        start, stop = (int(k * self.n / tau) for k in (self._stepped, self._stepped + 1))
        ids = np.arange(start, min(stop, start + self.n)) % self.n
        ids = ids[self._cells.kind(ids) < BINS]
        toward = self._aim.typical[self._cells.bucket(ids)]
        bins = self._memory.fade(ids, toward, self._stepped, tau)
        self._cells.move(ids, bins.astype(np.int64))


def _check_buckets(n: int, buckets: ArrayLike | None) -> NDArray[np.integer]:
    if buckets is None:
        return np.zeros(n, dtype=np.int32)
    bucket = np.asarray(buckets)
    if bucket.shape != (n,):
        raise ValueError(f"buckets must have shape ({n},), one per window, got {bucket.shape}")
    if not np.issubdtype(bucket.dtype, np.integer):
        raise TypeError(f"buckets must be integers, got {bucket.dtype}")
    if bucket.min() < 0:
        raise ValueError(f"buckets must count from 0, got {bucket.min()}")
    return bucket
