"""The surprise band: a batch sampler that spends its slots on what still surprises the model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import Sampler

from bandpass.curriculum.distributed import abandon
from bandpass.curriculum.draws import Draw, Schedule
from bandpass.curriculum.gate import Evidence, Gate
from bandpass.curriculum.groups import Groups
from bandpass.curriculum.objective import (
    Observed,
    observe,
    observe_scores,
    require_finite,
    weighted_mean,
)
from bandpass.curriculum.quarantine import Quarantined
from bandpass.curriculum.scorebook import Scorebook
from bandpass.curriculum.selection import group_shares
from bandpass.curriculum.selector import Selector
from bandpass.curriculum.settings import BandSettings, check_ids, check_same, check_size
from bandpass.curriculum.together import Together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SurpriseBand(Sampler[Draw]):
    """Draws batches with exact, known probabilities from a band over the windows' surprise.

    The score of a window is the logarithm of its training loss, over the variance of its
    bucket's embeddings if those are given, or whatever real number `step` is told. Its rank u
    among the recent scores of its bucket sets its weight h; p = floor / N + (1 - floor) h / sum(h),
    at most cap / N. Slots are independent (a batch may hold a window twice), so p is exact for each
    of them. Extremes against the surprising part of their bucket, and what the gate does not
    trust, are drawn at the floor; windows with a non-finite loss never again; N counts all others.

    It knows ids and losses only, never data or models, and works with any loop::

        band = SurpriseBand(len(windows), 64, steps=10_000)
        for draw in band:
            losses = model(windows[draw])  # (64,)
            band.step(draw, losses).backward()

    Or as `DataLoader(dataset, batch_sampler=band, num_workers=2)`, with the draw handed on by
    the dataset's `__getitems__`: steps may then come late and out of order.

    Every rank holds the whole table, 12 bytes a window, and makes the same draws, of which it is
    yielded its share; `step` exchanges the results. So all states stay the same, and a run may be
    resumed on any number of ranks from any rank's state.

    Args:
        n: Number of windows, ids 0 .. n-1.
        batch_size: Slots per draw, over all ranks.
        steps: Draws in the whole run; warm-up and cool-down are shares of it.
        seed: Of the draws: draw k is a function of (seed, k) and the scores so far.
        buckets: int (n,) from 0; surprise is ranked within a bucket. All in one if None.
        prototypes: int (n,) from 0: windows that looked alike before training. They lend their
            score to windows that have none, or to all where windows are hardly drawn twice.
        parents: int (buckets,) from 0: whom a bucket with few observations borrows from.
        groups: int (n,) from 0: a draw is of one group, each slot's p the same as without them.
        settings: See `BandSettings`.
        gate: Judges the most surprising windows; needs embeddings at every step.
        rank: Which of the ranks this is.
        world: Number of ranks; `torch.distributed` must be initialised if over 1.
    """

    def __init__(  # noqa: PLR0913 (what windows are grouped by, and where it runs, are optional)
        self,
        n: int,
        batch_size: int,
        *,
        steps: int,
        seed: int = 0,
        buckets: ArrayLike | None = None,
        prototypes: ArrayLike | None = None,
        parents: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        settings: BandSettings = BandSettings(),  # noqa: B008 (frozen)
        gate: Gate | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        check_size(n, batch_size, seed, rank, world)
        self.n, self.batch_size, self.seed, self.settings = n, batch_size, seed, settings
        self.steps, self.rank, self.world = steps, rank, world
        self._schedule = Schedule(steps, rank, world)
        known = Groups.check(n, buckets, prototypes, parents)
        together = None if groups is None else Together(groups, n)
        self.coverage = settings.covering(steps * batch_size / n, known.clustered)
        self.gate, self._grouped = gate, groups is not None
        self._book = Scorebook(known, settings, self.coverage, gate, batch_size)
        self._selector = Selector(self._book, settings, steps, batch_size, seed, together)
        self._with_embeddings: bool | None = None

    def __len__(self) -> int:
        """Batches that iterating now yields: the steps that remain."""
        return len(self._schedule)

    def __iter__(self) -> Iterator[Draw]:
        """Draws in flight first, then new ones."""
        return self._schedule.run(self._selector.draw)

    def step(
        self,
        draw: Draw,
        losses: Tensor,
        embeddings: Tensor | None = None,
        *,
        scores: Tensor | None = None,
        evidence: Evidence | None = None,
    ) -> Tensor:
        """Record a draw's losses and return the weighted scalar to differentiate.

        Args:
            draw: As yielded, after any delay and in any order, once.
            losses: (B,) per-window losses, in the graph. A non-finite one is left out of the mean
                and its window banned.
            embeddings: (B, D) of the windows (the teacher's, say), at every step or at none.
            scores: (B,) real log-scores, a name in `SCORES`, say; the logarithm of the losses,
                which must not be negative then, if None. NaN: not scored.
            evidence: What the gate is told beside the embeddings.

        Returns:
            Scalar: mean of w * loss, w = (1 / (N p)) ** beta scaled to mean 1 over the batch of
            all ranks, so that the mean of the ranks' gradients is that of the whole batch. With
            `groups` w is not scaled: that would hide how often a group is drawn.

        Raises:
            ValueError, TypeError: A shape, dtype, sign or draw is wrong.
            FloatingPointError: No loss is finite.
        """
        try:
            whole = self._schedule.check(draw)
            own = observe(draw, losses, embeddings, scores, evidence)
            self._check_embeddings(own)
        except (TypeError, ValueError):
            abandon(self.world)  # the other ranks are waiting for these results
            raise
        observed = own.over(self.rank, self.world, draw.number)
        require_finite(draw, losses, observed)
        weights = whole.p**-self.settings.beta
        drawable = self._book.table.population()
        total = float(weights[observed.finite].sum())
        if self._grouped:
            total = int(observed.finite.sum()) * drawable**self.settings.beta
        share = draw.p**-self.settings.beta
        loss = weighted_mean(losses, share, own.finite, total / self.world)
        # Weighted by 1 / (N p), histograms show the population, not the band's own taste.
        stands_for = 1 / (drawable * whole.p)
        self._book.record(np.array(whole, np.int64), stands_for, observed, self._selector.aim)
        self._schedule.settle(draw.number)
        return loss

    def narrow(self, kept: Draw) -> None:
        """Take note that a `CandidatePool` kept only a part of a draw: `step` then expects that."""
        self._schedule.narrow(kept)

    def record(
        self,
        ids: ArrayLike,
        scores: Tensor,
        embeddings: Tensor | None = None,
        *,
        evidence: Evidence | None = None,
        sample: bool = True,
    ) -> None:
        """Record scores of windows that were not trained on; the same on all ranks.

        Args:
            ids: int (B,).
            scores: (B,) real log-scores, on the scale of those of `step`. NaN: not scored.
            embeddings: (B, D), for the gate; a window whose own is not finite is banned.
            evidence: For the gate.
            sample: Whether the windows are a fair sample of all, to take quantiles from: those of
                `stale` are not.
        """
        windows = check_ids(ids, self.n)
        observed = observe_scores(windows, scores, embeddings, evidence)
        weights = np.ones(len(windows)) if sample else None
        self._book.record(windows, weights, observed, self._selector.aim)
        if self._book.steps % self.settings.refresh == 0:
            self._selector.look(self._schedule.drawn)

    def stale(self, k: int) -> list[int]:
        """The k of a few more random windows whose scores matter most and are oldest.

        All of one group, and perhaps fewer, with `groups`. All ranks name the same.
        """
        return self._selector.stale(k)

    def restrain(self, factor: float, reason: str = "") -> None:
        """Take lambda times `factor`, in [0, 1], from the next draw on; 0 turns the band off."""
        self._selector.restrain(factor, reason, self._schedule.drawn)

    @property
    def restraint(self) -> tuple[float, str]:
        """Factor on lambda, and the reason that was given for it."""
        return self._selector.restraint

    def reweigh(self, factors: ArrayLike) -> None:
        """Multiply the weights of every bucket's windows, (buckets,) over 0, from now on."""
        self._selector.reweigh(factors, self._schedule.drawn)

    @property
    def lambda_(self) -> float:
        """Strength of the band at the last refresh; 0 is uniform."""
        return self._selector.aim.strength

    @property
    def ess(self) -> float:
        """Effective sample size of the last draw, as a share of the windows."""
        return self._selector.ess

    def probabilities(self, number: int | None = None) -> Floats:
        """float64 (n,): exact probability of each window in a slot of the next (or that) draw."""
        at = self._schedule.drawn if number is None else number
        return self._selector.per_window(self._selector.select(at))

    def intended(self) -> Floats:
        """float64 (n,): what the probabilities would be in mode "live"."""
        return self._selector.per_window(self._selector.intended(self._schedule.drawn))

    def expected_shares(self, groups: NDArray[np.integer]) -> Floats:
        """Share of the next draw's slots per group, (max + 1,); groups are (n,), below 0 none."""
        return group_shares(self.probabilities(), groups)

    def score(self, ids: ArrayLike) -> Floats:
        """float64, shape of `ids`: remembered log-scores, NaN where a window was never scored."""
        given, table = check_ids(ids, self.n), self._book.table
        seen = table.rows["visits"][given] > 0
        return self._book.histogram.scores(np.where(seen, table.position(given), np.nan))

    def quarantine(self) -> list[Quarantined]:
        """Windows held back now, in the order in which they came."""
        return self._book.quarantine.entries()

    @property
    def released(self) -> frozenset[int]:
        """Windows that were cleared by `release`."""
        return frozenset(self._book.quarantine.released)

    def release(self, ids: ArrayLike) -> None:
        """Clear windows for good: only a non-finite loss holds them back again."""
        self._book.release(np.unique(check_ids(ids, self.n)))

    def hold(self, ids: ArrayLike) -> None:
        """Draw these windows at the floor until they are released: known faults, say."""
        self._book.hold(np.unique(check_ids(ids, self.n)))

    def ban(self, ids: ArrayLike) -> None:
        """Never draw these windows again."""
        self._book.ban(np.unique(check_ids(ids, self.n)))

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """The band as columns, a row per bucket and score bin with any mass.

        Returns:
            bucket int64; score float64, log-score at the bin's middle; mass float64, share of the
            bucket's recent scores; weight float64, a window's p there relative to uniform.
        """
        return self._selector.snapshot()

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs, ready for `torch.load(weights_only=True)`."""
        return {
            "size": self._size(),
            "with_embeddings": self._with_embeddings,
            "selector": self._selector.state_dict(),
            "schedule": self._schedule.state_dict(),
            "book": self._book.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved sampler stood; steps and settings stay as constructed.

        Raises:
            ValueError: The state is of a sampler of another size, seed or grouping.
        """
        check_same(state["size"], self._size())
        self._book.load_state_dict(state["book"])
        self._schedule.load_state_dict(state["schedule"])
        self._selector.load_state_dict(state["selector"])
        self._with_embeddings = state["with_embeddings"]

    def _size(self) -> dict[str, int]:
        return {"n": self.n, "batch_size": self.batch_size, "seed": self.seed}

    def _check_embeddings(self, observed: Observed) -> None:
        given = observed.embeddings is not None
        if self._with_embeddings not in (None, given):
            raise ValueError("embeddings must be given at every step or at none")
        if self.gate is not None and not given:
            raise ValueError("the gate needs embeddings at every step: give (batch, D)")
        self._with_embeddings = given
