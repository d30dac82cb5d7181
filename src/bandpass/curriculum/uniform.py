"""The plain baseline: every window equally often, in reshuffled epochs."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

from bandpass.curriculum.draws import Draw, Schedule, philox
from bandpass.curriculum.objective import observe, weighted_mean
from bandpass.curriculum.selection import group_shares
from bandpass.curriculum.settings import check_size


class Uniform(Sampler[Draw]):
    """Batches from reshuffled epochs: within an epoch every window comes exactly once.

    Batches always hold `batch_size` ids; one may span the end of an epoch. Draw k is a pure
    function of (seed, k), so the whole state is the draw counter and the draws in flight.

    Args:
        n: Number of windows, ids 0 .. n-1.
        batch_size: Ids per draw.
        steps: Draws in the whole run.
        seed: Selects the permutations.
    """

    def __init__(self, n: int, batch_size: int, *, steps: int, seed: int = 0) -> None:
        check_size(n, batch_size, seed)
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self._schedule = Schedule(steps)
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        """Batches that iterating now yields."""
        return len(self._schedule)

    def __iter__(self) -> Iterator[Draw]:
        """Draws in flight first, then new ones."""
        return self._schedule.run(self._draw)

    def step(self, draw: Draw, losses: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """Settle a draw and return the mean of its finite losses.

        Takes and checks the same arguments as `SurpriseBand.step`, so the two can be swapped.
        """
        self._schedule.check(draw)
        observed = observe(draw, losses, embeddings)
        loss = weighted_mean(losses, np.ones(len(draw)), observed.finite)
        self._schedule.settle(draw)
        return loss

    def probabilities(self) -> NDArray[np.float64]:
        """float64 (n,): the probability of each window in a slot, 1/n."""
        return np.full(self.n, 1 / self.n)

    def expected_shares(self, groups: NDArray[np.integer]) -> NDArray[np.float64]:
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
        if state["size"] != size:
            raise ValueError(f"the state was saved by a sampler of {state['size']}, this is {size}")
        self._schedule.load_state_dict(state["schedule"])

    def _draw(self, number: int) -> Draw:
        slots = number * self.batch_size + np.arange(self.batch_size)
        ids = np.empty(self.batch_size, dtype=np.int64)
        for epoch in range(slots[0] // self.n, slots[-1] // self.n + 1):
            here = slots // self.n == epoch
            ids[here] = self._permutation(epoch)[slots[here] % self.n]
        return Draw(ids.tolist(), number, np.full(self.batch_size, 1 / self.n))

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._order = philox(self.seed, epoch).permutation(self.n)
            self._epoch = epoch
        return self._order
