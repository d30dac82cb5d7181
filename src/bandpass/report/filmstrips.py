"""The chapter on clips: those drawn most and least, and those held back, as filmstrips."""

import base64
import struct
import zlib

import numpy as np

from bandpass.data import Clips, StoreError
from bandpass.data.video.faults import RULES
from bandpass.report.blocks import Block, Film, Films, Section, Text
from bandpass.report.footage import clock, hidden
from bandpass.report.tables import Run, rows

FRAMES = 8
SHOWN = 6
HELD = 18
"""Held clips that are shown, the most extreme first."""

WIDTH = 96
"""Pixels that a frame is enlarged to, by whole factors, or thinned out to if it is wider."""

GAP = 2
CONTRAST = (0.002, 0.998)
"""Quantiles of the levels of a recording that are shown as black and as white."""

SAMPLED = 32
"""Frames of a recording that these are taken from."""

SUSPECTED = 0.9
"""What a rule gives from its limit on; see `faults.judge_clips`."""

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # PNG (ISO/IEC 15948), table 11.1: by channels


def films_section(run: Run, clips: Clips | str) -> Section:
    """Show the clips that training drew most and least."""
    section = ("films", "Which clips it drew")
    if isinstance(clips, str):
        return Section(*section, clips, ())
    if rows(run.windows) != len(clips):
        return Section(*section, "This run did not log how often it drew each clip.", ())
    drawn = run.windows["drawn"]
    # Ties are broken at random, once: else the least drawn would all be of the first recording.
    order = np.random.default_rng(0).permutation(len(clips))
    order = order[np.argsort(drawn[order], kind="stable")]
    most, least = (_apart(clips, some) for some in (order[::-1], order))
    try:
        blocks: list[Block] = [
            Films("Drawn most", [film(run, clips, one) for one in most]),
            Films("Drawn least", [film(run, clips, one) for one in least]),
        ]
    except StoreError as error:  # the store does not keep its frames, and a file has gone
        return Section(*section, hidden(error), ())
    lead = (
        f"{FRAMES} frames of a clip in a row, evenly over its {clips.length}; levels are stretched "
        f"alike within a recording. A clip was drawn {drawn.mean():.1f} times on average, "
        f"{drawn.max():,} times at most; {np.count_nonzero(drawn == 0):,} of {len(clips):,} never. "
        "Shown are clips that do not overlap; ties are broken at random."
    )
    if np.isnan(run.windows["score"]).all():
        lead += " Nothing but chance tells them apart: this run did not draw by a score."
    return Section(*section, lead, blocks)


def held_films(run: Run, clips: Clips | str) -> list[Block]:
    """The quarantined clips as filmstrips, the most extreme first."""
    count = rows(run.quarantine)
    if not count:
        return []
    if isinstance(clips, str):
        return [Text(clips)]
    faults, rule = clips.judge()
    films = []
    for place in range(min(count, HELD)):
        one, z = int(run.quarantine["id"][place]), float(run.quarantine["z"][place])
        suspicion = RULES[rule[one]] if faults[one] >= SUSPECTED else "no rule"
        facts = (
            ("held as", str(run.quarantine["reason"][place])),
            ("z", f"{z:.1f}" if np.isfinite(z) else "not finite"),
            ("suspected fault", f"{suspicion} ({faults[one]:.2f})"),
        )
        try:
            films.append(film(run, clips, one, facts))
        except StoreError as error:
            return [Text(hidden(error))]
    return [Films("The same clips as frames", films)]


def film(run: Run, clips: Clips, one: int, more: tuple[tuple[str, str], ...] = ()) -> Film:
    """One clip with what is known of it."""
    store = clips.store
    series, start = (int(part[0]) for part in clips.locate([one]))
    own = clips.rows([one])[0]
    first, last = start / store.fps, (start + own[-1] - own[0]) / store.fps
    regime = int(clips.regimes([one])[0])
    name = store.regimes[regime] if regime >= 0 else "no class"
    facts = [("time", f"{clock(first)} to {clock(last)}"), ("class", name), *more]
    if rows(run.windows) == len(clips):
        score = float(run.windows["score"][one])
        facts.append(("times drawn", f"{run.windows['drawn'][one]:,}"))
        facts.append(("score", f"{score:.2f}" if np.isfinite(score) else "none"))
    gone = np.count_nonzero(store.column("missing")[own])
    facts += [("missing", f"{gone} of {len(own)} frames")] if gone else []
    heading = store.series_names[series]
    alt = f"Frames of clip {one} of {heading}, {clock(first)} to {clock(last)}, {name}"
    return Film(heading, facts, data_uri(strip(_levels(clips, series, own))), alt)


def strip(frames: np.ndarray) -> np.ndarray:
    """Lay (n, H, W, K) uint8 frames side by side, (h, w, K + 1) with the gaps transparent.

    Small frames are enlarged by a whole factor, large ones thinned out, both to the nearest pixel.
    """
    width = frames.shape[2]
    thin, grow = -(-width // (2 * WIDTH)), max(1, WIDTH // width)
    frames = frames[:, ::thin, ::thin].repeat(grow, axis=1).repeat(grow, axis=2)
    count, height, width, colours = frames.shape
    image = np.zeros((height, count * (width + GAP) - GAP, colours + 1), np.uint8)
    for place, frame in enumerate(frames):
        left = place * (width + GAP)
        image[:, left : left + width, :colours] = frame
        image[:, left : left + width, colours] = 255
    return image


def png(image: np.ndarray) -> bytes:
    """Encode (h, w, 1 to 4) uint8, grey or RGB with or without opacity, as PNG."""
    height, width, channels = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # every line begins with filter 0
    lines[:, 1:] = image.reshape(height, -1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def data_uri(image: np.ndarray) -> str:
    """The image as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"


def _chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def _apart(clips: Clips, order: np.ndarray) -> list[int]:
    """The first of an order that have no row in common."""
    chosen: list[int] = []
    taken = np.empty(0, np.int64)
    for one in order.tolist():
        own = clips.rows([one])[0]
        if not ((taken <= own[-1]) & (own[0] <= taken + own[-1] - own[0])).any():
            chosen.append(one)
            taken = np.append(taken, own[0])
        if len(chosen) == SHOWN:
            break
    return chosen


def _levels(clips: Clips, series: int, own: np.ndarray) -> np.ndarray:
    """(FRAMES, H, W, K) uint8 frames of a clip, in the contrast of their recording."""
    store = clips.store
    offset, count = (int(store.series[name][series].as_py()) for name in ("offset", "rows"))
    some = offset + np.linspace(0, count - 1, min(count, SAMPLED)).astype(np.int64)
    low, high = np.quantile(store.frames_of(some), CONTRAST)
    shown = own[np.linspace(0, len(own) - 1, min(FRAMES, len(own))).round().astype(int)]
    levels = (store.frames_of(shown) - low) * (255 / max(high - low, 1))
    return np.clip(levels, 0, 255).astype(np.uint8)
