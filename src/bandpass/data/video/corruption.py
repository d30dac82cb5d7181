"""Labelled corruption of videos: what a loose mount, a cable or a sensor does to good pictures.

Every kind is a pure function of the frames of a span, the frame before it, and a generator.
`corrupt_frames` scatters spans of all kinds over a recording and says which frames it touched, so
that a curriculum can be held to account for what it trains on.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from bandpass.data.series import DataError

Fault = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]

SHORTEST, LONGEST = 1.0, 4.0  # seconds of a span
MOST = 0.5
SHAKE = 0.06
"""Share of a side that a shaken picture is off by at most."""


def jitter(span: np.ndarray, before: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shift every frame by whole pixels, at random: a camera that shakes. Edges are repeated."""
    del before
    height, width = span.shape[1:3]
    reach_y, reach_x = (max(1, round(SHAKE * side)) for side in (height, width))
    shift_y = generator.integers(-reach_y, reach_y + 1, len(span))
    shift_x = generator.integers(-reach_x, reach_x + 1, len(span))
    rows = np.clip(np.arange(height) + shift_y[:, None], 0, height - 1)
    columns = np.clip(np.arange(width) + shift_x[:, None], 0, width - 1)
    which = np.arange(len(span))[:, None, None]
    return span[which, rows[:, :, None], columns[:, None, :]]


def blackout(span: np.ndarray, before: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Show next to nothing: a covered lens, with the sensor's own noise of 2 levels."""
    del before
    dark = generator.integers(0, 13) + 2.0 * generator.standard_normal(span.shape, np.float32)
    return _levels(dark)


def freeze(span: np.ndarray, before: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Repeat the frame before, exactly: a decoder or a network that hangs."""
    del generator
    return np.broadcast_to(before, span.shape)


def flicker(span: np.ndarray, before: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Multiply every frame by a factor of its own, .4 to 1.6: an exposure that hunts."""
    del before
    gain = generator.uniform(0.4, 1.6, (len(span), 1, 1, 1)).astype(np.float32)
    return _levels(span * gain)


def noise(span: np.ndarray, before: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add white noise of 15 to 50 levels to every pixel: a gain turned up, a bad cable."""
    del before
    size = np.float32(generator.uniform(15, 50))
    return _levels(span + size * generator.standard_normal(span.shape, np.float32))


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "jitter": jitter,
        "blackout": blackout,
        "freeze": freeze,
        "flicker": flicker,
        "noise": noise,
    }
)
KINDS = tuple(FAULTS)


def corrupt_frames(
    frames: np.ndarray,
    share: float,
    *,
    seed: int | tuple[int, ...],
    fps: float,
    kinds: tuple[str, ...] = KINDS,
) -> tuple[np.ndarray, np.ndarray]:
    """Corrupt ``share`` of the frames in separate spans of 1 to 4 seconds.

    Every span is of one kind; the kinds take turns in a random order. The share is met to the
    frame, but for a recording that is too short: where it comes to less than the shortest span,
    there is one such span as often as it takes to meet it on average. Which frames are hit, and by
    which kind, depends on their number, the share, the seed, the rate and the kinds alone.

    Args:
        frames: (F, height, width, colours) uint8 at an even rate; left as they are.
        share: Wanted share of corrupted frames, in [0, 0.5].
        seed: Of everything that is random.
        fps: Frames a second.
        kinds: The kinds to draw from, of ``KINDS``.

    Returns:
        (F, height, width, colours) uint8 with the faults, a copy unless the share is 0, and
        (F,) int8: 0 clean, else 1 + index into ``KINDS``.

    Raises:
        DataError: If the share, the rate or a kind is out of range.
    """
    out = frames.copy() if share else frames
    return out, corrupt_in_place(out, share, seed=seed, fps=fps, kinds=kinds)


def corrupt_in_place(
    frames: np.ndarray,
    share: float,
    *,
    seed: int | tuple[int, ...],
    fps: float,
    kinds: tuple[str, ...] = KINDS,
    spared: np.ndarray | None = None,
) -> np.ndarray:
    """Do what `corrupt_frames` does to the frames themselves, in memory for one span at a time.

    Args:
        frames: (F, height, width, colours) uint8 at an even rate, a memory map for one.
        share: As for `corrupt_frames`.
        seed: As for it.
        fps: As for it.
        kinds: As for it.
        spared: (F,) bool, frames of a span that are left as they are, and count as clean.

    Returns:
        (F,) int8: 0 clean, else 1 + index into ``KINDS``.

    Raises:
        DataError: If the share, the rate or a kind is out of range.
    """
    if not 0 <= share <= MOST:
        raise DataError(f"corrupt={share}: must be in [0, {MOST}]; above, no clean stretch is left")
    if not fps > 0:
        raise DataError(f"fps={fps}: must be above 0 frames a second")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        named = repr(unknown[0]) if unknown else "nothing"
        raise DataError(f"corrupt_kinds names {named}: must be some of {', '.join(KINDS)}")
    codes = np.zeros(len(frames), np.int8)
    if not share:
        return codes
    generator = np.random.default_rng(seed)
    turns = [kinds[i] for i in generator.permutation(len(kinds))]
    for turn, (start, stop) in enumerate(spans(len(frames), share, fps, generator)):
        kind = turns[turn % len(turns)]
        span = slice(start, stop)
        before = frames[max(start - 1, 0)]  # which is clean: spans do not touch
        hit = np.ones(stop - start, bool) if spared is None else ~spared[span]
        frames[span][hit] = FAULTS[kind](frames[span], before, generator)[hit]
        codes[span][hit] = 1 + KINDS.index(kind)
    return codes


def spans(
    rows: int, share: float, fps: float, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Disjoint (start, stop) of 1 to 4 seconds that cover ``share`` of ``rows``, at least 1 apart.

    Where the share of a short recording is less than the shortest span, one or none.
    """
    shortest = max(round(SHORTEST * fps), 1)
    longest = max(round(LONGEST * fps), shortest)
    wanted = round(share * rows)
    if wanted < shortest:
        wanted = shortest if generator.random() < share * rows / shortest else 0
    if not wanted or wanted >= rows:
        return []
    most = min(wanted // shortest, rows - wanted)  # a clean row before every span
    fewest = -(-wanted // longest)
    count = max(min(round(2 * wanted / (shortest + longest)), most), fewest)
    lengths = _lengths(wanted, count, shortest, longest, generator)
    clean = np.sort(generator.choice(rows - wanted, count, replace=False))  # rows that stay before
    starts = clean + 1 + np.append(0, np.cumsum(lengths)[:-1])
    return [(int(start), int(start + n)) for start, n in zip(starts, lengths, strict=True)]


def _lengths(
    total: int, count: int, shortest: int, longest: int, generator: np.random.Generator
) -> np.ndarray:
    """(count,) lengths from shortest to longest that add up to the total."""
    out = np.empty(count, np.int64)
    for place in range(count):
        others = count - place - 1
        low = max(shortest, total - others * longest)
        high = min(longest, total - others * shortest)
        out[place] = generator.integers(low, max(high, low) + 1)
        total -= out[place]
    return generator.permutation(out)


def _levels(values: np.ndarray) -> np.ndarray:
    """Round and cut to the levels of a pixel."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
