"""Rules that suspect a sensor fault from the input alone, without labels and without a model.

Every rule looks for what faults do to the texture of a signal and genuine events seldom do: gaps,
exact repeats, a stop, noise or silence on many channels at once, rows out of order. Levels,
amplitudes that grow and broken relations between channels are left out on purpose: they are what
rare events look like too (AUROC of events against normal windows .75-.86 on four sets), and a model
sees them better.

A rule compares every channel with its own usual in the entity, block by block, and adds up over
channels how unusual they are; its evidence is compared with that of the entity's own stream. Both
scales are taken from the bulk, because the stream that they are taken from holds faults too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bandpass.data.corpus import Corpus

RULES = ("missing", "stuck", "clipped", "noise", "scale", "clock")

BLOCKS = 8
"""Pieces of a window that are looked at one by one: a fault seldom fills a window."""

SAMPLE = 512
"""Windows of an entity that its usual is taken from."""

LEVELS = np.concatenate([np.linspace(0, 0.9, 19), [0.925, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995]])
SURPRISAL = -np.log1p(-LEVELS)

BULK, TAIL = 0.5, 0.9
"""Quantiles of a stream between which the decay of its evidence is measured."""

LEAST_DECAY = 2.0
"""Of evidence, per factor e: about one channel that is unusual by accident."""

TINY = 1e-4
NEVER = np.float32(-1e9)  # of what was not observed; nothing is less unusual
CHUNK_VALUES = 1 << 20


@dataclass(frozen=True)
class Usual:
    """What is usual in an entity.

    Attributes:
        levels: (5, LEVELS, channels) quantiles over blocks of every statistic but the clock's.
        step: (channels,) median absolute difference of neighbouring rows.
    """

    levels: np.ndarray
    step: np.ndarray


def usual(values: np.ndarray, observed: np.ndarray) -> Usual:
    """Take an entity's usual from a sample of its windows, faults among them.

    Args:
        values: (B, T, C) float32, T at least 3.
        observed: (B, T, C) bool.
    """
    steps, known = _steps(values, observed)
    found = _statistics(values, observed, steps, known)
    levels = np.quantile(found.reshape(len(found), -1, found.shape[-1]), LEVELS, axis=1)
    step = _median(np.abs(steps).reshape(-1, values.shape[2]), known.reshape(-1, values.shape[2]))
    return Usual(np.moveaxis(levels, 0, 1).astype(np.float32), step)


def evidence(values: np.ndarray, observed: np.ndarray, entity: Usual) -> np.ndarray:
    """How unusual windows of an entity are under every rule, (B, RULES) float32, at least 0.

    For all rules but ``clock``: minus the log of the share of blocks that are as extreme, summed
    over channels, mean of the two most unusual blocks. For ``clock``: the third highest of the
    blocks' largest joint jump (one or two jumps are an event, rows out of order are many), against
    what the window itself usually does.

    Args:
        values: (B, T, C) float32.
        observed: (B, T, C) bool.
        entity: Of all these windows.
    """
    steps, known = _steps(values, observed)
    out = np.empty((len(values), len(RULES)), np.float32)
    for rule, (found, levels) in enumerate(
        zip(_statistics(values, observed, steps, known), entity.levels, strict=True)
    ):
        blocks = np.zeros(found.shape[:2], np.float32)
        for channel in range(found.shape[2]):
            passed = np.searchsorted(levels[:, channel], found[..., channel], side="left")
            blocks += np.append(0, SURPRISAL).astype(np.float32)[passed]
        out[:, rule] = np.sort(blocks, axis=1)[:, -2:].mean(axis=1)
    size = np.where(known, np.abs(steps), 0)
    own = np.median(_blocks(size).mean(axis=2), axis=1)[:, None]
    jump = np.minimum(np.square(size / np.maximum(own, entity.step + TINY)), 50).mean(axis=2)
    highest = np.sort(_blocks(jump[..., None]).max(axis=2)[..., 0], axis=1)
    out[:, -1] = highest[:, -min(3, highest.shape[1])]
    return out


def suspicion(evidence: np.ndarray, entities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tail probability of evidence in the stream of its own entity, as one number.

    Beyond its bulk, evidence is taken to decay exponentially, as excesses over a threshold do
    (Pickands 1975); the probability p of the strongest rule is corrected for the number of rules
    (Bonferroni).

    Args:
        evidence: (n, RULES) of all windows.
        entities: (n,) int.

    Returns:
        1 - p, (n,) float32 in [0, 1], and the index of the strongest rule, (n,) uint8.
    """
    surprisal = np.zeros(evidence.shape)
    for entity in np.unique(entities):
        own = entities == entity
        bulk, tail = np.quantile(evidence[own], [BULK, TAIL], axis=0)
        decay = (tail - bulk) / np.log((1 - BULK) / (1 - TAIL))
        excess = (evidence[own] - tail) / np.maximum(decay, LEAST_DECAY)
        surprisal[own] = excess - np.log(1 - TAIL)
    p = np.minimum(len(RULES) * np.exp(-surprisal.max(axis=1)), 1)
    return (1 - p).astype(np.float32), surprisal.argmax(axis=1).astype(np.uint8)


def judge(windows: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """Suspicion and strongest rule of every window of a cut, as `suspicion` returns them."""
    entities = windows.entities()
    found = np.zeros((len(windows), len(RULES)), np.float32)
    for entity in np.unique(entities):
        ids = np.flatnonzero(entities == entity)
        sample = ids[np.linspace(0, len(ids) - 1, min(SAMPLE, len(ids))).astype(np.int64)]
        typical = usual(*_gather(windows, sample))
        for some in _chunks(windows, ids):
            found[some] = evidence(*_gather(windows, some), typical)
    return suspicion(found, entities)


def _statistics(
    values: np.ndarray, observed: np.ndarray, steps: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Of every block and channel, high where suspicious: (5, B, blocks, C) float32.

    In the order of ``RULES``: share missing, share of exact repeats, share held at the
    window's extremes, log of the mean second difference, minus log of the range.
    """
    missing = _blocks(~observed).mean(axis=2)
    pairs = _blocks(known).sum(axis=2)
    stuck = _blocks(known & (steps == 0)).sum(axis=2) / np.maximum(pairs, 1)
    high = np.where(observed, values, -np.inf)
    low = np.where(observed, values, np.inf)
    top, bottom = high.max(axis=1, keepdims=True), low.min(axis=1, keepdims=True)
    # An extreme that is held for rows, and is not all there is: an ordinary one comes once.
    edge = ((values == top) | (values == bottom)) & (bottom < top)
    clipped = _blocks(edge & known & (steps == 0)).mean(axis=2)
    bends = np.zeros_like(steps)
    bends[:, 1:] = steps[:, 1:] - steps[:, :-1]
    both = known.copy()
    both[:, 1:] &= known[:, :-1]
    both[:, 0] = False
    count = _blocks(both).sum(axis=2)
    bend = _blocks(np.where(both, np.abs(bends), 0)).sum(axis=2) / np.maximum(count, 1)
    noise = np.where(count > 0, np.log(bend + TINY), NEVER)
    width = _blocks(high).max(axis=2) - _blocks(low).min(axis=2)
    scale = np.where(pairs > 0, -np.log(np.maximum(width, 0) + TINY), NEVER)
    return np.stack([missing, stuck, clipped, noise, scale]).astype(np.float32)


def _steps(values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference to the row before and whether it is known, (B, T, C); unknown in row 0."""
    steps, known = np.zeros_like(values), np.zeros_like(observed)
    steps[:, 1:] = values[:, 1:] - values[:, :-1]
    known[:, 1:] = observed[:, 1:] & observed[:, :-1]
    return steps, known


def _blocks(rows: np.ndarray) -> np.ndarray:
    """View (B, T, C) as (B, blocks, rows, C); the first rows go where T is no multiple."""
    size = max(rows.shape[1] // BLOCKS, min(4, rows.shape[1]))
    count = rows.shape[1] // size
    return rows[:, rows.shape[1] - count * size :].reshape(len(rows), count, size, -1)


def _median(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Median of the known (N, C) values of each channel; 0 where none is."""
    some = (rows[known[:, channel], channel] for channel in range(rows.shape[1]))
    return np.array([np.median(column) if len(column) else 0.0 for column in some])


def _gather(windows: Corpus, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    batch = windows[ids]
    return batch.values.numpy(), batch.observed.numpy()


def _chunks(windows: Corpus, ids: np.ndarray) -> Iterator[np.ndarray]:
    step = max(CHUNK_VALUES // (windows.length * len(windows.store.channels)), 1)
    for first in range(0, len(ids), step):
        yield ids[first : first + step]
