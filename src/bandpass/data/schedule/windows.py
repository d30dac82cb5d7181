"""Schedule windows of one split, rebuilt from their runs on access."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from bandpass.data.batch import Batch, Ids
from bandpass.data.captions import Captions
from bandpass.data.corpus import Corpus
from bandpass.data.schedule import splits
from bandpass.data.schedule.record import UNDATED
from bandpass.data.schedule.store import KINDS, RECORD_WINDOW, ScheduleStore
from bandpass.data.schedule.tokens import DEADLINE, FEATURES, SLOTS
from bandpass.data.series import EVENT, NORMAL, DataError

SHAPES = ("moment", "span", "whole day", "quiet day", "busy day")
"""Of a record: one slot, several, all; of an actor_day: at most ``QUIET`` slots, or more."""

QUIET = 4

BUCKETS = ("none", "dataset", "shape")
_SIDES = {"train": splits.TRAIN, "test": splits.TEST}


@dataclass(frozen=True)
class ScheduleCut:
    """Which windows of a schedule store are looked at, and how they are split.

    Attributes:
        kind: "record", "actor_day" or "all".
        datasets: Names of the datasets; all of the store if empty.
        split: "random" holds out a tenth of the windows, "honest" people and the latest time.
        split_seed: Another one holds out others.
        timeless: Largest share of the windows that may be of whole datasets without a date or a
            time of day, such as an edge list; the rest of theirs is left out, drawn by
            ``split_seed``. Has no part in a corpus of nothing else.
        whole_days: Whether windows that say the same of every slot are among them: a holiday
            leaves nothing to predict.
    """

    kind: str = "all"
    datasets: tuple[str, ...] = ()
    split: str = splits.RANDOM
    split_seed: int = 0
    timeless: float = 0.05
    whole_days: bool = True

    def __post_init__(self) -> None:
        """Refuse what no store can give."""
        if self.kind not in (*KINDS, "all"):
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, all, got {self.kind!r}")
        if self.split not in splits.RULES:
            raise ValueError(f"split must be one of {', '.join(splits.RULES)}, got {self.split!r}")
        if self.split_seed < 0:
            raise ValueError(f"split_seed must be at least 0, got {self.split_seed}")
        if not 0 <= self.timeless <= 1:
            raise ValueError(f"timeless must be in [0, 1], got {self.timeless}")


class ScheduleWindows(Dataset[Batch]):
    """Every window of one side of a split, numbered from 0 in store order.

    Args:
        store: The store.
        split: ``"train"``, ``"test"`` or None for both, and those on neither side.
        cut: Which windows.

    Attributes:
        rows: (n,) int64 row of each window in ``store.windows``.

    Raises:
        DataError: If nothing is left.
    """

    length = stride = SLOTS
    parts: tuple[Corpus, ...] = ()
    bucket_kinds = BUCKETS
    captions: Captions | None = None

    def __init__(
        self, store: ScheduleStore, split: str | None, cut: ScheduleCut = ScheduleCut()
    ) -> None:
        if split not in (*_SIDES, None):
            raise DataError(f"split is {split!r}: use 'train', 'test' or None")
        self.store, self.split, self.settings = store, split, cut
        self.rows = self._chosen()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | np.integer | Ids) -> Batch:
        """Build one window or several; always a `Batch`."""
        return self.__getitems__([int(index)] if isinstance(index, int | np.integer) else index)

    def __getitems__(self, ids: Ids) -> Batch:
        """Build windows in the order asked for; a DataLoader calls this once per batch.

        Raises:
            IndexError: If an id is not in 0 .. len - 1.
        """
        given = np.asarray(ids, np.int64)
        if ((given < 0) | (given >= len(self))).any():
            raise IndexError(f"a window of {given} is not in 0 .. {len(self) - 1}")
        values = torch.empty(len(given), SLOTS, len(FEATURES))
        self.store.tokens(self.rows[given], values.numpy())
        observed = torch.ones(1, 1, 1, dtype=torch.bool).expand_as(values)
        context = None if self.captions is None else self.captions(ids)
        return Batch(values, observed, ids, context=context)

    @property
    def cut(self) -> tuple[object, ...]:
        """What beside the store determines the windows."""
        own = self.settings
        names = sorted(own.datasets)
        how = (own.split, own.split_seed, own.timeless, own.whole_days)
        return (self.split, own.kind, names, *how)

    def sketch(self, ids: Ids) -> Batch:
        """The windows themselves."""
        return self[ids]

    def look(self, window: int) -> tuple[list[str], np.ndarray]:
        """Names and (length, channels) values of what a person is shown of a window."""
        return self.store.channels, self.sketch([window]).values[0].numpy()

    def judge(self) -> tuple[np.ndarray, np.ndarray]:
        """No suspicion: what nobody measured cannot be a sensor's fault."""
        return np.zeros(len(self), np.float32), np.zeros(len(self), np.uint8)

    def about(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) of ``store.WINDOW``: all that is known of windows beside their tokens."""
        return self.store.windows[self.rows if ids is None else self.rows[np.asarray(ids)]]

    def locate(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Dataset, and day since 1970, of windows, each (B,) int64."""
        about = self.about(ids)
        return about["dataset"].astype(np.int64), about["day"].astype(np.int64)

    def places(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int64; an actor's days follow each other."""
        rows = self.rows if ids is None else self.rows[np.asarray(ids)]
        return rows * SLOTS

    def entities(self, ids: Ids | None = None) -> np.ndarray:
        """Dataset of windows, (B,) int64."""
        return self.about(ids)["dataset"].astype(np.int64)

    def labels(self, ids: Ids | None = None) -> np.ndarray:
        """1 where something has a deadline, 0 elsewhere; (B,) int8."""
        due = (self.about(ids)["what"] & DEADLINE) > 0
        return np.where(due, EVENT, NORMAL).astype(np.int8)

    def shapes(self, ids: Ids | None = None) -> np.ndarray:
        """Index into ``SHAPES``, (B,) int64."""
        about = self.about(ids)
        active = about["active"]
        record = np.select([active == 1, active < SLOTS], [0, 1], 2)
        return np.where(about["kind"] == RECORD_WINDOW, record, 3 + (active > QUIET))

    def slices(self) -> dict[str, np.ndarray]:
        """Windows with a deadline are rare, the others normal; none is known to be corrupt."""
        due = self.labels() == EVENT
        return {"rare": due, "corrupt": np.zeros(len(self), bool), "normal": ~due}

    def buckets(self, kind: str) -> tuple[np.ndarray, list[str]]:
        """What windows may be ranked within: (n,) int64 codes from 0, and the name of each.

        Args:
            kind: One of ``BUCKETS``; ``shape`` is dataset and shape together. Those that no window
                is of are left out.

        Raises:
            DataError: If there is no such kind.
        """
        if kind == "none":
            return np.zeros(len(self), np.int64), ["all"]
        if kind == "dataset":
            return _present(self.entities(), self.store.datasets)
        if kind == "shape":
            codes = self.entities() * len(SHAPES) + self.shapes()
            names = [f"{name}, {shape}" for name in self.store.datasets for shape in SHAPES]
            return _present(codes, names)
        raise DataError(f"bucket {kind!r} is none of {', '.join(BUCKETS)}")

    def classes(self, ids: Ids | None = None) -> dict[str, tuple[np.ndarray, Mapping[int, str]]]:
        """Codes of windows and their names: dataset, shape, and whether there is a deadline."""
        due = {EVENT: "deadline", NORMAL: "no deadline"}
        return {
            "dataset": (self.entities(ids), dict(enumerate(self.store.datasets))),
            "shape": (self.shapes(ids), dict(enumerate(SHAPES))),
            "label": (self.labels(ids), due),
        }

    def _chosen(self) -> np.ndarray:
        cut, about = self.settings, self.store.windows
        keep = np.ones(len(about), bool)
        if self.split is not None:
            keep &= splits.sides(about, cut.split, cut.split_seed) == _SIDES[self.split]
        if cut.kind != "all":
            keep &= about["kind"] == KINDS.index(cut.kind)
        if not cut.whole_days:
            keep &= (about["active"] < SLOTS) | (about["runs"] > 1)
        if cut.datasets:
            unknown = sorted(set(cut.datasets) - set(self.store.datasets))
            if unknown:
                known = ", ".join(self.store.datasets)
                raise DataError(f"no dataset {unknown[0]!r} in {self.store.path}: it has {known}")
            keep &= np.isin(about["dataset"], [self.store.datasets.index(n) for n in cut.datasets])
        rows = self._thin(np.flatnonzero(keep))
        if not len(rows):
            raise DataError(
                f"no window of {self.store.path} is left for split {self.split!r} of {cut}: take "
                "another kind, more datasets, or split=random"
            )
        return rows

    def _thin(self, rows: np.ndarray) -> np.ndarray:
        """Leave out what is too many of the windows that know no time."""
        dataset = self.store.windows["dataset"][rows]
        names, cap = self.store.datasets, self.settings.timeless
        timeless = np.isin(dataset, [names.index(n) for n in self._timeless()])
        timed = len(rows) - int(timeless.sum())
        most = int(timed * cap / (1 - cap)) if cap < 1 else len(rows)
        if not timed or len(rows) - timed <= most:
            return rows
        draw = np.random.default_rng([self.settings.split_seed, len(rows)])
        some = draw.choice(np.flatnonzero(timeless), most, replace=False)
        return np.sort(np.concatenate([rows[~timeless], rows[some]]))

    def _timeless(self) -> list[str]:
        """Datasets whose windows are all undated and say the same of every slot."""
        return [entry["name"] for entry in self.store.manifest["datasets"] if entry["timeless"]]


def _present(codes: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Number anew what occurs."""
    found, anew = np.unique(codes, return_inverse=True)
    return anew.reshape(-1).astype(np.int64), [names[code] for code in found]


def dated(about: np.ndarray) -> np.ndarray:
    """(B,) bool: which windows are of a day."""
    return about["day"] != UNDATED
