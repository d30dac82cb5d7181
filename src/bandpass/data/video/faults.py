"""Rules that suspect a fault of the camera, the cable or the file, from the signals of clips alone.

A rule gives every frame a strength, in a unit with a meaning: pixels of shaking, seconds of an
exact repeat. A clip has the strength that a quarter of its frames reach, so that one switch of the
light or one bump is none. It is suspected from a fixed limit on, or from a multiple of what is
usual for the entity where that is higher: a camera that always shakes has shaking as its normal.
What is missing is no camera's normal, however much of a stream it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bandpass.data.video.signals import MOTIONS, SIGNALS


@dataclass(frozen=True)
class Limit:
    """Strength from which clips are suspected.

    Attributes:
        fixed: The least it is.
        usual: Quantile of the frames of an entity that its usual strength is taken at.
        times: Multiple of the usual that it is where that is higher; 0 for the fixed one alone.
    """

    fixed: float
    usual: float = 0.75
    times: float = 3.0


LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "missing": Limit(0.5, times=0.0),  # 1 where nothing was decoded
        # A plain wall has no contrast at all, and some codecs repeat pictures all the time: that is
        # usual. A fault of less than three quarters of the time does not make it so.
        "blackout": Limit(1 / 4, usual=0.25),  # one over the contrast, 1 / levels
        "freeze": Limit(0.5, usual=0.25),  # seconds of an exact repeat
        # Pixels from one shift to the next: a pan moves evenly. A mount that comes loose stays so
        # for long, and half of the stream must not make it usual; of nights a quarter may.
        "jitter": Limit(1.0, usual=0.4, times=4.0),
        "flicker": Limit(0.06),  # change of exposure as a share of the brightness
        "noise": Limit(6.0),  # levels by which all cells of the grid but one change
    }
)
RULES = tuple(LIMITS)

FRAMES = 0.25
"""Share of a clip's frames that must reach a strength: from which it counts as corrupt, too."""

SAMPLE = 512
"""Clips of an entity that its usual is taken from."""

CHUNK = 1 << 14
DARK = 10.0  # levels beside which a change of exposure is measured in the dark


def judge_clips(
    signals: np.ndarray, rows: np.ndarray, entities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Suspicion and rule of every clip.

    Suspicion is 0 up to half of the limit, .9 at it, and a tenth of what lacks to 1 closer with
    every further half. The rule is the first, in the order of ``RULES``, that reaches its limit,
    for what shakes or flickers changes every pixel, as noise does; the strongest where none does.

    Args:
        signals: (F, S) float32 of all rows, as `signals.signals` gives them.
        rows: (n, T) int64 rows that the clips are made of.
        entities: (n,) int64.

    Returns:
        (n,) float32 in [0, 1], and (n,) uint8 index into ``RULES``.
    """
    of_frames = strengths(signals)
    over = np.empty((len(rows), len(RULES)), np.float32)
    for first in range(0, len(rows), CHUNK):
        over[first : first + CHUNK] = _of_clips(of_frames, rows[first : first + CHUNK])
    for entity in np.unique(entities):
        own = np.flatnonzero(entities == entity)
        sample = own[np.linspace(0, len(own) - 1, min(SAMPLE, len(own))).astype(np.int64)]
        over[own] /= limits(of_frames[rows[sample].ravel()])
    faults = 1 - 0.1 ** np.maximum(2 * over.max(axis=1) - 1, 0)
    reached = over >= 1
    rule = np.where(reached.any(axis=1), reached.argmax(axis=1), over.argmax(axis=1))
    return faults.astype(np.float32), rule.astype(np.uint8)


def strengths(signals: np.ndarray) -> np.ndarray:
    """Strength of every rule in every row, (F, RULES) float32; 0 where it is not known."""
    column = {name: signals[:, place] for place, name in enumerate(SIGNALS)}
    jump = np.zeros((len(signals), 2), np.float32)
    jump[1:] = np.diff(np.stack([column["shift-y"], column["shift-x"]], axis=1), axis=0)
    found = (
        np.isnan(column["brightness"]),
        1 / np.maximum(column["contrast"], 0.1),
        column["frozen"],
        np.hypot(*jump.T),
        np.abs(column["exposure"]) / (column["brightness"] + DARK),
        np.partition(signals[:, list(MOTIONS)], 1, axis=1)[:, 1],
    )
    return np.nan_to_num(np.stack(found, axis=1).astype(np.float32), nan=0.0)


def limits(strengths: np.ndarray) -> np.ndarray:
    """Strength from which each rule suspects clips of an entity, (RULES,), from some frames."""
    return np.array(
        [
            max(limit.fixed, limit.times * np.quantile(own, limit.usual))
            for own, limit in zip(strengths.T, LIMITS.values(), strict=True)
        ]
    )


def _of_clips(strengths: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n, RULES) strength that `FRAMES` of the frames of each clip reach."""
    last = rows.shape[1] - int(np.ceil(FRAMES * rows.shape[1]))
    return np.partition(strengths[rows], last, axis=1)[:, last]
