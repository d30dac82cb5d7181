"""Temporal localisation: where in a recording a class of events begins and ends."""

from typing import NamedTuple

import numpy as np

from bandpass.evaluation._arrays import Doubles, Floats, Integers, check_rows
from bandpass.evaluation.statistics import RESAMPLES, Estimate, interval, missing

TIOU = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Overlaps at which a proposal counts as found, as in THUMOS'14."""

LEVELS = tuple(np.arange(1, 20) / 20)
"""Thresholds on the probability that proposals are cut at, as shares of its range."""

FLANK = 0.25
"""Length of each flank that a proposal is compared with, of its own length."""

OVERLAP = 0.5
"""Of two proposals that overlap by more, the one of lower score is dropped."""


class Stretches(NamedTuple):
    """Half-open stretches of recordings.

    Attributes:
        recordings: Recording of each, (n,).
        starts: (n,), in any unit of time.
        stops: (n,), in the same unit.
    """

    recordings: Integers
    starts: np.ndarray
    stops: np.ndarray


def overlap(start: float, stop: float, starts: np.ndarray, stops: np.ndarray) -> Doubles:
    """Intersection over union of one stretch with each of (n,) others: (n,) in [0, 1]."""
    shared = np.minimum(stop, stops) - np.maximum(start, starts)
    union = np.maximum(stop, stops) - np.minimum(start, starts)
    # Of stretches that do not meet, "union" is the hull; their share is 0 either way.
    return np.maximum(shared, 0) / np.maximum(union, 1e-300)


def proposals(clips: Stretches, probabilities: Floats) -> tuple[Stretches, Doubles]:
    """Stretches that a probe, slid along recordings, holds for events; and their scores.

    Each clip stands for the time nearer to its centre than to that of any other. In every
    recording the probability is cut at ``LEVELS`` of its range; a run of clips at or above a
    level is a proposal. Its score is the mean probability inside less the mean in its two flanks
    (the outer-inner contrast of AutoLoc, Shou et al., ECCV 2018, section 3.3), so that of nested
    proposals the one wins that ends where the probability falls. Of two that overlap by more than
    ``OVERLAP`` the lower is dropped (greedy non-maximum suppression).

    Args:
        clips: Where the clips lie, at one stride; where two starts are further apart than the
            smallest distance in the recording, a run ends.
        probabilities: Of the event, (n,).

    Returns:
        The proposals of all recordings, and their scores in [-1, 1], (p,).
    """
    check_rows(len(probabilities), starts=clips.starts, stops=clips.stops)
    found: list[tuple[float, float, float, float]] = []
    for recording in np.unique(clips.recordings):
        rows = np.flatnonzero(clips.recordings == recording)
        rows = rows[np.argsort(clips.starts[rows], kind="stable")]
        centre = (clips.starts[rows] + clips.stops[rows]) / 2
        span = float(clips.stops[rows[0]] - clips.starts[rows[0]])
        found += [(float(recording), *each) for each in _of_one(centre, probabilities[rows], span)]
    table = np.array(found).reshape(-1, 4)
    where = Stretches(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])
    return where, table[:, 3]


def segment_ap(
    found: Stretches,
    scores: Floats,
    truth: Stretches,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Average precision of proposals for one class of events, as ActivityNet computes it.

    From the highest score down, a proposal is true if, of the events of its recording that no
    earlier one has taken, the one it overlaps most reaches the threshold; each event is taken
    once. Precision is interpolated (its maximum at any recall as high or higher). Recordings are
    resampled as wholes for the 95% interval.

    Args:
        found: The proposals.
        scores: Higher is surer, (p,); equal ones stand in the order given.
        truth: The events.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        Estimates ``segment_ap_at_0.1`` to ``segment_ap_at_0.5`` and their mean ``segment_ap``;
        ``count`` is the number of events. NaN with count 0 and a note when there is none.
    """
    check_rows(len(scores), recordings=found.recordings, starts=found.starts, stops=found.stops)
    names = [*(f"segment_ap_at_{level}" for level in TIOU), "segment_ap"]
    events = len(truth.recordings)
    if not events:
        return dict.fromkeys(names, missing("no event to find"))
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    ranked = Stretches(*(column[order] for column in found))
    hits = np.stack([_hits(ranked, truth, level) for level in TIOU])
    every = np.union1d(found.recordings, truth.recordings)
    place = np.searchsorted(every, ranked.recordings)
    count = np.bincount(np.searchsorted(every, truth.recordings), minlength=len(every))

    def statistic(weights: Doubles) -> Doubles:
        each = [_average_precision(weights[:, place], hit, weights @ count) for hit in hits]
        return np.stack([*each, np.mean(each, axis=0)], axis=1)

    value = statistic(np.ones((1, len(every))))[0]
    low, high = interval(
        statistic, np.arange(len(every)), strata=count > 0, resamples=resamples, seed=seed
    )
    if (count > 0).sum() < 2:
        low, high = np.full((2, len(names)), np.nan)
    note = "" if (count > 0).sum() > 1 else "the events lie in 1 recording: no interval"
    return {
        name: Estimate(float(value[k]), float(low[k]), float(high[k]), events, note)
        for k, name in enumerate(names)
    }


def _of_one(centre: Doubles, probability: Floats, span: float) -> list[tuple[float, float, float]]:
    """(start, stop, score) of the proposals of one recording, clips in time order."""
    steps = np.diff(centre)
    stride = float(steps.min()) if len(steps) else span
    broken = np.append(steps > 1.5 * stride, True)
    low, high = float(probability.min()), float(probability.max())
    runs: set[tuple[int, int]] = set()
    for level in LEVELS if high > low else ():
        above = probability >= low + level * (high - low)
        first = above & np.insert(~above[:-1] | broken[:-1], 0, True)
        last = above & (np.append(~above[1:], True) | broken)
        begins, ends = np.flatnonzero(first).tolist(), (np.flatnonzero(last) + 1).tolist()
        runs |= set(zip(begins, ends, strict=True))
    scored = [(_contrast(probability, a, b), a, b) for a, b in runs]
    kept: list[tuple[float, float, float]] = []
    for score, a, b in sorted(scored, key=lambda each: (-each[0], each[1], each[2])):
        start, stop = float(centre[a]) - stride / 2, float(centre[b - 1]) + stride / 2
        others = np.array(kept).reshape(-1, 3)
        if not (overlap(start, stop, others[:, 0], others[:, 1]) > OVERLAP).any():
            kept.append((start, stop, score))
    return kept


def _contrast(probability: Floats, first: int, last: int) -> float:
    """Mean inside less mean of the flanks; a recording that ends there has no flank."""
    flank = max(round(FLANK * (last - first)), 1)
    sides = (probability[max(first - flank, 0) : first], probability[last : last + flank])
    outside = np.concatenate(sides)
    return float(probability[first:last].mean() - (outside.mean() if len(outside) else 0))


def _hits(ranked: Stretches, truth: Stretches, level: float) -> np.ndarray:
    """(p,) bool: which proposals, best first, are true at a threshold."""
    taken = np.zeros(len(truth.recordings), bool)
    hits = np.zeros(len(ranked.recordings), bool)
    for row, (recording, start, stop) in enumerate(zip(*ranked, strict=True)):
        shares = overlap(float(start), float(stop), truth.starts, truth.stops)
        shares[taken | (truth.recordings != recording)] = -1
        best = int(shares.argmax())
        hits[row] = shares[best] >= level
        taken[best] |= hits[row]
    return hits


def _average_precision(weights: Doubles, hits: np.ndarray, events: Doubles) -> Doubles:
    """Interpolated average precision of (r, p) weighted proposals, best first: (r,)."""
    gained = weights * hits
    true, alarms = np.cumsum(gained, axis=1), np.cumsum(weights, axis=1)
    precision = true / np.maximum(alarms, 1e-300)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area = (gained * envelope).sum(axis=1)
    return np.divide(area, events, out=np.full(len(area), np.nan), where=events > 0)
