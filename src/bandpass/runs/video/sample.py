"""Clips that probes are fitted on or scored on, and what is known about them."""

from dataclasses import dataclass

import numpy as np

from bandpass.data.video.clips import Clips
from bandpass.data.video.rows import ACTION
from bandpass.data.video.signals import SIGNALS
from bandpass.data.video.store import ClipStore
from bandpass.evaluation import Stretches, block_groups
from bandpass.runs.tasks import Row, Side

MOST = 4000
"""Clips of a side at most; every k-th is taken, so that they lie at an even stride."""

BLOCK = 8
"""Clip lengths in one block of the bootstrap: overlapping clips are dependent."""

EDGE = 0.5
"""Clip lengths within which a labelled stretch begins or ends near a boundary clip."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Labelled stretches of the "action" track of which most lies on a side of the split.

    Attributes:
        where: Recordings, and rows relative to them: what lies on the side.
        codes: (s,) class of each, into ``store.regimes``.
        groups: (s,) blocks for the bootstrap.
        shares: (s, n) float32: row s averages the clips whose centre lies in segment s or, of a
            segment that is shorter than the stride, the clip that it has most in common with; 0
            everywhere if no clip has any part in it.
    """

    where: Stretches
    codes: np.ndarray
    groups: np.ndarray
    shares: np.ndarray

    @property
    def seen(self) -> "Segments":
        """Those that clips have a part in."""
        own = self.shares.any(axis=1)
        where = Stretches(*(column[own] for column in self.where))
        return Segments(where, self.codes[own], self.groups[own], self.shares[own])


@dataclass(frozen=True, eq=False)
class Sample:
    """Some clips of one side of the split, in store order.

    Attributes:
        clips: All clips of the side.
        ids: (n,) the chosen ones.
        rows: (n, length) rows of the store that they are made of.
        side: Labels, classes and blocks; ``targets`` is the state at the last frame, (n, k).
        where: (n,) recordings and rows relative to them.
    """

    clips: Clips
    ids: np.ndarray
    rows: np.ndarray
    side: Side
    where: Stretches

    @property
    def store(self) -> ClipStore:
        """Where the clips lie."""
        return self.clips.store

    @property
    def span(self) -> int:
        """Rows from the first to the last frame of a clip, both counted."""
        return int(self.rows[0, -1] - self.rows[0, 0]) + 1

    @property
    def asked(self) -> np.ndarray:
        """(n,) bool: in a recording with labelled actions, where none means none."""
        events = events_of(self.store, ACTION)[0]
        return np.isin(self.where.recordings, events.recordings)


def draw(clips: Clips) -> Sample:
    """Take every k-th clip, ``MOST`` at most."""
    ids = np.arange(0, len(clips), -(-len(clips) // MOST))
    rows, (series, starts) = clips.rows(ids), clips.locate(ids)
    span = int(rows[0, -1] - rows[0, 0]) + 1
    nothing = np.empty((len(ids), 0), np.float32)
    states = clips.states(ids) if clips.store.manifest["state"] else nothing
    side = Side(
        labels=clips.labels(ids),
        regimes=clips.regimes(ids),
        series=series,
        starts=starts,
        groups=block_groups(series, starts, BLOCK * span),
        targets=states,
        last=nothing,
    )
    return Sample(clips, ids, rows, side, Stretches(series, starts, starts + span))


def events_of(store: ClipStore, track: str) -> tuple[Stretches, np.ndarray]:
    """Labelled stretches of a track, rows relative to their recordings; and their labels."""
    table = store.events
    here = table["track"].to_numpy(zero_copy_only=False) == track
    columns = (table[name].to_numpy()[here] for name in ("series", "start", "stop"))
    return Stretches(*columns), table["label"].to_numpy(zero_copy_only=False)[here]


def segments_of(sample: Sample) -> Segments:
    """Actions on the sample's side of the split, cut to it; also those that no clip shows."""
    found, labels = _cut(*events_of(sample.store, ACTION), sample.clips)
    codes = {name: code for code, name in enumerate(sample.store.regimes)}
    where, shares = sample.where, list[np.ndarray]()
    centre = (where.starts + where.stops) / 2
    for series, start, stop in zip(*found, strict=True):
        own = where.recordings == series
        inside = own & (start <= centre) & (centre < stop)
        if not inside.any():
            common = np.minimum(where.stops, stop) - np.maximum(where.starts, start)
            common = np.where(own, common, 0)
            inside = (common > 0) & (np.arange(len(own)) == common.argmax())
        shares.append((inside / max(inside.sum(), 1)).astype(np.float32))
    return Segments(
        where=found,
        codes=np.array([codes[label] for label in labels], np.int64),
        groups=block_groups(found.recordings, found.starts, BLOCK * sample.span),
        shares=np.array(shares, np.float32).reshape(len(labels), len(centre)),
    )


def _cut(events: Stretches, labels: np.ndarray, clips: Clips) -> tuple[Stretches, np.ndarray]:
    """What lies of events on the side that clips are of, and their labels, if it is most of them.

    The rest is not for this side to know of: neither is a probe fitted on it, nor could a proposal
    reach it.
    """
    runs = [r for r in clips.store.segments.to_pylist() if clips.split in (None, r["split"])]
    first, last = (np.array([r[name] for r in runs], np.int64) for name in ("start", "stop"))
    of = np.array([r["series"] for r in runs], np.int64)
    kept, starts, stops = list[int](), list[int](), list[int]()
    for row, (series, start, stop) in enumerate(zip(*events, strict=True)):
        begin, end = np.maximum(first, start), np.minimum(last, stop)
        here = (of == series) & (begin < end)
        if 2 * (end - begin)[here].sum() > stop - start:
            kept.append(row)
            starts.append(int(begin[here].min()))
            stops.append(int(end[here].max()))
    found = Stretches(
        events.recordings[kept], np.array(starts, np.int64), np.array(stops, np.int64)
    )
    return found, labels[kept]


def marked(sample: Sample, track: str) -> np.ndarray:
    """(n,) int64: 1 if any frame of a clip lies in a stretch of a track, 0 if none does.

    -1 where nobody looked: the recording has no stretch of the track, or a frame is unlabelled.
    """
    events, _ = events_of(sample.store, track)
    inside = np.zeros(sample.store.rows, bool)
    offset = sample.store.series["offset"].to_numpy()
    for series, start, stop in zip(*events, strict=True):
        inside[offset[series] + start : offset[series] + stop] = True
    seen = np.isin(sample.where.recordings, events.recordings)
    seen &= (sample.store.column("label")[sample.rows] >= 0).all(axis=1)
    return np.where(seen, inside[sample.rows].any(axis=1), -1).astype(np.int64)


def motion_of(clips: Clips, rows: np.ndarray) -> np.ndarray:
    """(n, length - 1) float32 mean absolute difference of each frame to the row before, levels.

    NaN where one of the two is missing.
    """
    return clips.store.column("signals")[:, SIGNALS.index("motion")][rows[:, 1:]]


def mean_motion(clips: Clips, rows: np.ndarray) -> np.ndarray:
    """(n,) mean over each clip of what is known of `motion_of`; NaN where nothing is."""
    motion = motion_of(clips, rows)
    known = np.isfinite(motion)
    total = np.where(known, motion, 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def deciles(motion: np.ndarray) -> np.ndarray:
    """(n,) int64 tenth of the clips, 0 .. 9, by (n,) motion; -1 where it is not known.

    Equal motion is never parted, so that tenths may be of unequal size.
    """
    known = np.isfinite(motion)
    found = np.full(len(motion), -1, np.int64)
    if known.any():
        edges = np.quantile(motion[known], np.arange(1, 10) / 10)
        found[known] = np.searchsorted(edges, motion[known])
    return found


def corners(sample: Sample) -> dict[str, np.ndarray]:
    """(n,) bool each: the clips that averages hide."""
    slices = sample.clips.slices()
    motion = mean_motion(sample.clips, sample.rows)
    known = motion[np.isfinite(motion)]
    events, _ = events_of(sample.store, ACTION)
    centre = (sample.where.starts + sample.where.stops) / 2
    edge = np.zeros(len(centre), bool)
    for series, start, stop in zip(*events, strict=True):
        near = np.minimum(abs(centre - start), abs(centre - stop)) <= EDGE * sample.span
        edge |= near & (sample.where.recordings == series)
    return {
        "rare": slices["rare"][sample.ids],
        "corrupt": slices["corrupt"][sample.ids],
        "boundary": edge,
        "least motion": motion <= (np.quantile(known, 0.25) if len(known) else 0),
    }


def clip_table(clips: Clips) -> list[Row]:
    """Rows of ``clips.parquet``: what is known of every clip that training could draw."""
    ids = np.arange(len(clips))
    motion = mean_motion(clips, clips.rows(ids))
    decile = deciles(motion)
    series, starts = clips.locate(ids)
    names, kinds, slices = clips.store.series_names, [*clips.store.regimes, ""], clips.slices()
    labels, regimes = clips.labels(), clips.regimes()
    return [
        {
            "id": int(one),
            "series": names[series[one]],
            "start": int(starts[one]),
            "motion": float(motion[one]),
            "decile": int(decile[one]),
            "label": int(labels[one]),
            "regime": kinds[regimes[one]],
            "rare": bool(slices["rare"][one]),
            "corrupt": bool(slices["corrupt"][one]),
        }
        for one in ids
    ]
