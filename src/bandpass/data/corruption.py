"""Labelled sensor faults: what a broken gauge, wire or logger does to good measurements.

Every fault is a pure function of a (rows, channels) episode, the channels it hits, and a
generator; it returns a new array. ``inject`` scatters episodes of all kinds over a recording and
says which rows it touched, so that a curriculum can be held to account for what it trains on.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

Fault = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]

CLEAN = 0
SHORTEST, LONGEST = 20, 100  # rows of an episode


def dropout(
    episode: np.ndarray, channels: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Lose most of the samples: four in five read as missing."""
    out = episode.copy()
    lost = generator.random((len(out), len(channels))) < 0.8
    lost[0] = True  # an episode changes something even where the dice say otherwise
    out[:, channels] = np.where(lost, np.nan, out[:, channels])
    return out


def stuck(episode: np.ndarray, channels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Freeze at the first value: a gauge that hangs, a logger that repeats."""
    out = episode.copy()
    out[:, channels] = out[0, channels]
    return out


def noise_burst(
    episode: np.ndarray, channels: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Add white noise of 2 to 5 standard deviations: electrical interference."""
    out = episode.copy()
    size = generator.uniform(2.0, 5.0) * spread(episode[:, channels])
    out[:, channels] += size * generator.standard_normal((len(out), len(channels)))
    return out


def permutation(
    episode: np.ndarray, channels: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Swap the channels in a cycle: wires plugged into each other's place."""
    out = episode.copy()
    out[:, channels] = episode[:, np.roll(channels, 1)]
    return out


def scale(episode: np.ndarray, channels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Multiply by 3 to 10, or by the inverse: a wrong unit or gain."""
    out = episode.copy()
    factor = generator.uniform(3.0, 10.0)
    out[:, channels] *= factor if generator.random() < 0.5 else 1.0 / factor
    return out


def clock(episode: np.ndarray, channels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shuffle short blocks of rows in time: a logger that sends its packets out of order."""
    out = episode.copy()
    blocks = np.array_split(np.arange(len(out)), max(2, len(out) // 8))
    order = generator.permutation(len(blocks))
    if np.array_equal(order, np.arange(len(blocks))):
        order = np.roll(order, 1)
    rows = np.concatenate([blocks[i] for i in order])
    out[:, channels] = episode[np.ix_(rows, channels)]
    return out


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "dropout": dropout,
        "stuck": stuck,
        "noise-burst": noise_burst,
        "permutation": permutation,
        "scale": scale,
        "clock": clock,
    }
)
KINDS = tuple(FAULTS)


def spread(values: np.ndarray) -> np.ndarray:
    """(channels,) standard deviation over rows; 1 where a channel is constant or all missing."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    centred = np.where(known, values - np.where(known, values, 0).sum(0) / count, 0)
    deviation = np.sqrt((centred**2).sum(0) / count)
    return np.where(deviation > 0, deviation, 1.0).astype(values.dtype)


def inject(
    values: np.ndarray,
    rate: float,
    generator: np.random.Generator,
    *,
    kinds: tuple[str, ...] = KINDS,
) -> tuple[np.ndarray, np.ndarray]:
    """Corrupt about ``rate`` of the rows in separate episodes of 20 to 100 rows.

    Each episode is of one kind and hits a third to all of the channels; the kinds take turns in a
    random order. A single channel has nothing to be swapped with: ``permutation`` then sits out.

    Args:
        values: (rows, channels) float32, NaN where missing; left as it is.
        rate: Wanted share of corrupted rows, in [0, 0.5].
        generator: Source of all randomness.
        kinds: The kinds to draw from, of ``KINDS``.

    Returns:
        (rows, channels) float32 with the faults, and (rows,) int8: 0 clean, else 1 + index into
        ``KINDS``.

    Raises:
        ValueError: If the rate or a kind is out of range.
    """
    if not 0 <= rate <= 0.5:
        raise ValueError(f"rate={rate}: must be in [0, 0.5]; above, no clean stretch is left")
    unknown = set(kinds) - set(KINDS)
    if unknown or not kinds:
        raise ValueError(f"kinds={kinds}: must be some of {', '.join(KINDS)}")
    size = values.shape[1]
    able = [kind for kind in kinds if size > 1 or kind != "permutation"]
    turns = [able[i] for i in generator.permutation(len(able))]
    out, corrupt = values.copy(), np.zeros(len(values), np.int8)
    for turn, (start, stop) in enumerate(episodes(len(values), rate, generator)):
        kind = turns[turn % len(turns)]
        fewest = max(-(-size // 3), 2 if kind == "permutation" else 1)
        hit = generator.permutation(size)[: generator.integers(fewest, size + 1)]
        out[start:stop] = FAULTS[kind](values[start:stop], hit, generator)
        corrupt[start:stop] = 1 + KINDS.index(kind)
    return out, corrupt


def episodes(rows: int, rate: float, generator: np.random.Generator) -> list[tuple[int, int]]:
    """Disjoint (start, stop) of 20 to 100 rows that cover ``rate`` of ``rows`` in expectation."""
    mean = (SHORTEST + LONGEST) / 2
    gap = mean * (1 - rate) / rate if rate else np.inf
    spans: list[tuple[int, int]] = []
    at = generator.exponential(gap) if rate else np.inf
    while at + LONGEST <= rows:
        start, length = int(at), int(generator.integers(SHORTEST, LONGEST + 1))
        spans.append((start, start + length))
        at = start + length + generator.exponential(gap)
    return spans
