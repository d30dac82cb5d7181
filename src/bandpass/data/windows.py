"""Windows of a store, built on access: position i is a series, a start row, and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from bandpass.data.batch import Batch, Ids
from bandpass.data.captions import Captions
from bandpass.data.corpus import Corpus
from bandpass.data.corruption import KINDS
from bandpass.data.gather import Normalizer, gather, most_frequent, sliding
from bandpass.data.numbering import Numbering, Skipped
from bandpass.data.series import EVENT, NORMAL, UNKNOWN_REGIME, UNLABELLED, DataError
from bandpass.data.store import Store

CHUNK = 1 << 14
"""Windows described at a time, so that memory does not grow with the number asked about."""

BUCKETS = ("none", "entity", "series", "regime", "weak-regime")

CORRUPT = 0.25
"""Share of injected rows from which a window counts as corrupt."""

LABELS = {UNLABELLED: "unlabelled", NORMAL: "normal", EVENT: "event"}


class Windows(Dataset[Batch]):
    """Every window of one split, numbered from 0 in store order.

    A window never leaves its run of rows, so it lies neither across a split nor across a large
    gap of the clock. Ids are stable: they depend on the store, length, stride and split alone.

    Args:
        store: The store.
        length: Rows per window, at least 1.
        stride: Rows from one start to the next in a run, at least 1.
        split: ``"train"``, ``"test"`` or None for both.
        normalize: ``"entity"`` centres and scales by ``store.moments``, ``"none"`` leaves the
            values as recorded.
        clip: Normalised values are cut to -clip .. clip; has no part in ``"none"``.

    Raises:
        DataError: If an argument is out of range or no run is as long as a window.
    """

    parts: tuple[Corpus, ...] = ()
    bucket_kinds = BUCKETS
    captions: Captions | None = None

    def __init__(
        self,
        store: Store,
        length: int,
        stride: int,
        split: str | None,
        normalize: str = "entity",
        clip: float = 10.0,
    ) -> None:
        if normalize not in ("entity", "none"):
            raise DataError(f"normalize is {normalize!r}: use 'entity' or 'none'")
        self.store, self.length, self.stride, self.split = store, length, stride, split
        self.normalize, self.clip = normalize, clip
        self._numbering = Numbering(store, length, stride, split)
        self._entity = store.entity_of_series[self._numbering.series]
        self._normalizer = (
            Normalizer(*store.moments, length, clip) if normalize == "entity" else None
        )
        self._views: dict[str, np.ndarray] = {}

    @property
    def skipped(self) -> list[Skipped]:
        """The runs that are too short for a window."""
        return self._numbering.skipped

    def __len__(self) -> int:
        return len(self._numbering)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_views": {}}  # every loader worker maps the columns itself

    def __getitem__(self, index: int | np.integer | Ids) -> Batch:
        """Gather one window or several; always a `Batch`."""
        return self.__getitems__([int(index)] if isinstance(index, int | np.integer) else index)

    def __getitems__(self, ids: Ids) -> Batch:
        """Gather windows in the order asked for; a DataLoader calls this once per batch.

        Raises:
            IndexError: If an id is not in 0 .. len - 1.
        """
        run, at = self._numbering.rows(ids)
        view, entity = self._view("values"), self._entity[run]
        complete = not self.store.missing
        values, observed = gather(view, at, entity, self._normalizer, complete=complete)
        shape = (len(at), self.length, -1)
        context = None if self.captions is None else self.captions(ids)
        return Batch(values.view(shape), observed.view(shape), ids, context=context)

    @property
    def cut(self) -> tuple[object, ...]:
        """What beside the store determines the windows."""
        return (self.length, self.stride, self.split, self.normalize, self.clip)

    def sketch(self, ids: Ids) -> Batch:
        """The windows themselves: their channels are few."""
        return self[ids]

    def look(self, window: int) -> tuple[list[str], np.ndarray]:
        """Names and (length, channels) values of what a person is shown of a window."""
        return self.store.channels, self.sketch([window]).values[0].numpy()

    def judge(self) -> tuple[np.ndarray, np.ndarray]:
        """Suspicion of a sensor's fault, and its strongest rule; see `faults.judge`."""
        from bandpass.data.faults import judge  # which reads windows

        return judge(self)

    def locate(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Where windows are: row of ``store.series`` and start row in it, each (B,) int64."""
        return self._numbering.locate(ids)

    def places(self, ids: Ids | None = None) -> np.ndarray:
        """Row of the store's columns that windows start at, all series end to end, (B,) int64."""
        return self._describe(ids, np.int64, lambda some: self._numbering.rows(some)[1])

    def entities(self, ids: Ids | None = None) -> np.ndarray:
        """Index into ``store.entity_names``, (B,) int64; of all windows if ``ids`` is None."""
        return self._describe(
            ids, np.int64, lambda some: self._entity[self._numbering.rows(some)[0]]
        )

    def labels(self, ids: Ids | None = None) -> np.ndarray:
        """1 if any row is an event, else 0 if any row is labelled normal, else -1; (B,) int8."""
        return self._describe(ids, np.int8, lambda some: self._codes("label", some).max(axis=1))

    def regimes(self, ids: Ids | None = None) -> np.ndarray:
        """Most frequent known regime, the lowest code among equals, -1 if none; (B,) int16."""
        return self._describe(
            ids, np.int16, lambda some: most_frequent(self._codes("regime", some), UNKNOWN_REGIME)
        )

    def corruptions(self, ids: Ids | None = None) -> np.ndarray:
        """Most frequent kind of corruption, the lowest among equals, 0 if clean; (B,) int8."""
        return self._describe(
            ids, np.int8, lambda some: most_frequent(self._codes("corrupt", some), 0)
        )

    def slices(self) -> dict[str, np.ndarray]:
        """Which windows are what a curriculum is judged by; no window is in two, some in none.

        Returns:
            (n,) bool each, over all windows. ``rare``: of an entity that the store was prepared to
            hold little of or, where it has no such entity, with a row that is labelled an event;
            no row of it is injected. ``corrupt``: a quarter of its rows or more are injected.
            ``normal``: no event, not of a rare entity, and no injected row; an unlabelled window
            counts as normal.
        """
        injected = self._describe(
            None, np.float32, lambda some: np.mean(self._codes("corrupt", some) > 0, axis=1)
        )
        event = self.labels() == EVENT
        few = np.isin(self.entities(), self.store.rare_entities)
        rare, clean = few if few.any() else event, injected == 0
        return {
            "rare": clean & rare,
            "corrupt": injected >= CORRUPT,
            "normal": clean & ~event & ~few,
        }

    def buckets(self, kind: str) -> tuple[np.ndarray, list[str]]:
        """What windows may be ranked within: (n,) int64 codes from 0, and the name of each.

        Args:
            kind: One of ``BUCKETS``. ``regime`` goes by the store's regimes, windows of unknown
                regime together in the last bucket; ``weak-regime`` guesses without labels and, at
                first use, describes all windows (`ingest.describe`).

        Raises:
            DataError: If there is no such kind, or no regime is known in the store.
        """
        if kind == "none":
            return np.zeros(len(self), np.int64), ["all"]
        if kind == "entity":
            return self.entities(), self.store.entity_names
        if kind == "series":
            codes = self._describe(None, np.int64, lambda some: self.locate(some)[0])
            return codes, self.store.series_names
        if kind == "regime":
            codes = self.regimes().astype(np.int64)
            if codes.max() == UNKNOWN_REGIME:
                raise DataError(f"{self.store.path} knows no regime: use bucket weak-regime")
            names = [*self.store.regimes, "unknown"]
            return np.where(codes == UNKNOWN_REGIME, len(names) - 1, codes), names
        if kind == "weak-regime":
            from bandpass.data.ingest import WEAK_REGIMES, describe  # which are made of windows

            return describe(self).regime.astype(np.int64), list(WEAK_REGIMES)
        raise DataError(f"bucket {kind!r} is none of {', '.join(BUCKETS)}")

    def classes(self, ids: Ids | None = None) -> dict[str, tuple[np.ndarray, Mapping[int, str]]]:
        """Codes of windows and their names, for each kind of class that the store knows.

        Returns:
            Of ``regime``, ``label`` and ``corrupt`` those of which any row is known: the (B,)
            codes, and the name of every code that may occur.
        """
        regimes = {UNKNOWN_REGIME: "unknown"} | dict(enumerate(self.store.regimes))
        known = {
            "regime": (self.regimes, regimes),
            "label": (self.labels, LABELS),
            "corrupt": (self.corruptions, dict(enumerate(["clean", *KINDS]))),
        }
        counts = self.store.manifest["rows_by_code"]
        nothing = {"regime": UNKNOWN_REGIME, "label": UNLABELLED, "corrupt": 0}
        return {
            kind: (codes(ids), names)
            for kind, (codes, names) in known.items()
            if any(int(code) != nothing[kind] for code in counts[kind])
        }

    def states(self, ids: Ids) -> np.ndarray:
        """Exact latent state of a simulation at the last row of each window, (B, k) float32.

        Raises:
            StoreError: If the store has no states.
        """
        return self.store.column("state")[self._numbering.rows(ids)[1] + self.length - 1]

    def _view(self, name: str) -> np.ndarray:
        if name not in self._views:
            self._views[name] = sliding(self.store.column(name), self.length)
        return self._views[name]

    def _codes(self, name: str, ids: Ids) -> np.ndarray:
        return self._view(name)[self._numbering.rows(ids)[1]]

    def _describe(
        self, ids: Ids | None, dtype: type, describe: Callable[[Ids], np.ndarray]
    ) -> np.ndarray:
        """Describe windows a chunk at a time."""
        total = len(self) if ids is None else len(ids)
        out = np.empty(total, dtype)
        for first in range(0, total, CHUNK):
            last = min(first + CHUNK, total)
            out[first:last] = describe(range(first, last) if ids is None else ids[first:last])
        return out
