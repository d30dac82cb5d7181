"""What training asks of any corpus: series, schedules and clips are one to it."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from bandpass.data.batch import Batch, Ids
from bandpass.data.captions import Captions
from bandpass.data.store import AnyStore


@runtime_checkable
class Corpus(Protocol):
    """Windows of one split of a store, numbered from 0 and built on access."""

    @property
    def parts(self) -> tuple["Corpus", ...]:
        """Corpora that it is made of, of which a batch holds one alone; none if it is one."""

    @property
    def captions(self) -> Captions | None:
        """What a text target asks and is told, if it was given; batches carry it then."""

    @property
    def store(self) -> AnyStore:
        """Where they come from."""

    @property
    def split(self) -> str | None:
        """``"train"``, ``"test"`` or None for both."""

    @property
    def length(self) -> int:
        """Rows of a window."""

    @property
    def stride(self) -> int:
        """Rows from one window to the next."""

    @property
    def bucket_kinds(self) -> tuple[str, ...]:
        """What `buckets` takes."""

    @property
    def cut(self) -> tuple[object, ...]:
        """What beside the store determines the windows, ready for JSON."""

    def __len__(self) -> int:
        """Number of windows."""

    def __getitem__(self, index: int | np.integer | Ids) -> Batch:
        """Build one window or several."""

    def __getitems__(self, ids: Ids) -> Batch:
        """Build windows in the order asked for."""

    def sketch(self, ids: Ids) -> Batch:
        """Few channels that stand for each window in cheap looks; often the window itself."""

    def look(self, window: int) -> tuple[list[str], np.ndarray]:
        """Names and (length, channels) values of what a person is shown of a window."""

    def judge(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) float32 in [0, 1], suspicion of a fault of the input, and the (n,) uint8 rule."""

    def locate(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Row of ``store.series_names`` and start of windows, each (B,) int64."""

    def places(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int64 rows at which windows begin, all end to end; of all if ``ids`` is None."""

    def entities(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int64 index into ``store.entity_names``."""

    def labels(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int8: 1 event, 0 normal, -1 unlabelled."""

    def slices(self) -> dict[str, np.ndarray]:
        """(n,) bool each: which windows are ``rare``, ``corrupt`` and ``normal``."""

    def buckets(self, kind: str) -> tuple[np.ndarray, list[str]]:
        """(n,) int64 codes of what windows may be ranked within, and the name of each code."""

    def classes(self, ids: Ids | None = None) -> dict[str, tuple[np.ndarray, Mapping[int, str]]]:
        """Codes of windows and their names, for each kind of class that is known."""
