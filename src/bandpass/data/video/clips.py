"""Clips of a video store, built on access: a clip is a recording, a start, a length and a step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch.utils.data import Dataset

from bandpass.data.batch import Batch, Ids
from bandpass.data.captions import Captions
from bandpass.data.corpus import Corpus
from bandpass.data.gather import most_frequent, sliding
from bandpass.data.numbering import Numbering, Skipped
from bandpass.data.series import EVENT, NORMAL, UNKNOWN_REGIME, UNLABELLED, DataError
from bandpass.data.video.corruption import KINDS
from bandpass.data.video.marks import MARKS, MOTION, mark_bins, motion_bins
from bandpass.data.video.signals import SIGNALS, usual
from bandpass.data.video.store import ClipStore

CHUNK = 1 << 14
"""Clips described at a time, so that memory does not grow with the number asked about."""

BUCKETS = ("none", "entity", "series", "regime", "weak-regime", "motion", "mark")

CORRUPT = 0.25
"""Share of corrupt frames from which a clip counts as corrupt."""

LABELS = {UNLABELLED: "unlabelled", NORMAL: "normal", EVENT: "event"}

LEVELS = 255.0


@dataclass(frozen=True)
class ClipCut:
    """What clips have and windows of series have not.

    Attributes:
        spacing: Rows of the store from one frame of a clip to the next.
    """

    spacing: int = 1

    def __post_init__(self) -> None:
        """Refuse what no clip can have."""
        if self.spacing < 1:
            raise ValueError(f"spacing must be at least 1, got {self.spacing}")


class Clips(Dataset[Batch]):
    """Every clip of one split, numbered from 0 in store order.

    A clip never leaves its run of frames, so it lies neither across a split nor across a gap.

    Args:
        store: The store.
        length: Frames of a clip.
        stride: Rows of the store from one start to the next.
        split: ``"train"``, ``"test"`` or None for both.
        normalize: ``"entity"`` takes the recording's background off and divides by the deviation of
            its entity, so that what moves is what is left; ``"none"`` gives levels from -.5 to .5.
        cut: How far apart the frames are.

    Raises:
        DataError: If an argument is out of range or no run is as long as a clip.
    """

    parts: tuple[Corpus, ...] = ()
    bucket_kinds = BUCKETS
    captions: Captions | None = None
    clip = 10.0

    def __init__(
        self,
        store: ClipStore,
        length: int,
        stride: int,
        split: str | None,
        normalize: str = "entity",
        cut: ClipCut = ClipCut(),
    ) -> None:
        if normalize not in ("entity", "none"):
            raise DataError(f"normalize is {normalize!r}: use 'entity' or 'none'")
        self.store, self.length, self.stride, self.split = store, length, stride, split
        self.normalize, self.settings = normalize, cut
        self._numbering = Numbering(store, (length - 1) * cut.spacing + 1, stride, split)
        self._entity = store.entity_of_series[self._numbering.series]
        self._complete = not store.manifest["missing"]

    def __len__(self) -> int:
        return len(self._numbering)

    def __getitem__(self, index: int | np.integer | Ids) -> Batch:
        """Gather one clip or several; always a `Batch`."""
        return self.__getitems__([int(index)] if isinstance(index, int | np.integer) else index)

    def __getitems__(self, ids: Ids) -> Batch:
        """Gather clips in the order asked for; a DataLoader calls this once per batch.

        Raises:
            IndexError: If an id is not in 0 .. len - 1.
        """
        run, at = self._numbering.rows(ids)
        values = torch.from_numpy(self._frames(at)).float()
        if self.normalize == "none":
            values.div_(LEVELS).sub_(0.5)
        else:
            background = self._backgrounds[torch.from_numpy(self._numbering.series[run])]
            deviation = self._deviations[torch.from_numpy(self._entity[run])]
            values.sub_(background[:, None]).div_(deviation[:, None, None])
            values.clamp_(-self.clip, self.clip)
        context = None if self.captions is None else self.captions(ids)
        if self._complete:
            return Batch(values, _TRUE.expand_as(values), ids, context=context)
        there = torch.from_numpy(self._codes("missing", at) == 0)[..., None]
        return Batch(values.mul_(there), there.expand_as(values), ids, context=context)

    @property
    def cut(self) -> tuple[object, ...]:
        """What beside the store determines the clips."""
        return (self.length, self.stride, self.split, self.normalize, self.settings.spacing)

    @property
    def skipped(self) -> list[Skipped]:
        """The runs that are too short for a clip."""
        return self._numbering.skipped

    def rows(self, ids: Ids) -> np.ndarray:
        """Rows of the store's columns that clips are made of, (B, length) int64."""
        return self._numbering.rows(ids)[1][:, None] + self._offsets

    def sketch(self, ids: Ids) -> Batch:
        """Signals of the clips' frames, standardised by entity: (B, length, signals)."""
        run, at = self._numbering.rows(ids)
        centre, scale = self._usual
        entity = self._entity[run]
        signals = self.store.column("signals")[at[:, None] + self._offsets]
        values = (signals - centre[entity][:, None]) / scale[entity][:, None]
        observed = np.isfinite(values)
        values = np.clip(np.where(observed, values, 0), -self.clip, self.clip)
        return Batch(torch.from_numpy(values.astype(np.float32)), torch.from_numpy(observed), ids)

    def look(self, window: int) -> tuple[list[str], np.ndarray]:
        """Names and (length, channels) values of what a person is shown of a window."""
        return list(SIGNALS), self.sketch([window]).values[0].numpy()

    def judge(self) -> tuple[np.ndarray, np.ndarray]:
        """Suspicion of a fault of camera or file, and its rule; see `faults.judge_clips`."""
        from bandpass.data.video.faults import judge_clips

        signals = self.store.column("signals")
        return judge_clips(signals, self.rows(np.arange(len(self))), self.entities())

    def locate(self, ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """Where clips are: row of ``store.series`` and start row in it, each (B,) int64."""
        return self._numbering.locate(ids)

    def places(self, ids: Ids | None = None) -> np.ndarray:
        """Row of the store's columns that clips start at, (B,) int64."""
        return self._numbering.rows(np.arange(len(self)) if ids is None else ids)[1]

    def entities(self, ids: Ids | None = None) -> np.ndarray:
        """Index into ``store.entity_names``, (B,) int64."""
        return self._entity[self._numbering.rows(np.arange(len(self)) if ids is None else ids)[0]]

    def labels(self, ids: Ids | None = None) -> np.ndarray:
        """1 if any frame is an event, else 0 if any is labelled normal, else -1; (B,) int8."""
        return self._describe("label", ids, lambda codes: codes.max(axis=1))

    def regimes(self, ids: Ids | None = None) -> np.ndarray:
        """Most frequent known class of the frames, -1 if none; (B,) int16."""
        return self._describe("regime", ids, lambda codes: most_frequent(codes, UNKNOWN_REGIME))

    def corruptions(self, ids: Ids | None = None) -> np.ndarray:
        """Most frequent kind of corruption, 0 if clean; (B,) int8."""
        return self._describe("corrupt", ids, lambda codes: most_frequent(codes, 0))

    def slices(self) -> dict[str, np.ndarray]:
        """Which clips are what a curriculum is judged by, as `Windows.slices` says."""
        injected = self._describe("corrupt", None, lambda codes: (codes > 0).mean(axis=1))
        event, clean = self.labels() == EVENT, injected == 0
        return {"rare": clean & event, "corrupt": injected >= CORRUPT, "normal": clean & ~event}

    def buckets(self, kind: str) -> tuple[np.ndarray, list[str]]:
        """What clips may be ranked within: (n,) int64 codes from 0, and the name of each.

        Args:
            kind: One of ``BUCKETS``. ``motion`` goes by how much moves in the clip, in its entity;
                ``mark`` by the first of ``marks.MARKS`` that a frame of it has.

        Raises:
            DataError: If there is no such kind, or no class is known in the store.
        """
        if kind == "none":
            return np.zeros(len(self), np.int64), ["all"]
        if kind == "entity":
            return self.entities(), self.store.entity_names
        if kind == "series":
            return self.locate(np.arange(len(self)))[0], self.store.series_names
        if kind == "regime":
            codes = self.regimes().astype(np.int64)
            if codes.max() == UNKNOWN_REGIME:
                raise DataError(f"{self.store.path} has no labelled stretches: use bucket motion")
            names = [*self.store.regimes, "unknown"]
            return np.where(codes == UNKNOWN_REGIME, len(names) - 1, codes), names
        if kind == "weak-regime":
            from bandpass.data.ingest import WEAK_REGIMES, describe  # which are made of clips

            return describe(self).regime.astype(np.int64), list(WEAK_REGIMES)
        if kind in ("motion", "mark"):
            return self._bins(kind)
        raise DataError(f"bucket {kind!r} is none of {', '.join(BUCKETS)}")

    def classes(self, ids: Ids | None = None) -> dict[str, tuple[np.ndarray, Mapping[int, str]]]:
        """Codes of clips and their names, for each kind of class that the store knows."""
        regimes = {UNKNOWN_REGIME: "unknown"} | dict(enumerate(self.store.regimes))
        known = {
            "regime": (self.regimes, regimes, UNKNOWN_REGIME),
            "label": (self.labels, LABELS, UNLABELLED),
            "corrupt": (self.corruptions, dict(enumerate(["clean", *KINDS])), 0),
        }
        counts = self.store.manifest["rows_by_code"]
        return {
            kind: (codes(ids), names)
            for kind, (codes, names, nothing) in known.items()
            if any(int(code) != nothing for code in counts[kind])
        }

    def states(self, ids: Ids) -> np.ndarray:
        """Known state at the last frame of each clip, (B, k) float32, NaN where it is not known.

        Raises:
            StoreError: If the store has no states.
        """
        return self.store.column("state")[self.rows(ids)[:, -1]]

    def _bins(self, kind: str) -> tuple[np.ndarray, list[str]]:
        rows = self.rows(np.arange(len(self)))
        if kind == "mark":
            return mark_bins(self.store.marks, rows), [*MARKS, "none"]
        return motion_bins(self.store.column("signals"), rows, self.entities()), list(MOTION)

    @cached_property
    def _offsets(self) -> np.ndarray:
        return np.arange(self.length) * self.settings.spacing

    @cached_property
    def _backgrounds(self) -> torch.Tensor:
        """(recordings, values of a frame) float32."""
        backgrounds = self.store.column("backgrounds")
        return torch.from_numpy(backgrounds.reshape(len(backgrounds), -1).copy())

    @cached_property
    def _deviations(self) -> torch.Tensor:
        return torch.from_numpy(self.store.deviations)

    @cached_property
    def _usual(self) -> tuple[np.ndarray, np.ndarray]:
        """Median and robust deviation of every signal in each entity, (entities, signals) each.

        Over the train rows of an entity; over all of them only if it has none.
        """
        signals, train = self.store.column("signals"), self.store.train_rows
        entity = np.repeat(self.store.entity_of_series, self.store.series["rows"].to_numpy())
        each = (entity == one for one in range(len(self.store.entity_names)))
        found = [usual(signals[own & train if train[own].any() else own]) for own in each]
        return np.stack([centre for centre, _ in found]), np.stack([scale for _, scale in found])

    def _frames(self, at: np.ndarray) -> np.ndarray:
        """(B, length, values of a frame) uint8."""
        if self.settings.spacing == 1 and self.store.cached:  # one copy a clip
            frames = sliding(self.store.column("frames"), self.length)[at]
        else:
            frames = self.store.frames_of((at[:, None] + self._offsets).ravel())
        return frames.reshape(len(at), self.length, -1)

    def _codes(self, name: str, at: np.ndarray) -> np.ndarray:
        return self.store.column(name)[at[:, None] + self._offsets]

    def _describe(
        self, name: str, ids: Ids | None, reduce: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Reduce the codes of clips, a chunk at a time."""
        at = self.places(ids)
        parts = [
            reduce(self._codes(name, at[first : first + CHUNK]))
            for first in range(0, max(len(at), 1), CHUNK)
        ]
        return np.concatenate(parts)


_TRUE = torch.ones(1, dtype=torch.bool)
