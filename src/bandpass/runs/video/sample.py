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
    """Labelled stretches of the "action" track of which a side has clips.

    Attributes:
        where: Recordings, and rows relative to them.
        codes: (s,) class of each, into ``store.regimes``.
        groups: (s,) blocks for the bootstrap.
        shares: (s, n) float32: row s averages the clips whose centre lies in segment s or, of a
            segment that is shorter than the stride, the clip that it has most in common with.
    """

    where: Stretches
    codes: np.ndarray
    groups: np.ndarray
    shares: np.ndarray


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
    """Actions of which the sample has clips."""
    events, labels = events_of(sample.store, ACTION)
    codes = {name: code for code, name in enumerate(sample.store.regimes)}
    where, kept, shares = sample.where, list[int](), list[np.ndarray]()
    centre = (where.starts + where.stops) / 2
    for row, (series, start, stop) in enumerate(zip(*events, strict=True)):
        own = where.recordings == series
        inside = own & (start <= centre) & (centre < stop)
        if not inside.any():
            common = np.minimum(where.stops, stop) - np.maximum(where.starts, start)
            common = np.where(own, common, 0)
            inside = (common > 0) & (np.arange(len(own)) == common.argmax())
        if inside.any():
            kept.append(row)
            shares.append((inside / inside.sum()).astype(np.float32))
    found = Stretches(*(column[kept] for column in events))
    return Segments(
        where=found,
        codes=np.array([codes[labels[row]] for row in kept], np.int64),
        groups=block_groups(found.recordings, found.starts, BLOCK * sample.span),
        shares=np.array(shares, np.float32).reshape(len(kept), len(centre)),
    )


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
    """(n, length - 1) float32 mean absolute difference of each frame to the row before, levels."""
    motion = clips.store.column("signals")[:, SIGNALS.index("motion")]
    return np.nan_to_num(motion[rows[:, 1:]])


def corners(sample: Sample) -> dict[str, np.ndarray]:
    """(n,) bool each: the clips that averages hide."""
    slices = sample.clips.slices()
    motion = motion_of(sample.clips, sample.rows).mean(axis=1)
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
        "least motion": motion <= np.quantile(motion, 0.25),
    }


def clip_table(clips: Clips) -> list[Row]:
    """Rows of ``clips.parquet``: what is known of every clip that training could draw."""
    ids = np.arange(len(clips))
    motion = motion_of(clips, clips.rows(ids)).mean(axis=1)
    decile = np.minimum(10 * motion.argsort(kind="stable").argsort(kind="stable") // len(ids), 9)
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
