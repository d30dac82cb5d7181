"""Does a score find a slice of the windows? AUROC, enrichment at the top, slots under a policy.

A slice is a set of windows that somebody can name: labelled rare, one regime, one kind of injected
fault. Everything is asked of slice against rest, over the windows whose score is known.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from bandpass.evaluation._arrays import Booleans, Doubles, Floats, Integers, check_rows
from bandpass.evaluation.statistics import Estimate, interval, missing

TOPS = (0.1, 0.2, 0.3)
RESAMPLES = 200
"""Fewer than elsewhere: a report holds thousands of these, and none decides anything alone."""

LEAST = 20
"""Windows that a bucket must hold to have ranks of its own."""


class Enriched(NamedTuple):
    """How one score ranks one slice.

    Attributes:
        natural: Share of the windows that are of the slice.
        auroc: Chance that a window of the slice scores above one of the rest, ties counting half.
        tops: By share q of `TOPS`, enrichment there: the slice's share of the q highest scores
            over its natural share. 1 is no enrichment, 1 / natural or 1 / q the most there can be.
    """

    natural: float
    auroc: Estimate
    tops: dict[float, Estimate]


def enriched(
    scores: Floats,
    slices: Mapping[str, Booleans],
    groups: Integers,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Enriched]:
    """Measure how high a score ranks each slice, with block-bootstrap 95% intervals.

    One set of resamples serves all slices, and all scores that are measured with the same groups
    and seed, so their intervals are paired.

    Args:
        scores: Higher is more surprising, (n,). NaN is unknown and left out; infinities rank.
        slices: Membership by name, (n,) each; slices may overlap.
        groups: Block of each window, (n,), see `statistics.block_groups`.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        By slice. Estimates count its windows; a slice that is empty, or is everything, among the
        known scores has NaN with the reason, one that lies in a single block has no interval.

    Raises:
        ValueError: On shapes that do not match.
    """
    if scores.ndim != 1:
        raise ValueError(f"scores must have shape (n,), got {scores.shape}")
    check_rows(len(scores), groups=groups, **slices)
    known = ~np.isnan(scores)
    member = {name: inside[known] for name, inside in slices.items()}
    found = {name: _undetermined(inside) for name, inside in member.items()}
    able = [name for name, inside in member.items() if 0 < inside.sum() < len(inside)]
    if not able:
        return found
    inside = np.stack([member[name] for name in able], axis=1)
    statistic = _statistic(scores[known], inside.astype(np.float64))
    value = statistic(np.ones((1, len(inside))))[0]
    low, high = interval(statistic, groups[known], resamples=resamples, seed=seed)
    table = np.stack([value, low, high]).reshape(3, 1 + len(TOPS), len(able))
    for place, name in enumerate(able):
        blocks = len(np.unique(groups[known][member[name]]))
        found[name] = _enriched(table[:, :, place], member[name], blocks)
    return found


def rank_within(scores: Floats, buckets: Integers, least: int = LEAST) -> Doubles:
    """Rank of each score among those of its bucket, in (0, 1): what a sampler makes of it.

    A bucket with fewer than `least` known scores takes the rank among all, as the sampler borrows
    from the parent histogram of a thin bucket.

    Args:
        scores: (n,); NaN stays NaN, infinities rank.
        buckets: Bucket of each window, (n,).
        least: Known scores below which a bucket borrows.

    Returns:
        (n,) mid-ranks over the bucket's size: equal scores have equal ranks.
    """
    check_rows(len(scores), buckets=buckets)
    known = np.flatnonzero(~np.isnan(scores))
    ranks = np.full(len(scores), np.nan)
    ranks[known] = _mid_ranks(scores[known])
    order = known[np.argsort(buckets[known], kind="stable")]
    for bucket in np.split(order, np.flatnonzero(np.diff(buckets[order])) + 1):
        if len(bucket) >= least:
            ranks[bucket] = _mid_ranks(scores[bucket])
    return ranks


def slot_shares(p: Doubles, slices: Mapping[str, Booleans]) -> dict[str, float]:
    """Share of the slots that each slice takes when windows are drawn with probabilities p (n,)."""
    check_rows(len(p), **slices)
    return {name: float(p[inside].sum() / p.sum()) for name, inside in slices.items()}


def shuffled_interval(p: Doubles, inside: Booleans) -> tuple[float, float]:
    """95% interval of a slice's slot share under the same p, dealt to the wrong windows.

    The shuffles are all n rotations of p against the windows, which keep that neighbours are alike
    in both: its mean is the natural share, its width what chance does to runs of such length.
    All of them at once are one circular correlation.

    Args:
        p: Probabilities in the order of the windows in time, (n,).
        inside: Membership in the slice, (n,).
    """
    check_rows(len(p), inside=inside)
    spectrum = np.fft.rfft(p / p.sum()) * np.conj(np.fft.rfft(inside.astype(np.float64)))
    low, high = np.quantile(np.fft.irfft(spectrum, len(p)), [0.025, 0.975])
    return float(low), float(high)


def _statistic(scores: Floats, inside: Doubles) -> Callable[[Doubles], Doubles]:
    """AUROC, then enrichment at each of `TOPS`, of every slice: (r, n) to (r, 4 * slices)."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.append(0, np.flatnonzero(ranked[1:] != ranked[:-1]) + 1)
    tie = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(ranked))))
    inside = inside[order]

    def statistic(weights: Doubles) -> Doubles:
        drawn = weights[:, order]
        block = np.add.reduceat(drawn, starts, axis=1)
        below = np.cumsum(block, axis=1) - block
        total, part = drawn.sum(axis=1, keepdims=True), drawn @ inside
        # Slice against all, ties half, less slice against itself, which is always half.
        wins = (drawn * (below + block / 2)[:, tie]) @ inside - part**2 / 2
        found = [_over(wins, part * (total - part))]
        for top in TOPS:
            # Scores that are equal at the edge enter the top in part: no order among them.
            taken = np.clip(below + block - (1 - top) * total, 0, block)
            share = np.divide(taken, block, out=taken, where=block > 0)[:, tie]
            found.append(_over((drawn * share) @ inside, top * part))
        return np.concatenate(found, axis=1)

    return statistic


def _over(part: Doubles, whole: Doubles) -> Doubles:
    """Divide, NaN where `whole` is 0: a resample may lose a whole slice."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _mid_ranks(scores: Floats) -> Doubles:
    ranked = np.sort(scores)
    below, upto = (np.searchsorted(ranked, scores, side=side) for side in ("left", "right"))
    return (below + upto) / (2 * max(len(scores), 1))


def _undetermined(inside: Booleans) -> Enriched:
    count, total = int(inside.sum()), len(inside)
    nothing = missing(f"{count} of {total} windows are of the slice: nothing to rank")
    return Enriched(count / total if total else float("nan"), nothing, dict.fromkeys(TOPS, nothing))


def _enriched(table: Doubles, inside: Booleans, blocks: int) -> Enriched:
    """From (3, 4) values, lows and highs to estimates."""
    count, note = int(inside.sum()), ""
    if blocks < 2:
        table[1:], note = np.nan, "the slice lies in 1 block: no interval"
    rows = table.T.tolist()
    estimates = [Estimate(value, low, high, count, note) for value, low, high in rows]
    return Enriched(count / len(inside), estimates[0], dict(zip(TOPS, estimates[1:], strict=True)))
