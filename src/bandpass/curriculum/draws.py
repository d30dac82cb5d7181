"""One drawn batch, and the account of which draws still await their losses."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray


class Draw(list[int]):
    """The window ids of one batch, with what a sampler must know when its losses come back.

    It is a plain list, so any dataset can be indexed with it, and it pickles whole, so it can
    travel through loader workers and back.

    Attributes:
        number: Position of this batch in the run, from 0.
        p: float64 (B,), the exact probability with which each id was drawn for its slot.
    """

    number: int
    p: NDArray[np.float64]

    def __init__(self, ids: Iterable[int], number: int, p: NDArray[np.float64]) -> None:
        super().__init__(ids)
        self.number = number
        self.p = p

    def to(self, *args: object, **kwargs: object) -> "Draw":
        """Itself: loops that move a batch to a device meet the draw in it."""
        return self

    def share(self, rank: int, world: int) -> "Draw":
        """The slots of one of `world` ranks: every world-th, from `rank` on."""
        return self if world == 1 else Draw(self[rank::world], self.number, self.p[rank::world])


class _Key(ISeedSequence):
    """Gives a generator its key as it is, where `Philox(key=...)` would ask for entropy first."""

    def __init__(self, seed: int, number: int) -> None:
        self._words = (seed, number)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        return np.array(self._words[:n_words], dtype)


def philox(seed: int, number: int) -> np.random.Generator:
    """A random stream that is a pure function of (seed, number): nothing to save or restore."""
    return np.random.Generator(np.random.Philox(_Key(seed, number)))  # type: ignore[arg-type]


class Schedule:
    """Counts draws up to `steps` and keeps those in flight: drawn, but not yet stepped.

    A loader with workers draws several batches ahead of the one being trained on. Whoever
    iterates again (after a resume, or after breaking out of a loop) is first given the draws
    in flight, in their order, so that no batch is lost or drawn twice.

    Args:
        steps: Draws in the whole run.
        rank: Which of the ranks this is.
        world: Number of ranks; each is yielded its share of every draw.
    """

    def __init__(self, steps: int, rank: int = 0, world: int = 1) -> None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        self.steps = steps
        self.drawn = 0
        self._rank, self._world = rank, world
        self._in_flight: dict[int, Draw] = {}

    def __len__(self) -> int:
        """Batches that iterating now would yield: the steps that remain."""
        return self.steps - self.drawn + len(self._in_flight)

    def run(self, draw: Callable[[int], Draw]) -> Iterator[Draw]:
        """Yield this rank's share of the draws in flight, then of new ones by `draw(number)`."""
        for waiting in list(self._in_flight.values()):
            yield waiting.share(self._rank, self._world)
        while self.drawn < self.steps:
            made = draw(self.drawn)
            self._in_flight[made.number] = made
            self.drawn += 1
            yield made.share(self._rank, self._world)

    def check(self, draw: Draw) -> Draw:
        """The whole draw, over all ranks, that `draw` is this rank's share of.

        Raises:
            TypeError: `draw` is not a Draw.
            ValueError: It was stepped before, was never drawn here, or holds other ids.
        """
        if not isinstance(draw, Draw):
            raise TypeError(
                f"step() needs the Draw that the sampler yielded, got {type(draw).__name__}: "
                "let the dataset hand it on with the batch, or make the loader with "
                "bandpass.integrations.draw_loader"
            )
        known = self._in_flight.get(draw.number)
        if known is None:
            raise ValueError(
                f"draw {draw.number} is not in flight: it has been stepped already or comes "
                f"from another sampler (in flight: {list(self._in_flight)})"
            )
        if known.share(self._rank, self._world) != draw:
            raise ValueError(f"draw {draw.number} holds other ids than those drawn: {draw[:8]}...")
        return known

    def narrow(self, kept: Draw) -> None:
        """Replace a draw in flight by what a candidate pool kept of it.

        Raises:
            ValueError: There is no such draw, it did not hold these ids, or it is shared by ranks.
        """
        known = self._in_flight.get(kept.number)
        if known is None or self._world > 1 or not set(kept) <= set(known):
            raise ValueError(
                f"draw {kept.number} cannot be narrowed to {kept[:8]}...: it is not in flight, "
                "holds other ids, or is shared by several ranks"
            )
        self._in_flight[kept.number] = kept

    def settle(self, number: int) -> None:
        """Take a draw out of flight."""
        del self._in_flight[number]

    def state_dict(self) -> dict[str, Any]:
        """Draw counter and the draws in flight with their exact probabilities."""
        flying = self._in_flight.values()
        return {
            "drawn": self.drawn,
            "numbers": [draw.number for draw in flying],
            "ids": [list(draw) for draw in flying],
            "p": [torch.tensor(draw.p) for draw in flying],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a saved account; `steps` stays as constructed, so a run can be extended."""
        if state["drawn"] > self.steps:
            raise ValueError(f"the state has {state['drawn']} draws, this run only {self.steps}")
        self.drawn = state["drawn"]
        flying = zip(state["numbers"], state["ids"], state["p"], strict=True)
        self._in_flight = {number: Draw(ids, number, p.numpy()) for number, ids, p in flying}
