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
from bandpass.curriculum.together import Together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GROUPS, ORDERS = 1 << 61, 1 << 40  # streams beside those of the epochs: of the groups' turns


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

    With `groups` every group has epochs of its own. Which of them a draw is of is drawn by their
    sizes, so a window's probability is the same.

    Args:
        n: Number of windows, ids 0 .. n-1.
        batch_size: Ids per draw, over all ranks.
        subset: Share of the windows that an epoch goes through, in (0, 1].
        groups: int (n,) from 0: a draw is of one group. Any windows may share one if None.
        others: As for `Unmoved`.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        *,
        subset: float = 1.0,
        groups: ArrayLike | None = None,
        **others: int,
    ) -> None:
        super().__init__(n, batch_size, **others)
        if not 0 < subset <= 1:
            raise ValueError(f"subset must be in (0, 1], got {subset}")
        self._subset = subset
        self._together = None if groups is None else Together(groups, n)
        self._turns = None if self._together is None else self._drawn(self._together)
        self._kept: dict[int, tuple[int, Ints]] = {}  # by group: the last epoch and its order

    def probabilities(self) -> Floats:
        """float64 (n,): the probability of each window in a slot, 1/n."""
        return np.full(self.n, 1 / self.n)

    def _draw(self, number: int) -> Draw:
        group, turn = 0, number
        if self._turns is not None:
            group = int(self._turns[number])
            turn = int(np.count_nonzero(self._turns[:number] == group))
        ids = self._slots(group, turn * self.batch_size + np.arange(self.batch_size))
        return Draw(ids.tolist(), number, np.full(self.batch_size, 1 / self.n))

    def _slots(self, group: int, slots: Ints) -> Ints:
        """Windows in these slots of all epochs of a group, one after the other."""
        members = None if self._together is None else self._together.members(group)
        count = self.n if members is None else len(members)
        length = max(1, round(self._subset * count))
        found = np.empty(len(slots), dtype=np.int64)
        for epoch in range(slots[0] // length, slots[-1] // length + 1):
            here = slots // length == epoch
            found[here] = self._permutation(group, epoch, count)[slots[here] % length]
        return found if members is None else members[found].astype(np.int64)

    def _permutation(self, group: int, epoch: int, count: int) -> Ints:
        known, order = self._kept.get(group, (-1, None))
        if order is None or known != epoch:
            order = philox(self.seed, group * ORDERS + epoch).permutation(count)
            self._kept[group] = epoch, order
        return order

    def _drawn(self, together: Together) -> NDArray[np.uint16]:
        """(steps,) group of each draw. More steps begin with the same groups."""
        random = philox(self.seed, GROUPS).random(self.steps) * self.n
        return np.searchsorted(together.edges[1:], random, side="right").astype(np.uint16)


class Fixed(Unmoved):
    """Independent slots from probabilities that were settled before training.

    For a static score (`band.probabilities()` after recording it), or for an oracle that knows
    the rare windows and the corrupt ones: the control that says whether a benchmark can tell
    samplers apart at all.

    Args:
        weights: (n,) at least 0, not all 0; divided by their sum.
        batch_size: Slots per draw, over all ranks.
        groups: int (n,) from 0: a draw is of one group, that of its first slot. Any windows may
            share one if None.
        others: As for `Unmoved`, without n.
    """

    def __init__(
        self,
        weights: ArrayLike,
        batch_size: int,
        *,
        groups: ArrayLike | None = None,
        **others: int,
    ) -> None:
        given = np.asarray(weights, np.float64)
        if given.ndim != 1 or not np.isfinite(given).all() or (given < 0).any() or given.sum() <= 0:
            raise ValueError(
                f"weights must be (n,), finite, at least 0 and not all 0, got shape {given.shape}"
            )
        super().__init__(len(given), batch_size, **others)
        self._p = given / given.sum()
        self._together = None if groups is None else Together(groups, len(given))
        ordered = self._p if self._together is None else self._p[self._together.order]
        self._edges = np.cumsum(ordered)

    def probabilities(self) -> Floats:
        """float64 (n,): the probability of each window in a slot."""
        return self._p.copy()

    def _draw(self, number: int) -> Draw:
        places = philox(self.seed, number).random(self.batch_size) * self._edges[-1]
        if self._together is not None:
            places = self._narrowed(places, self._together)
        ids = np.searchsorted(self._edges, places, side="right")
        if self._together is not None:
            ids = self._together.order[ids]
        return Draw(ids.tolist(), number, self._p[ids])

    def _narrowed(self, places: Floats, together: Together) -> Floats:
        """Leave the first place as it is and scale the others into the part of its group."""
        first = np.searchsorted(self._edges, places[0], side="right")
        group = int(together.of[together.order[first]])
        begins, ends = np.append(0.0, self._edges)[together.edges[group : group + 2]]
        inside = begins + places / self._edges[-1] * (ends - begins)
        inside = np.minimum(inside, np.nextafter(ends, begins))  # nothing is rounded out of it
        return np.append(places[:1], inside[1:])
