"""Samplers that no score moves: uniform epochs, and probabilities that were fixed beforehand."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.utils.data import Sampler

from bandpass.curriculum.draws import Draw, Schedule, philox
from bandpass.curriculum.gate import Evidence
from bandpass.curriculum.objective import observe, require_finite, weighted_mean
from bandpass.curriculum.selection import group_shares
from bandpass.curriculum.settings import check_same, check_size

Floats = NDArray[np.float64]


class Unmoved(Sampler[Draw]):
    """A batch sampler whose draw k is a pure function of (seed, k): its state is the account.

    It takes and checks the same arguments as `SurpriseBand`, so that the two can be swapped.

    Args:
        n: Number of windows, ids 0 .. n-1.
        batch_size: Ids per draw, over all ranks.
        steps: Draws in the whole run.
        seed: Of the draws.
        rank: Which of the ranks this is.
        world: Number of ranks.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        *,
        steps: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        check_size(n, batch_size, seed, rank, world)
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.steps, self.rank, self.world = steps, rank, world
        self._schedule = Schedule(steps, rank, world)

    def __len__(self) -> int:
        """Batches that iterating now yields."""
        return len(self._schedule)

    def __iter__(self) -> Iterator[Draw]:
        """Draws in flight first, then new ones."""
        return self._schedule.run(self._draw)

    def step(
        self,
        draw: Draw,
        losses: Tensor,
        embeddings: Tensor | None = None,
        *,
        scores: Tensor | None = None,
        evidence: Evidence | None = None,
    ) -> Tensor:
        """Settle a draw and return the mean of its finite losses."""
        self._schedule.check(draw)
        own = observe(draw, losses, embeddings, scores, evidence)
        observed = own.over(self.rank, self.world, draw.number)
        require_finite(draw, losses, observed)
        count = float(observed.finite.sum()) / self.world
        loss = weighted_mean(losses, np.ones(len(draw)), own.finite, count)
        self._schedule.settle(draw.number)
        return loss

    def narrow(self, kept: Draw) -> None:
        """Take note that a `CandidatePool` kept only a part of a draw: `step` then expects that."""
        self._schedule.narrow(kept)

    @abstractmethod
    def probabilities(self) -> Floats:
        """float64 (n,): the probability of each window in a slot."""

    def expected_shares(self, groups: NDArray[np.integer]) -> Floats:
        """Expected share of the slots per group id; ids below 0 are left out."""
        return group_shares(self.probabilities(), groups)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs, as ints, lists and tensors."""
        size = {"n": self.n, "batch_size": self.batch_size, "seed": self.seed}
        return {"size": size, "schedule": self._schedule.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved sampler stood.

        Raises:
            ValueError: The state is of a sampler of another size or seed.
        """
        size = {"n": self.n, "batch_size": self.batch_size, "seed": self.seed}
        check_same(state["size"], size)
        self._schedule.load_state_dict(state["schedule"])

    @abstractmethod
    def _draw(self, number: int) -> Draw: ...


class Uniform(Unmoved):
    """Batches from reshuffled epochs: within an epoch every window comes exactly once.

    Batches always hold `batch_size` ids; one may span the end of an epoch. With `subset` below
    1 an epoch is a fresh random part of the windows: RS2 (arXiv 2305.18424, section 3).

    Args:
        n: Number of windows, ids 0 .. n-1.
        batch_size: Ids per draw, over all ranks.
        subset: Share of the windows that an epoch goes through, in (0, 1].
        others: As for `Unmoved`.
    """

    def __init__(self, n: int, batch_size: int, *, subset: float = 1.0, **others: int) -> None:
        super().__init__(n, batch_size, **others)
        if not 0 < subset <= 1:
            raise ValueError(f"subset must be in (0, 1], got {subset}")
        self._length = max(1, round(subset * n))
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def probabilities(self) -> Floats:
        """float64 (n,): the probability of each window in a slot, 1/n."""
        return np.full(self.n, 1 / self.n)

    def _draw(self, number: int) -> Draw:
        slots = number * self.batch_size + np.arange(self.batch_size)
        ids = np.empty(self.batch_size, dtype=np.int64)
        for epoch in range(slots[0] // self._length, slots[-1] // self._length + 1):
            here = slots // self._length == epoch
            ids[here] = self._permutation(epoch)[slots[here] % self._length]
        return Draw(ids.tolist(), number, np.full(self.batch_size, 1 / self.n))

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._order = philox(self.seed, epoch).permutation(self.n)
            self._epoch = epoch
        return self._order


class Fixed(Unmoved):
    """Independent slots from probabilities that were settled before training.

    For a static score (`band.probabilities()` after recording it), or for an oracle that knows
    the rare windows and the corrupt ones: the control that says whether a benchmark can tell
    samplers apart at all.

    Args:
        weights: (n,) at least 0, not all 0; divided by their sum.
        batch_size: Slots per draw, over all ranks.
        others: As for `Unmoved`, without n.
    """

    def __init__(self, weights: ArrayLike, batch_size: int, **others: int) -> None:
        given = np.asarray(weights, np.float64)
        if given.ndim != 1 or not np.isfinite(given).all() or (given < 0).any() or given.sum() <= 0:
            raise ValueError(
                f"weights must be (n,), finite, at least 0 and not all 0, got shape {given.shape}"
            )
        super().__init__(len(given), batch_size, **others)
        self._p = given / given.sum()
        self._edges = np.cumsum(self._p)

    def probabilities(self) -> Floats:
        """float64 (n,): the probability of each window in a slot."""
        return self._p.copy()

    def _draw(self, number: int) -> Draw:
        random = philox(self.seed, number).random(self.batch_size)
        ids = np.searchsorted(self._edges, random * self._edges[-1], side="right")
        return Draw(ids.tolist(), number, self._p[ids])
