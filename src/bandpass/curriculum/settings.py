"""What a user may set about the surprise band, checked when it is set."""

from dataclasses import dataclass
from typing import Literal, get_args

RuleName = Literal["exponential", "two-level"]


@dataclass(frozen=True, kw_only=True)
class BandSettings:
    """Settings of `SurpriseBand`; the defaults suit a first run.

    Attributes:
        rule: "exponential" or "two-level": how a surprise quantile becomes a weight.
        ess: Least effective sample size of the selection, as a share of the windows, in
            (0, 1). The band is made as strong as this allows: .15-.3 where little of the
            stream carries signal, .5 elsewhere.
        floor: Share of the slots that is drawn uniformly, in (0, 1].
        cap: No window is drawn more than `cap` times as often as uniformly, over 1.
        shoulder: Weight of the less surprising half under the exponential rule, in (0, 1].
        top: Share of the most surprising windows that the two-level rule lifts, in (0, 1).
        extreme: Robust z in log-loss units above which a window is quarantined.
        surprising: Quantile above which the median and MAD for that z are taken, in [0, 1);
            the MAD of the whole bucket is used where it is wider.
        decay: Per step, of the histograms and the target variance, in (0, 1).
        min_effective: Observations (after decay) below which a bucket borrows from the pool.
        staleness: Time constant, in epochs, with which an unvisited score fades.
        refresh: Draws between two readings of the quantiles and of lambda.
        warm_up: Share of the steps drawn uniformly at the start.
        cool_down: Share of the steps drawn uniformly at the end.
        beta: Exponent of the importance weights: 0 shapes the distribution that is trained
            on, 1 weighs the losses back to uniform sampling (weights are scaled to mean 1
            over a batch, which leaves a bias of the order of 1 / batch).
    """

    rule: RuleName = "exponential"
    ess: float = 0.3
    floor: float = 0.25
    cap: float = 20.0
    shoulder: float = 0.2
    top: float = 0.1
    extreme: float = 8.0
    surprising: float = 0.8
    decay: float = 0.99
    min_effective: float = 200.0
    staleness: float = 4.0
    refresh: int = 16
    warm_up: float = 0.1
    cool_down: float = 0.1
    beta: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values outside the ranges above."""
        if self.rule not in get_args(RuleName):
            raise ValueError(f"rule must be one of {get_args(RuleName)}, got {self.rule!r}")
        wanted = {
            "ess": (0 < self.ess < 1, "in (0, 1)"),
            "floor": (0 < self.floor <= 1, "in (0, 1]"),
            "cap": (self.cap > 1, "over 1"),
            "shoulder": (0 < self.shoulder <= 1, "in (0, 1]"),
            "top": (0 < self.top < 1, "in (0, 1)"),
            "extreme": (self.extreme > 0, "over 0"),
            "surprising": (0 <= self.surprising < 1, "in [0, 1)"),
            "decay": (0 < self.decay < 1, "in (0, 1)"),
            "min_effective": (self.min_effective >= 1, "at least 1"),
            "staleness": (self.staleness > 0, "over 0"),
            "refresh": (self.refresh >= 1, "at least 1"),
            "warm_up": (0 <= self.warm_up <= 1, "in [0, 1]"),
            "cool_down": (0 <= self.cool_down <= 1, "in [0, 1]"),
            "beta": (0 <= self.beta <= 1, "in [0, 1]"),
        }
        for name, (holds, text) in wanted.items():
            if not holds:
                raise ValueError(f"{name} must be {text}, got {getattr(self, name)}")

    def active(self, number: int, steps: int) -> bool:
        """Whether draw `number` of `steps` lies between warm-up and cool-down."""
        return self.warm_up * steps <= number < (1 - self.cool_down) * steps


def check_size(n: int, batch_size: int, seed: int) -> None:
    """Refuse sizes that no sampler here can serve."""
    if not 1 <= n < 2**31:
        raise ValueError(f"n must be between 1 and 2**31 - 1 windows, got {n}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must be between 0 and 2**63 - 1, got {seed}")
