"""Several corpora as one: series, schedules and clips under one numbering and one policy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch.utils.data import Dataset

from bandpass.data.batch import Batch, Ids
from bandpass.data.corpus import Corpus
from bandpass.data.series import DataError
from bandpass.data.store import AnyStore

BUCKETS = ("none", "modality", "own")

MODALITY = "mixed"


@dataclass(frozen=True)
class Stores:
    """The stores that windows of several corpora come from, for those who name where one is from.

    Attributes:
        named: By the name of the part.
    """

    named: Mapping[str, AnyStore]

    modality = MODALITY

    @property
    def path(self) -> Path:
        """Of the first of them."""
        return next(iter(self.named.values())).path

    @cached_property
    def series_names(self) -> list[str]:
        """Of all, one after the other, each behind the name of its part."""
        return [f"{name}/{each}" for name, s in self.named.items() for each in s.series_names]

    @cached_property
    def entity_names(self) -> list[str]:
        """Of all, one after the other, each behind the name of its part."""
        return [f"{name}/{each}" for name, s in self.named.items() for each in s.entity_names]


class Mixed(Dataset[Batch]):
    """The windows of several corpora, numbered through from 0 in their order.

    Windows of different parts fit in no array together, so a batch is of one part: `groups` tells
    a sampler which windows may share one.

    Args:
        corpora: By name, at least two.
        own: Kind of bucket of each, for the buckets ``"own"``.

    Attributes:
        parts: The corpora, in order.
        names: Of the parts.

    Raises:
        DataError: If there are fewer than two.
    """

    bucket_kinds = BUCKETS
    captions: None = None

    def __init__(self, corpora: Mapping[str, Corpus], own: Mapping[str, str] = {}) -> None:
        if len(corpora) < 2:
            raise DataError(f"a mixed corpus needs at least two parts, got {list(corpora)}")
        self.names, self.parts = list(corpora), tuple(corpora.values())
        self._own = dict(own)
        self._edges = np.append(0, np.cumsum([len(part) for part in self.parts]))

    def __len__(self) -> int:
        return int(self._edges[-1])

    def __getitem__(self, index: int | np.integer | Ids) -> Batch:
        """Build one window or several; always a `Batch`."""
        return self.__getitems__([int(index)] if isinstance(index, int | np.integer) else index)

    def __getitems__(self, ids: Ids) -> Batch:
        """Build windows of one part in the order asked for.

        Raises:
            IndexError: If an id is not in 0 .. len - 1.
            DataError: If they are of several parts.
        """
        part, own = self._one(ids)
        return replace(self.parts[part][own], draw=ids, part=part)

    @cached_property
    def store(self) -> Any:
        """Where they come from, as `Stores`."""
        return Stores({n: part.store for n, part in zip(self.names, self.parts, strict=True)})

    @property
    def split(self) -> str | None:
        """That of the parts; None if they differ."""
        splits = {part.split for part in self.parts}
        return splits.pop() if len(splits) == 1 else None

    @property
    def length(self) -> int:
        """Rows of the longest windows."""
        return max(part.length for part in self.parts)

    @property
    def stride(self) -> int:
        """Of the part whose windows overlap most."""
        return min(part.stride * self.length // part.length for part in self.parts)

    @property
    def cut(self) -> tuple[object, ...]:
        """Cuts of the parts."""
        return tuple((n, *part.cut) for n, part in zip(self.names, self.parts, strict=True))

    @cached_property
    def groups(self) -> np.ndarray:
        """(n,) int64, part of each window."""
        return np.repeat(np.arange(len(self.parts)), np.diff(self._edges))

    def sketch(self, ids: Ids) -> Batch:
        """That of the part, which all of them must be of."""
        part, own = self._one(ids)
        return replace(self.parts[part].sketch(own), draw=ids, part=part)

    def look(self, window: int) -> tuple[list[str], np.ndarray]:
        """Names of the channels of one window and (time, channels) of their values."""
        part, own = self._one([window])
        return self.parts[part].look(int(own[0]))

    def judge(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) float32 in [0, 1], suspicion of a fault of the input, and the (n,) uint8 rule."""
        judged = [part.judge() for part in self.parts]
        return np.concatenate([f for f, _ in judged]), np.concatenate([rule for _, rule in judged])

    def locate(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Row of ``store.series_names`` and start of windows, each (B,) int64."""
        first = _offsets([len(part.store.series_names) for part in self.parts])
        series = self._told(ids, lambda number, own: self.parts[number].locate(own)[0])
        starts = self._told(ids, lambda number, own: self.parts[number].locate(own)[1])
        return series + first[self.groups[np.asarray(ids)]], starts

    def places(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int64 rows at which windows begin; those of different parts are never near."""
        ids = np.arange(len(self)) if ids is None else np.asarray(ids)
        found = self._told(ids, lambda number, own: self.parts[number].places(own))
        return found + self._apart[self.groups[ids]]

    def entities(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int64 index into ``store.entity_names``."""
        ids = np.arange(len(self)) if ids is None else np.asarray(ids)
        first = _offsets([len(part.store.entity_names) for part in self.parts])
        found = self._told(ids, lambda number, own: self.parts[number].entities(own))
        return found + first[self.groups[ids]]

    def labels(self, ids: Ids | None = None) -> np.ndarray:
        """(B,) int8: 1 event, 0 normal, -1 unlabelled."""
        ids = np.arange(len(self)) if ids is None else np.asarray(ids)
        return self._told(ids, lambda number, own: self.parts[number].labels(own)).astype(np.int8)

    def slices(self) -> dict[str, np.ndarray]:
        """(n,) bool each: which windows are ``rare``, ``corrupt`` and ``normal`` in their part."""
        found = [part.slices() for part in self.parts]
        return {name: np.concatenate([each[name] for each in found]) for name in found[0]}

    def buckets(self, kind: str) -> tuple[np.ndarray, list[str]]:
        """What windows may be ranked within: (n,) int64 codes from 0, and the name of each.

        Args:
            kind: ``none`` ranks all windows together, ``modality`` those of a part, ``own`` within
                the buckets that every part was given.

        Raises:
            DataError: If there is no such kind, or a part has none of its own.
        """
        if kind == "none":
            return np.zeros(len(self), np.int64), ["all"]
        if kind == "modality":
            return self.groups, self.names
        if kind != "own":
            raise DataError(f"bucket {kind!r} is none of {', '.join(BUCKETS)}")
        if missing := sorted(set(self.names) - set(self._own)):
            raise DataError(f"bucket 'own': no kind of bucket was given for {missing[0]}")
        found = [p.buckets(self._own[n]) for n, p in zip(self.names, self.parts, strict=True)]
        first = _offsets([len(names) for _, names in found])
        codes = [own + start for (own, _), start in zip(found, first, strict=True)]
        titles = [
            f"{n}: {each}"
            for n, (_, names) in zip(self.names, found, strict=True)
            for each in names
        ]
        return np.concatenate(codes), titles

    def classes(self, ids: Ids | None = None) -> dict[str, tuple[np.ndarray, Mapping[int, str]]]:
        """Modality of windows, and the classes of every part, of which others have none."""
        ids = np.arange(len(self)) if ids is None else np.asarray(ids)
        part = self.groups[ids]
        found: dict[str, tuple[np.ndarray, Mapping[int, str]]] = {
            "modality": (part, dict(enumerate(self.names)))
        }
        for number, corpus in enumerate(self.parts):
            here = part == number
            for kind, (own, names) in corpus.classes(ids[here] - self._edges[number]).items():
                codes, known = found.get(kind, (np.full(len(ids), NOTHING, np.int64), {}))
                codes = codes.copy()
                codes[here] = own.astype(np.int64) + number * SPREAD
                shown = {
                    code + number * SPREAD: f"{self.names[number]}: {n}"
                    for code, n in names.items()
                }
                found[kind] = codes, {**known, **shown, NOTHING: "other modality"}
        return found

    @cached_property
    def _apart(self) -> np.ndarray:
        """(parts,) rows that the places of each are moved by."""
        last = [int(part.places().max()) + part.length for part in self.parts]
        return _offsets([rows + 2 * self.length for rows in last])

    def _one(self, ids: Ids) -> tuple[int, np.ndarray]:
        """Part that all of these windows are of, and their numbers in it."""
        given = np.asarray(ids, np.int64)
        if len(given) and not 0 <= given.min() <= given.max() < len(self):
            raise IndexError(f"a window of {given} is not in 0 .. {len(self) - 1}")
        part = np.searchsorted(self._edges, given, side="right") - 1
        if len(given) and (part != part[0]).any():
            several = ", ".join(self.names[number] for number in np.unique(part))
            raise DataError(
                f"a batch is of one modality, these windows are of {several}: give the sampler "
                "groups=corpus.groups, or cut the ids with `apart`"
            )
        number = int(part[0]) if len(given) else 0
        return number, given - self._edges[number]

    def _told(self, ids: Ids, ask: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """Ask every part about its own windows; int64 in the order of ``ids``."""
        given = np.asarray(ids, np.int64)
        part, found = self.groups[given], np.empty(len(given), np.int64)
        for number in np.unique(part):
            here = part == number
            found[here] = ask(int(number), given[here] - self._edges[number])
        return found


NOTHING, SPREAD = -(1 << 40), 1 << 20  # codes of a class are far fewer in any one part


def groups(windows: Corpus) -> np.ndarray | None:
    """(n,) int64, which windows may share a batch; None if any may."""
    return cast(Mixed, windows).groups if windows.parts else None


def apart(windows: Corpus, ids: np.ndarray) -> list[np.ndarray]:
    """Cut ids wherever they go on in another part of the corpus: each piece makes a batch."""
    if not windows.parts or not len(ids):
        return [ids]
    edges = np.cumsum([len(part) for part in windows.parts])
    part = np.searchsorted(edges, ids, side="right")
    return np.split(ids, np.flatnonzero(np.diff(part)) + 1)


def _offsets(counts: list[int]) -> np.ndarray:
    """Where each begins when they stand one after the other."""
    return np.cumsum([0, *counts[:-1]])
