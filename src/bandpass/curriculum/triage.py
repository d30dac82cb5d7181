"""What becomes of a surprising window, from the two bytes that are remembered of its judgements."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandpass.curriculum.gate import Judgement

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]
SignedCodes = NDArray[np.int8]

OPEN, PROBATION, IRREDUCIBLE, ISOLATED, FAULTY = range(5)
VERDICTS = ("open", "probation", "irreducible", "isolated", "faulty")

SUSPICION_STEPS = 254
PROGRESS_STEPS, WIDEST = 127, 0.5
UNKNOWN_PROGRESS = -128
"""Code of a window of which no learning progress is known."""


@dataclass(frozen=True, kw_only=True)
class TriageSettings:
    """Where `triage` draws its lines.

    Attributes:
        isolated: Mean suspicion above which a window counts as isolated, in (0, 1).
        visits: Visits before a window can be called irreducible or isolated.
        learning: Relative progress above which the model is learning a window, at least 0.
        conviction: Suspicion of the input rules from which they convict alone, in (0, 1].
        probation: Weight of a window on probation, in multiples of uniform, in [1, 2].
    """

    isolated: float = 0.9
    visits: int = 4
    learning: float = 0.0
    conviction: float = 0.9
    probation: float = 1.5

    def __post_init__(self) -> None:
        """Refuse values outside the ranges above."""
        wanted = {
            "isolated": (0 < self.isolated < 1, "in (0, 1)"),
            "visits": (self.visits >= 1, "at least 1"),
            "learning": (self.learning >= 0, "at least 0"),
            "conviction": (0 < self.conviction <= 1, "in (0, 1]"),
            "probation": (1 <= self.probation <= 2, "in [1, 2]"),
        }
        for name, (holds, text) in wanted.items():
            if not holds:
                raise ValueError(f"{name} must be {text}, got {getattr(self, name)}")


def triage(
    suspicion: Floats,
    progress: Floats,
    visits: NDArray[np.integer],
    faults: Floats | None = None,
    settings: TriageSettings = TriageSettings(),
) -> Codes:
    """Verdicts on judged windows.

    | window | learning | verdict | what it may have |
    |---|---|---|---|
    | convicted by an input rule | any | FAULTY | the floor |
    | dense, or not judged | yes, unknown, or too few visits | OPEN | the full band |
    | dense | no | IRREDUCIBLE | the floor |
    | isolated | yes, or too few visits | PROBATION | `probation` times uniform |
    | isolated | no or unknown | ISOLATED | the floor, and the quarantine list |

    Where learning progress is not measured (it costs a slow forward), nothing is ever called
    irreducible, and isolation over `visits` visits is enough to be held back: what is alone has
    to show that it can be learned, what has company has not.

    Args:
        suspicion: (B,) mean c over the judged visits, NaN where never judged.
        progress: (B,) mean relative learning progress, NaN where unknown.
        visits: (B,) visits.
        faults: (B,) suspicion of the input rules in [0, 1], NaN where unknown.
        settings: The lines.

    Returns:
        uint8 (B,), indices into `VERDICTS`.
    """
    alone = suspicion > settings.isolated  # NaN is not alone
    learning = progress > settings.learning
    decided = visits >= settings.visits
    verdict = np.where(alone, np.where(decided & ~learning, ISOLATED, PROBATION), OPEN)
    stuck = ~alone & ~np.isnan(suspicion) & decided & (progress <= settings.learning)
    verdict = np.where(stuck, IRREDUCIBLE, verdict)
    if faults is not None:
        verdict = np.where(faults >= settings.conviction, FAULTY, verdict)
    return verdict.astype(np.uint8)


def blank(n: int) -> tuple[Codes, SignedCodes]:
    """Suspicion and progress codes of `n` windows that were never judged: 2 bytes a window."""
    return np.zeros(n, dtype=np.uint8), np.full(n, UNKNOWN_PROGRESS, dtype=np.int8)


def remember(
    suspicion: Codes, progress: SignedCodes, judgement: Judgement
) -> tuple[Codes, SignedCodes]:
    """Codes of (B,) windows after one more visit; what the visit did not tell stays.

    The first word is taken as it is, later ones are averaged half and half with the memory.
    """
    c, old_c = judgement.suspicion, decode_suspicion(suspicion)
    c = np.where(np.isnan(c), old_c, np.where(np.isnan(old_c), c, (old_c + c) / 2))
    gain, old_gain = judgement.progress, decode_progress(progress)
    mean = np.where(np.isnan(old_gain), gain, (old_gain + gain) / 2)
    return encode_suspicion(c), encode_progress(np.where(np.isnan(gain), old_gain, mean))


def encode_suspicion(c: Floats) -> Codes:
    """[0, 1] in steps of 1/254 as 1 .. 255; NaN is 0."""
    steps = 1 + np.rint(np.clip(c, 0, 1) * SUSPICION_STEPS)
    return np.nan_to_num(steps, nan=0).astype(np.uint8)


def decode_suspicion(codes: Codes) -> Floats:
    """Undo `encode_suspicion`."""
    return np.where(codes == 0, np.nan, (codes.astype(np.float64) - 1) / SUSPICION_STEPS)


def encode_progress(progress: Floats) -> SignedCodes:
    """Cut to -1/2 .. 1/2 in steps of 1/254 as -127 .. 127; NaN is -128."""
    steps = np.rint(np.clip(progress, -WIDEST, WIDEST) / WIDEST * PROGRESS_STEPS)
    return np.nan_to_num(steps, nan=UNKNOWN_PROGRESS).astype(np.int8)


def decode_progress(codes: SignedCodes) -> Floats:
    """Undo `encode_progress`."""
    values = codes.astype(np.float64) * WIDEST / PROGRESS_STEPS
    return np.where(codes == UNKNOWN_PROGRESS, np.nan, values)
