"""The surprise band: a batch sampler that spends its slots on what still surprises the model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import Sampler

from bandpass.curriculum.aim import Aim, take_aim
from bandpass.curriculum.cells import KINDS
from bandpass.curriculum.draws import Draw, Schedule, philox
from bandpass.curriculum.objective import observe, weighted_mean
from bandpass.curriculum.quarantine import Quarantined
from bandpass.curriculum.scorebook import Scorebook
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
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.settings = settings
        self.ess = 1.0
        self._schedule = Schedule(steps)
        self._book = Scorebook(_check_buckets(n, buckets), settings)
        self._aim = self._look(0)
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
        observed = observe(draw, losses, embeddings)
        if self._with_embeddings not in (None, embeddings is not None):
            raise ValueError("embeddings must be given at every step or at none")
        self._with_embeddings = embeddings is not None
        loss = weighted_mean(losses, draw.p**-self.settings.beta, observed.finite)
        self._book.fade(self._turns(), self._aim, self._tau)
        self._book.record(draw, observed, self._aim)
        self._schedule.settle(draw)
        return loss

    @property
    def lambda_(self) -> float:
        """Strength of the band at the last refresh; 0 is uniform."""
        return self._aim.strength

    def probabilities(self) -> Floats:
        """float64 (n,): exact probability of each window in a slot of the next draw."""
        _, cells, p = self._select(self._schedule.drawn)
        table = np.zeros(len(self._book.cells.counts))
        table[cells] = p
        return table[self._book.cells.cell]

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
        return self._book.histogram.scores(self._book.memory.score[np.asarray(ids)])

    def quarantine(self) -> list[Quarantined]:
        """Windows held back now, in the order in which they came."""
        return self._book.quarantine.entries()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """The band as columns, a row per bucket and score bin with any mass.

        Returns:
            bucket int64; score float64, log-score at the bin's middle; mass float64, share of
            the recent scores, 1 in sum over a bucket; weight float64, selection probability of
            a window there relative to uniform.
        """
        if self._book.steps == 0:
            raise RuntimeError("the band has no scores yet: take a snapshot after a step")
        mass = self._book.histogram.counts()
        mass[mass < 1e-6 * mass.sum(axis=1, keepdims=True)] = 0
        mass /= mass.sum(axis=1, keepdims=True)
        aim, _, _ = self._select(self._schedule.drawn)
        p = self._mixture(aim.weights, self._book.cells.drawable()).reshape(-1, KINDS)
        bucket, bins = np.nonzero(mass)
        return {
            "bucket": bucket,
            "score": self._book.histogram.scores(bins + 0.5),
            "mass": mass[bucket, bins],
            "weight": p[bucket, bins] * self._book.cells.population(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs, draws in flight included.

        Nested dicts of tensors, numbers and strings: it survives `torch.save` and
        `torch.load(weights_only=True)`.
        """
        return {
            "size": self._size(),
            "ess": self.ess,
            "with_embeddings": self._with_embeddings,
            "aim": self._aim.state_dict(),
            "schedule": self._schedule.state_dict(),
            "book": self._book.state_dict(),
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
        self._book.load_state_dict(state["book"])
        self._schedule.load_state_dict(state["schedule"])
        self._aim = Aim.from_state(state["aim"])
        self._with_embeddings = state["with_embeddings"]
        self.ess = state["ess"]

    def _size(self) -> dict[str, int]:
        return {"n": self.n, "batch_size": self.batch_size, "seed": self.seed}

    @property
    def _tau(self) -> float:
        """Time constant of fading, in steps."""
        return self.settings.staleness * self.n / self.batch_size

    def _turns(self) -> Ints:
        """Ids whose turn to fade it is: all in turn, once per tau.

        This realises u <- rho u + (1 - rho) / 2 for stale scores at the cost of a fraction of
        a batch per step.
        """
        step = self._book.steps
        start, stop = (int(k * self.n / self._tau) for k in (step, step + 1))
        return np.arange(start, min(stop, start + self.n)) % self.n

    def _draw(self, number: int) -> Draw:
        self._aim, cells, p = self._select(number)
        counts = self._book.cells.counts[cells]
        self.ess = effective_share(p, counts)
        edges = np.cumsum(counts * p)
        random = philox(self.seed, number).random((2, self.batch_size))
        at = np.searchsorted(edges, random[0] * edges[-1], side="right")
        return Draw(self._book.cells.members(cells[at], random[1]), number, p[at])

    def _select(self, number: int) -> tuple[Aim, Ints, Floats]:
        """For draw `number`: aim, occupied cells, and the probability of a window of each."""
        drawable = self._book.cells.drawable()
        cells = np.flatnonzero(drawable)
        if not len(cells):
            raise RuntimeError("every window is banned: none ever had a finite loss")
        counts = drawable[cells]
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
            self._book.histogram,
            self._book.cells,
            self.settings,
            active=self._active(number),
            guarded=number >= self.settings.warm_up * steps,
        )

    def _mixture(self, h: Floats, counts: Ints) -> Floats:
        return mixture(h, counts, floor=self.settings.floor, cap=self.settings.cap)


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
