"""What a source yields: raw series, row by row, before anything is windowed or normalised."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

UNLABELLED, NORMAL, EVENT = -1, 0, 1
UNKNOWN_REGIME = -1


class DataError(ValueError):
    """Input that cannot be used as it is; the message names the place and the mend."""


@dataclass(frozen=True)
class Series:
    """One recording of one entity, in time order.

    Attributes:
        name: Unique within the source, e.g. ``machine-1-6/test``.
        entity: What was recorded (machine, well, rig); normalisation and buckets go by it.
        values: (rows, channels) float32, NaN where a value is missing.
        label: (rows,) int8: 1 event, 0 normal, -1 unlabelled.
        regime: (rows,) int16 index into the source's regimes, -1 unknown; None if it has none.
        corrupt: (rows,) int8, 0 clean, else 1 + index into ``corruption.KINDS``; None if clean.
        time: (rows,) int64 nanoseconds since the epoch, as read (gaps and disorder kept); None
            if the source has no clock and rows are equidistant.
        state: (rows, k) float32 exact latent state of a simulation; None otherwise.
        split: The split the publishers put the whole series in, or None for the source's rule.
        rare: Whether the store holds little of this entity on purpose; `Windows.slices` counts its
            windows as rare.
    """

    name: str
    entity: str
    values: np.ndarray
    label: np.ndarray
    regime: np.ndarray | None = None
    corrupt: np.ndarray | None = None
    time: np.ndarray | None = None
    state: np.ndarray | None = None
    split: str | None = None
    rare: bool = False


@dataclass(frozen=True)
class Split:
    """How a source is cut into ``train`` and ``test``.

    Attributes:
        by: ``"time"`` cuts every series at ``test_share`` from its end; ``"entity"`` and
            ``"series"`` send whole series to test when their entity or name is in ``test``.
        test_share: Share of the rows of a series that go to test when cutting by time.
        test: Names that go to test whole.
        embargo: Rows left unused between train and test inside one series.
    """

    by: str = "time"
    test_share: float = 0.4
    test: frozenset[str] = frozenset()
    embargo: int = 128


@dataclass(frozen=True)
class Schema:
    """Names of what a source yields: ``channels`` in column order, ``regimes`` in code order."""

    channels: tuple[str, ...]
    regimes: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """One public dataset, or the generator, or a user's folder.

    Attributes:
        name: What the command line calls it.
        title: One line on what was recorded.
        licence: Licence of the data, as its publishers state it.
        home: Where the original is downloaded.
        layout: The exact raw layout expected under ``--raw``.
        channels: Channel names in column order; empty if only ``schema`` can tell.
        regimes: Regime names in code order; empty if there are none or only ``schema`` can tell.
        read: ``read(raw, **options)`` yields the series in a fixed order.
        split: The default split.
        corrupt: Share of rows that `prepare` corrupts unless told otherwise.
        options: Option names that ``read`` takes, with a one-line help each. Values may be the text
            of a command line.
        discover: ``discover(raw, **options)`` finds the names where they depend on the files or the
            options; None where ``channels`` and ``regimes`` hold as they are.
    """

    name: str
    title: str
    licence: str
    home: str
    layout: str
    channels: tuple[str, ...]
    regimes: tuple[str, ...]
    read: Callable[..., Iterator[Series]]
    split: Split = Split()
    corrupt: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)
    discover: Callable[..., Schema] | None = None

    def schema(self, raw: Path, **options: object) -> Schema:
        """Channel and regime names of what ``read(raw, **options)`` yields."""
        if self.discover is None:
            return Schema(self.channels, self.regimes)
        return self.discover(raw, **options)
