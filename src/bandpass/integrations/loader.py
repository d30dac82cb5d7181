"""From a dataset and a sampler to a loader whose batches keep the draw they came from."""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, Protocol

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, default_collate

from bandpass.curriculum import Draw, SurpriseBand


class Curriculum(Protocol):
    """What a loop needs of a sampler: `Uniform`, `SurpriseBand` and every other policy have it."""

    @property
    def steps(self) -> int:
        """Draws in the whole run."""
        ...

    @property
    def batch_size(self) -> int:
        """Slots per draw, over all ranks."""
        ...

    @property
    def world(self) -> int:
        """Ranks that a draw is dealt out to."""
        ...

    @property
    def rank(self) -> int:
        """Which of them this is."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Draw]: ...

    def step(self, draw: Draw, losses: Tensor) -> Tensor:
        """Record (B,) losses of a draw and return the scalar to differentiate."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resume needs, draws in flight included."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved sampler stood."""
        ...


class Draws(Sampler[Draw]):
    """A sampler as a trainer's loader sees it.

    Two things that loops do on their own would lose draws, so this hides them from the sampler:

    - Trainers count their progress in batches of the whole run, resumed or not: the length is
      that of the whole run, where a sampler's own length is what remains.
    - torchdata's loader takes a copy of the sampler when a batch is *dispatched* and puts it back
      on a resume: that is older than the losses recorded since. So it is given nothing to copy;
      the sampler's own `state_dict` holds the draws in flight.

    Args:
        sampler: Where the draws come from.
        skipped: Empty batches to yield first, for a trainer that will skip as many.
    """

    def __init__(self, sampler: Curriculum, skipped: int = 0) -> None:
        self.curriculum = sampler
        self._skipped = skipped

    def __len__(self) -> int:
        return self.curriculum.steps

    def __iter__(self) -> Iterator[Draw]:
        yield from repeat(Draw([], -1, np.empty(0)), self._skipped)
        yield from self.curriculum

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the sampler is saved by whoever saves the model."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


class WithDraw(Dataset[tuple[Any, Draw]]):
    """A map-style dataset that answers a draw with (batch, draw)."""

    def __init__(self, dataset: Dataset[Any], collate_fn: Callable[[Any], Any]) -> None:
        if isinstance(dataset, IterableDataset):
            raise TypeError(
                f"{type(dataset).__name__} is an IterableDataset: a sampler chooses windows by id, "
                "which a stream has none of; use pool mode, bandpass.curriculum.CandidatePool"
            )
        self.dataset = dataset
        self.collate_fn = collate_fn

    def __getitems__(self, draw: Draw) -> tuple[Any, Draw]:
        """Fetch and collate as a DataLoader does, and keep the draw."""
        fetch = getattr(self.dataset, "__getitems__", None)
        samples = fetch(draw) if fetch else [self.dataset[i] for i in draw]
        return self.collate_fn(samples), draw


def draw_loader(
    dataset: Dataset[Any],
    sampler: Curriculum,
    *,
    collate_fn: Callable[[Any], Any] = default_collate,
    loader: type[DataLoader[Any]] = DataLoader,
    **options: Any,
) -> DataLoader[tuple[Any, Draw]]:
    """Make a loader of (batch, draw) for any loop or trainer.

    Args:
        dataset: Map-style; window i of the sampler is `dataset[i]`.
        sampler: Draws the batches; make the loader once, a resume needs no other.
        collate_fn: Turns the list of samples (or what the dataset's own `__getitems__` returns)
            into the batch.
        loader: The class; torchdata's `StatefulDataLoader` works too.
        options: Of that class: `num_workers`, `pin_memory`, ...

    Raises:
        TypeError: `dataset` is iterable-style.
        ValueError: An option would skip draws on a resume.
    """
    if options.get("snapshot_every_n_steps", 1) != 1:
        raise ValueError(
            f"snapshot_every_n_steps is {options['snapshot_every_n_steps']}: a resume would skip "
            "the draws since the last snapshot; leave it at 1, a snapshot costs nothing here"
        )
    whole = WithDraw(dataset, collate_fn)
    return loader(whole, batch_sampler=Draws(sampler), collate_fn=_as_is, **options)


def check_world(sampler: Curriculum, rank: int, world: int) -> None:
    """Refuse a sampler that deals its draws out to other ranks than the trainer has.

    Raises:
        RuntimeError: Every rank would train on the whole draw, or on another's share.
    """
    if (sampler.rank, sampler.world) != (rank, world):
        raise RuntimeError(
            f"this is rank {rank} of {world}, the sampler was made for rank {sampler.rank} of "
            f"{sampler.world}: give it rank= and world="
        )


def figures(sampler: Curriculum) -> dict[str, float]:
    """What a trainer logs of a sampler: strength, effective sample share, windows held back."""
    if not isinstance(sampler, SurpriseBand):
        return {}
    return {
        "curriculum/lambda": sampler.lambda_,
        "curriculum/ess": sampler.ess,
        "curriculum/quarantined": float(len(sampler.quarantine())),
    }


def _as_is(batch: Any) -> Any:
    return batch
