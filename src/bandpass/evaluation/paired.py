"""One arm against another, paired by seed: the figures, and what they say."""

import math
from dataclasses import dataclass

from bandpass.evaluation.comparison import NonInferiority
from bandpass.evaluation.words import plain, probability, signed

UNIFORM, AGAIN, SHUFFLED = "uniform", "uniform-again", "shuffled"
ORACLE, BAND = "oracle", "band"
"""Arms with a role, as tables and pages call them."""

HALF = "half"
"""Budget: half of the counted operations."""

ALPHA = 0.05
GOOD = {"rare": 1, "normal": 1, "corrupt": -1}
"""The primary metrics, which are one family, and whether more or less of each is better."""


@dataclass(frozen=True)
class Comparison:
    """One arm against another in one primary metric at one budget, paired by seed.

    Attributes:
        arm: Whose mean is ``mean``.
        against: Whose mean is ``other``.
        budget: Which both spend.
        role: "rare", "normal" or "corrupt".
        mean: Of the arm, over the pairs.
        other: Of what it is compared with, over the same.
        difference: ``mean - other``.
        low: Lower end of its 95% interval by Student's t; NaN with fewer than two pairs.
        high: Upper end.
        p: Of the two-sided sign-flip test.
        p_holm: The same, corrected over the primary metrics.
        mde: Difference that these pairs would show four times in five, whatever the other metrics
            do; infinite if they are too few to show any.
        n: Pairs of seeds.
        asked: Seeds that were to be compared; runs that are missing or not finite make it more.
        retention: Of the normal metric, whether it is kept within the margin; else None.
    """

    arm: str
    against: str
    budget: str
    role: str
    mean: float
    other: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    mde: float
    n: int
    asked: int
    retention: NonInferiority | None = None

    @property
    def outcome(self) -> str:
        """``better`` or ``worse`` where the corrected test says so, else empty."""
        if not self.p_holm < ALPHA:
            return ""
        return "better" if self.difference * GOOD[self.role] > 0 else "worse"

    @property
    def kept(self) -> bool | None:
        """Whether the normal metric is shown to lose less than its margin; None if not asked."""
        return None if self.retention is None else self.retention.holds

    @property
    def figures(self) -> str:
        """Difference, interval and pairs: ``+.030 (+.021 to +.039, n 8)``."""
        if not self.n:
            return "unknown (n 0)"
        pairs = f"n {self.n}" + (f" of {self.asked}" if self.n < self.asked else "")
        if math.isnan(self.low):
            return f"{signed(self.difference)} ({pairs}, no interval)"
        return f"{signed(self.difference)} ({signed(self.low)} to {signed(self.high)}, {pairs})"

    @property
    def sentence(self) -> str:
        """All this in words."""
        tested = f"{probability(self.p)}, after Holm {probability(self.p_holm)}"
        said = f"{self.role}: {self.arm} - {self.against} {self.figures}, {tested}"
        if self.outcome:
            return f"{said}: {self.outcome}."
        missed = "any could be missed" if math.isinf(self.mde) else f"it finds {plain(self.mde)}"
        return f"{said}: no difference found, {missed}."
