"""Labelled corruption for every source, injected series by series while a store is prepared."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any
from zlib import crc32

import numpy as np

from bandpass.data.corruption import KINDS, inject
from bandpass.data.series import DataError, Series

OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "corrupt": "share of rows to give labelled sensor faults, 0 to 0.5 (0; plant: 0.02)",
        "corrupt_seed": "of these faults (0)",
        "corrupt_kinds": f"which of them, separated by commas (all: {','.join(KINDS)})",
    }
)
"""Options that `prepare` takes beside those of a source, with a one-line help each."""


@dataclass(frozen=True)
class Injection:
    """What to inject.

    Attributes:
        corrupt: Share of the rows of every series, in [0, 0.5].
        corrupt_seed: Faults of a series depend on this, its name and its values alone.
        corrupt_kinds: Of ``corruption.KINDS``, separated by commas.

    Raises:
        DataError: If one is out of range.
    """

    corrupt: float = 0.0
    corrupt_seed: int = 0
    corrupt_kinds: str = ",".join(KINDS)

    def __post_init__(self) -> None:
        if not 0 <= self.corrupt <= 0.5:  # not a number is refused too
            raise DataError(f"option corrupt={self.corrupt}: must be in [0, 0.5]")
        if self.corrupt_seed < 0:
            raise DataError(f"option corrupt_seed={self.corrupt_seed}: must not be negative")
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise DataError(
                f"option corrupt_kinds names {unknown[0]!r}: must be some of {', '.join(KINDS)}"
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds, one by one."""
        return tuple(self.corrupt_kinds.split(","))

    def __call__(self, series: Series) -> Series:
        """Return the series with its faults, and with the rows they touch labelled.

        Raises:
            DataError: If the source has labelled corruption of its own already.
        """
        if not self.corrupt:
            return series
        if series.corrupt is not None:
            raise DataError(
                f"series {series.name!r} has labelled corruption already: leave option corrupt out"
            )
        if series.values.ndim != 2:
            return series  # the writer says what is wrong with it
        generator = np.random.default_rng([self.corrupt_seed, crc32(series.name.encode())])
        values, corrupt = inject(series.values, self.corrupt, generator, kinds=self.kinds)
        return replace(series, values=values, corrupt=corrupt)

    def entry(self) -> dict[str, Any]:
        """What the manifest keeps: enough to inject the same again."""
        return asdict(self) | {"corrupt_kinds": list(self.kinds)}
