"""The windows that probes are fitted on and scored on, and what is known of them without a model.

The same for every arm and seed of a benchmark, so it is found once and kept for the process.
"""

from dataclasses import dataclass

import numpy as np
import torch

from bandpass.bench.declared import Benchmark
from bandpass.bench.stream import Corpora
from bandpass.data import Corpus, DataError
from bandpass.data.features import glance
from bandpass.evaluation import block_groups
from bandpass.scoring import frozen

MOST = 2000
"""Windows of a side at most: up to a third of them rare, the others spread evenly over the side."""

FOLDS = 5
"""Folds that series are dealt to in turn where folds leave out series."""

BLOCK = 4
"""Window lengths in a block of time."""

UNKNOWN = -1
SIGNS = {"change-point": "change", "spike": "max_abs_z", "missing": "missing"}
"""Readouts of a window's own signs, and the mark of `features.glance` that each is of."""

SHIFT, STRAYS = 0, len(SIGNS)
"""Columns of the signs."""


@dataclass(frozen=True, eq=False)
class Side:
    """Windows, and what is known of them.

    Attributes:
        windows: The corpus that they are of.
        ids: (n,) of it.
        rare: (n,) bool.
        normal: (n,) bool.
        corrupt: (n,) bool.
        classes: (n,) int64 code of the declared kind of class, or 1 for rare and 0 for other clean
            windows; ``UNKNOWN`` where there is none.
        event: (n,) int8: 1 event, 0 normal, -1 unlabelled.
        series: (n,) int64.
        places: (n,) int64 first row, all series end to end; of days, an actor's follow each other.
        future: (n, k) float64 means over the last quarter of what is read out; NaN where missing.
        last: (n, k) the last values before it.
        signs: (n, s) of the whole window, see ``SIGNS``; log scale, the last is how far the
            channels stray from how they usually go together.
    """

    windows: Corpus
    ids: np.ndarray
    rare: np.ndarray
    normal: np.ndarray
    corrupt: np.ndarray
    classes: np.ndarray
    event: np.ndarray
    series: np.ndarray
    places: np.ndarray
    future: np.ndarray
    last: np.ndarray
    signs: np.ndarray

    @property
    def blocks(self) -> np.ndarray:
        """(n,) int64 block in time of each window; ``UNKNOWN`` across a border.

        Two windows of different blocks share no row.
        """
        rows = BLOCK * self.windows.length
        across = self.places % rows > rows - self.windows.length
        return np.where(across, UNKNOWN, block_groups(self.series, self.places, rows))

    @property
    def slices(self) -> dict[str, np.ndarray]:
        """(n,) bool each, what is read out apart; of windows within one block.

        Beside rare and normal windows the tenth of the clean ones with the largest change of level,
        and the tenth whose channels go together least, unless all are alike in that.
        """
        whole = self.blocks != UNKNOWN
        clean = self.clean & whole
        found = {"rare": self.rare & whole, "normal": self.normal & whole}
        for name, column in {"regime shift": SHIFT, "corner case": STRAYS}.items():
            sign = self.signs[:, column]
            if clean.any() and sign[clean].min() < sign[clean].max():
                found[name] = clean & (sign >= np.quantile(sign[clean], 0.9))
        return found

    @property
    def clean(self) -> np.ndarray:
        """(n,) bool, rare or normal."""
        return self.rare | self.normal


@dataclass(frozen=True, eq=False)
class Asked:
    """Both sides, and which windows are fitted on when which are scored.

    Attributes:
        fit: Side that probes are fitted on.
        test: Side that they are scored on.
        folds: (n,) bool of ``fit`` and (m,) bool of ``test`` for every fold.
        names: Of the readouts in ``Side.signs``.
    """

    fit: Side
    test: Side
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    names: tuple[str, ...] = (*SIGNS, "cross-channel")


def ask(benchmark: Benchmark, corpora: Corpora, past: int) -> Asked:
    """Choose the windows and look at them.

    Args:
        benchmark: Says what is rare, and what the folds leave out.
        corpora: Of the benchmark.
        past: Rows of a window before the part that has to be foreseen.

    Raises:
        DataError: If the declared kind of class is not known, or there is one series where folds
            leave out series.
    """
    usual = _usual(corpora.fit)
    fit = _side(benchmark, corpora.fit, past, usual)
    if benchmark.folds == "series":
        fold = np.unique(fit.series, return_inverse=True)[1] % FOLDS
        if not fold.any():
            raise DataError(
                f"folds of {benchmark.name} leave out series, and {corpora.fit.store.path} has one"
            )
        return Asked(fit, fit, tuple((fold != one, fold == one) for one in np.unique(fold)))
    test = _side(benchmark, corpora.test, past, usual)
    whole = np.ones(len(fit.ids), bool), np.ones(len(test.ids), bool)
    return Asked(fit, test, (whole,))


def _side(benchmark: Benchmark, windows: Corpus, past: int, usual: "_Usual") -> Side:
    whole = windows.slices()
    rare = _evenly(np.flatnonzero(whole["rare"]), MOST // 3)
    others = _evenly(np.flatnonzero(~whole["rare"]), MOST - len(rare))
    ids = np.union1d(rare, others)
    slices = {name: inside[ids] for name, inside in whole.items()}
    future: list[np.ndarray] = []
    last: list[np.ndarray] = []
    signs: list[np.ndarray] = []
    for first in range(0, len(ids), frozen.BATCH):
        batch = windows.sketch(ids[first : first + frozen.BATCH])
        ahead, before = slice(past, None), slice(past)
        future.append(frozen.mean_rows(batch.values[:, ahead], batch.observed[:, ahead]))
        last.append(frozen.last_rows(batch.values[:, before], batch.observed[:, before]))
        seen = glance(batch.values, batch.observed).marks
        shown = [torch.log(seen[mark] + 1e-2).numpy() for mark in SIGNS.values()]
        signs.append(np.stack([*shown, usual.strays(batch.values)], axis=1))
    return Side(
        windows=windows,
        ids=ids,
        rare=slices["rare"],
        normal=slices["normal"],
        corrupt=slices["corrupt"],
        classes=_classes(benchmark, windows, ids, slices),
        event=windows.labels(ids),
        series=windows.locate(ids)[0],
        places=windows.places(ids),
        future=np.concatenate(future).astype(np.float64),
        last=np.concatenate(last).astype(np.float64),
        signs=np.concatenate(signs).astype(np.float64),
    )


def _evenly(ids: np.ndarray, most: int) -> np.ndarray:
    """At most so many of some ids, at even distances."""
    return ids[np.linspace(0, len(ids) - 1, min(len(ids), most)).astype(np.int64)]


def _classes(
    benchmark: Benchmark, windows: Corpus, ids: np.ndarray, slices: dict[str, np.ndarray]
) -> np.ndarray:
    clean = slices["rare"] | slices["normal"]
    if not benchmark.classes:
        return np.where(clean, slices["rare"].astype(np.int64), UNKNOWN)
    known = windows.classes(ids)
    if benchmark.classes not in known:
        raise DataError(
            f"benchmark {benchmark.name}: no classes {benchmark.classes!r} are known in "
            f"{windows.store.path}: {', '.join(known) or 'none'}"
        )
    codes = known[benchmark.classes][0].astype(np.int64)
    return np.where(clean, codes, UNKNOWN)


class _Usual:
    """How the channels usually go together: the main directions of rows."""

    def __init__(self, rows: torch.Tensor) -> None:
        self._mean = rows.mean(dim=0)
        values, vectors = torch.linalg.eigh(
            torch.cov((rows - self._mean).T).reshape(rows.shape[1], -1)
        )
        keep = int((values.flip(0).cumsum(0) < 0.9 * values.sum()).sum()) + 1
        keep = max(min(keep, len(values) - 1), 1)  # all of them would leave nothing to stray in
        self._axes = vectors[:, -keep:]

    def strays(self, values: torch.Tensor) -> np.ndarray:
        """(B,) log of the mean squared part of rows that no main direction explains."""
        centred = values - self._mean
        rest = centred - centred @ self._axes @ self._axes.T
        return torch.log(rest.square().mean(dim=(1, 2)) + 1e-4).numpy()


def _usual(windows: Corpus) -> _Usual:
    some = _evenly(np.arange(len(windows)), 500)
    return _Usual(windows.sketch(some).values.flatten(0, 1))
