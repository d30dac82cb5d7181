"""Some windows of a corpus under numbers of their own: a stream that is composed on purpose."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch.utils.data import Dataset

from bandpass.data.batch import Batch, Ids
from bandpass.data.captions import Captions
from bandpass.data.corpus import Corpus
from bandpass.data.series import DataError
from bandpass.data.store import AnyStore


class Subset(Dataset[Batch]):
    """Windows of a corpus, numbered from 0 in the order of ``ids``.

    Args:
        corpus: Where the windows are from; of one part.
        ids: (n,) int64, windows of it, ascending and each once.
        rare: (n,) bool, which of them count as rare in place of those the corpus names; windows
            that it names corrupt stay so.

    Raises:
        DataError: If there are none, they are not ascending windows of the corpus, ``rare`` is of
            others, or the corpus is mixed.
    """

    parts: tuple[Corpus, ...] = ()

    def __init__(self, corpus: Corpus, ids: np.ndarray, rare: np.ndarray | None = None) -> None:
        ids = np.asarray(ids, np.int64)
        if corpus.parts:
            raise DataError("a subset is of one corpus: take one of each part of a mixed one")
        if not len(ids) or (np.diff(ids) <= 0).any():
            raise DataError(f"a subset needs windows in ascending order, got {ids}")
        if ids[0] < 0 or ids[-1] >= len(corpus):
            raise DataError(f"windows {ids} of a subset are not all in 0 .. {len(corpus) - 1}")
        if rare is not None and (rare.shape != ids.shape or rare.dtype != bool):
            raise DataError(
                f"rare is {rare.dtype} {rare.shape}: it must hold a bool for each of the "
                f"{len(ids)} windows"
            )
        self.corpus, self.ids, self._rare = corpus, ids, rare

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int | np.integer | Ids) -> Batch:
        """Build one window or several; always a `Batch`."""
        return self.__getitems__([int(index)] if isinstance(index, int | np.integer) else index)

    def __getitems__(self, ids: Ids) -> Batch:
        """Build windows in the order asked for."""
        return replace(self.corpus[self._of(ids)], draw=ids)

    @property
    def captions(self) -> Captions | None:
        """Those of the corpus."""
        return self.corpus.captions

    @property
    def store(self) -> AnyStore:
        """Where they come from."""
        return self.corpus.store

    @property
    def split(self) -> str | None:
        """That of the corpus."""
        return self.corpus.split

    @property
    def length(self) -> int:
        """Rows of a window."""
        return self.corpus.length

    @property
    def stride(self) -> int:
        """That of the corpus; windows left out make gaps."""
        return self.corpus.stride

    @property
    def bucket_kinds(self) -> tuple[str, ...]:
        """Those of the corpus."""
        return self.corpus.bucket_kinds

    @property
    def cut(self) -> tuple[object, ...]:
        """The cut of the corpus, and a digest of which of its windows are here."""
        return (*self.corpus.cut, "subset", hashlib.sha256(self.ids.tobytes()).hexdigest()[:16])

    def sketch(self, ids: Ids) -> Batch:
        """Few channels that stand for each window in cheap looks."""
        return replace(self.corpus.sketch(self._of(ids)), draw=ids)

    def look(self, window: int) -> tuple[list[str], np.ndarray]:
        """Names and (length, channels) values of what a person is shown of a window."""
        return self.corpus.look(int(self.ids[window]))

    def judge(self) -> tuple[np.ndarray, np.ndarray]:
        """Suspicion of a fault and its rule, as among all windows of the corpus."""
        faults, rule = self.corpus.judge()
        return faults[self.ids], rule[self.ids]

    def locate(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Row of ``store.series_names`` and start of windows, each (B,) int64."""
        return self.corpus.locate(self._of(ids))

    def places(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int64 rows at which windows begin, all end to end."""
        return self.corpus.places(self._of(ids))

    def entities(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int64 index into ``store.entity_names``."""
        return self.corpus.entities(self._of(ids))

    def labels(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int8: 1 event, 0 normal, -1 unlabelled."""
        return self.corpus.labels(self._of(ids))

    def slices(self) -> dict[str, np.ndarray]:
        """(n,) bool each: which windows are ``rare``, ``corrupt`` and ``normal``."""
        found = {name: inside[self.ids] for name, inside in self.corpus.slices().items()}
        if self._rare is None:
            return found
        clean = found["rare"] | found["normal"]
        return found | {"rare": clean & self._rare, "normal": clean & ~self._rare}

    def buckets(self, kind: str) -> tuple[np.ndarray, list[str]]:
        """(n,) int64 codes of what windows may be ranked within, and the name of each code."""
        codes, names = self.corpus.buckets(kind)
        return codes[self.ids], names

    def classes(self, ids: Ids | None = None) -> dict[str, tuple[np.ndarray, Mapping[int, str]]]:
        """Codes of windows and their names, for each kind of class that is known."""
        return self.corpus.classes(self._of(ids))

    def _of(self, ids: Ids | None) -> np.ndarray:
        """Numbers in the corpus of windows here; of all if ``ids`` is None.

        Raises:
            IndexError: If an id is not in 0 .. len - 1.
        """
        if ids is None:
            return self.ids
        ids = np.asarray(ids, np.int64)
        outside = (ids < 0) | (ids >= len(self))
        if outside.any():
            raise IndexError(f"window {ids[outside][0]} is not in 0 .. {len(self) - 1}")
        return self.ids[ids]
