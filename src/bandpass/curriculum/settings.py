"""What a user may set about the surprise band, checked when it is set."""

import itertools
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

RuleName = Literal[
    "exponential", "two-level", "percentile", "temperature", "power", "top", "mixture", "below-mean"
]
Mode = Literal["live", "shadow", "shuffled"]
Coverage = Literal["auto", "table", "blend", "prototype"]
Recent = Literal["decayed", "window", "table"]

FEW, MANY = 1.0, 3.0  # visits to a window over the run: below, prototypes; from there, the table
MOST_CAP = 1000.0  # a draw proposes up to `cap` windows a slot


@dataclass(frozen=True, kw_only=True)
class BandSettings:
    """Settings of `SurpriseBand`; the defaults suit a first run.

    Attributes:
        rule: A name in `RULES`: how a surprise rank becomes a weight.
        mode: "live"; "shadow" scores and reports but draws uniformly; "shuffled" gives every
            window the probability of another one, a control of equal strength that knows nothing.
        coverage: What a window's weight is read from: "table" its own score, "prototype" that of
            its prototype, "blend" both. "auto" decides by kappa = steps * batch / n: from 3 on
            the table, below 1 prototypes (if there are any), between them the blend.
        ess: Least effective sample size of the selection, as a share of the windows, in [0, 1).
            The rule is made as strong as this allows: .15-.3 where little of the stream carries
            signal, .5 elsewhere.
        mean_rank: Mean surprise rank of the slots that the strength is steered to by the end of the
            run, in (0.5, 1], along a line from 0.5; 1 leaves it to `ess` alone.
        floor: Share of the slots that is drawn uniformly, in [0, 1].
        cap: No window is drawn more than `cap` times as often as uniformly, in (1, 1000].
        shoulder: Weight of the less surprising half under "exponential", in (0, 1].
        top: Share of the most surprising windows that "two-level" lifts and "top" keeps to.
        low: Surprise rank from which "percentile" keeps windows, in [0, 1).
        high: Surprise rank up to which "percentile" keeps windows, in (low, 1].
        exponent: Of the score ("temperature": its inverse temperature) or of the rank ("power"),
            over 0.
        edges: Ranks between the surprise classes of "mixture", ascending in (0, 1).
        shares: Share of the slots of every class of "mixture", one more than `edges`.
        prune: Share that "below-mean" leaves out of the windows below the mean loss, in [0, 1).
        unseen: A window without a score weighs as the "mean" of its bucket, or as the "max".
        extreme: Robust z in log-score units above which a window is quarantined, over 0; "inf"
            turns it off.
        surprising: Quantile above which the median and MAD for that z are taken, in [0, 1);
            the MAD of the whole bucket is used where it is wider.
        recent: Ranks are taken among "decayed" counts of the scores that came in, a moving
            "window" of them, or the remembered scores of the whole "table": for rules without a
            floor, which see nothing but what they draw.
        decay: Per step, of the histograms and the target variance, in (0, 1).
        window: Scores in the moving window, at least 2.
        min_effective: Observations (after decay) below which a bucket borrows from its parent;
            at most half of what `decay` or `window` ever keep.
        staleness: Time constant, in epochs, with which an unvisited score fades.
        refresh: Draws, or calls of `record`, between two readings of the quantiles and of lambda.
        warm_up: Share of the steps drawn uniformly at the start.
        cool_down: Share of the steps drawn uniformly at the end (what is held stays at the floor).
        beta: Exponent of the importance weights: 0 shapes the distribution that is trained
            on, 1 weighs the losses back to uniform sampling (weights are scaled to mean 1
            over a batch, which leaves a bias of the order of 1 / batch).
    """

    rule: RuleName = "exponential"
    mode: Mode = "live"
    coverage: Coverage = "auto"
    ess: float = 0.3
    mean_rank: float = 1.0
    floor: float = 0.25
    cap: float = 20.0
    shoulder: float = 0.2
    top: float = 0.1
    low: float = 0.5
    high: float = 0.97
    exponent: float = 1.0
    edges: tuple[float, ...] = (0.5, 0.9)
    shares: tuple[float, ...] = (0.4, 0.3, 0.3)
    prune: float = 0.5
    unseen: Literal["mean", "max"] = "mean"
    extreme: float = 8.0
    surprising: float = 0.8
    recent: Recent = "decayed"
    decay: float = 0.99
    window: int = 4096
    min_effective: float = 200.0
    staleness: float = 4.0
    refresh: int = 16
    warm_up: float = 0.1
    cool_down: float = 0.1
    beta: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values outside the ranges above."""
        for name, known in (
            ("rule", RuleName),
            ("mode", Mode),
            ("coverage", Coverage),
            ("recent", Recent),
            ("unseen", Literal["mean", "max"]),
        ):
            if getattr(self, name) not in get_args(known):
                raise ValueError(
                    f"{name} must be one of {get_args(known)}, got {getattr(self, name)!r}"
                )
        wanted = {
            "ess": (0 <= self.ess < 1, "in [0, 1)"),
            "mean_rank": (0.5 < self.mean_rank <= 1, "in (0.5, 1]"),
            "floor": (0 <= self.floor <= 1, "in [0, 1]"),
            "cap": (1 < self.cap <= MOST_CAP, f"over 1 and at most {MOST_CAP:.0f}"),
            "shoulder": (0 < self.shoulder <= 1, "in (0, 1]"),
            "top": (0 < self.top < 1, "in (0, 1)"),
            "low": (0 <= self.low < 1, "in [0, 1)"),
            "high": (self.low < self.high <= 1, f"over low ({self.low}) and at most 1"),
            "exponent": (self.exponent > 0, "over 0"),
            "edges": (_ascending(self.edges), "ascending, in (0, 1)"),
            "shares": (
                len(self.shares) == len(self.edges) + 1
                and min(self.shares) >= 0 < sum(self.shares),
                f"one more than the edges ({len(self.edges)}), none below 0, not all 0",
            ),
            "prune": (0 <= self.prune < 1, "in [0, 1)"),
            "extreme": (self.extreme > 0, "over 0"),
            "surprising": (0 <= self.surprising < 1, "in [0, 1)"),
            "decay": (0 < self.decay < 1, "in (0, 1)"),
            "window": (self.window >= 2, "at least 2"),
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

    def covering(self, kappa: float, clustered: bool) -> str:
        """Where weights are read from, given the visits to a window that are to be expected.

        Args:
            kappa: steps * batch / n.
            clustered: Whether there are prototypes.
        """
        if self.coverage == "prototype" and not clustered:
            raise ValueError("coverage 'prototype' needs prototypes: give (n,), or take 'table'")
        if self.coverage == "prototype" and self.recent == "table":
            raise ValueError("coverage 'prototype' keeps no scores of windows: not recent='table'")
        if self.coverage != "auto":
            return self.coverage
        if not clustered or kappa >= MANY or self.recent == "table":
            return "table"
        return "blend" if kappa >= FEW else "prototype"


def _ascending(edges: tuple[float, ...]) -> bool:
    bounds = (0.0, *edges, 1.0)
    return all(a < b for a, b in itertools.pairwise(bounds))


def check_size(n: int, batch_size: int, seed: int, rank: int, world: int) -> None:
    """Refuse sizes that no sampler here can serve, and shares of a batch that are not equal."""
    if not 1 <= n < 2**31:
        raise ValueError(f"n must be between 1 and 2**31 - 1 windows, got {n}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed must be between 0 and 2**63 - 1, got {seed}")
    if not 0 <= rank < world:
        raise ValueError(f"rank must be in 0 .. world - 1, got rank {rank} of {world}")
    if batch_size % world:
        raise ValueError(
            f"batch_size is over all ranks and must be a multiple of their number, got "
            f"{batch_size} for {world}"
        )


def check_ids(ids: ArrayLike, n: int) -> NDArray[np.int64]:
    """Window ids as an array, refused where there is no such window."""
    given = np.asarray(ids)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise TypeError(
            f"ids must be integers, got {given.dtype}: np.flatnonzero turns a mask into ids"
        )
    given = given.astype(np.int64)
    if given.size and not 0 <= given.min() <= given.max() < n:
        raise ValueError(f"ids must lie in 0 .. {n - 1}, got {given.min()} .. {given.max()}")
    return given


def check_same(saved: dict[str, int], own: dict[str, int]) -> None:
    """Refuse the state of a sampler of another size or seed."""
    if saved != own:
        raise ValueError(f"the state was saved by a sampler of {saved}, this is {own}")
