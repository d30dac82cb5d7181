"""Rules: from a window's surprise to its selection weight.

Every rule is exactly uniform at strength 0 and grows more selective with it, so that one number,
lambda, leads from uniform sampling to the strongest selection that the sample size allows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandpass.curriculum.settings import BandSettings, RuleName

Floats = NDArray[np.float64]

STRONGEST = 32.0  # exp(16) over the median: beyond it the rules have reached their limit


@dataclass(frozen=True)
class Surprise:
    """How surprising some cells are within their buckets; all of one shape.

    Attributes:
        rank: Surprise rank u in [0, 1], of the middle of the cell.
        mass: Share of the bucket's scores in the cell: its ranks are u - mass/2 .. u + mass/2.
        excess: Log-score above the bucket's median.
        mean: The same of the bucket's mean score (of exp(log-score)).
    """

    rank: Floats
    mass: Floats
    excess: Floats
    mean: Floats

    def above(self, rank: float) -> Floats:
        """Share of each cell that lies above a rank: where losses hardly differ a cell is wide."""
        beyond = self.rank + self.mass / 2 - rank
        return np.clip(beyond / np.maximum(self.mass, 1e-12), 0.0, 1.0)


@dataclass(frozen=True)
class Rule:
    """A rule and the strength at which it is complete.

    Attributes:
        weigh: (surprise, strength, settings) to weights, at least 0, all 1 at strength 0.
        strongest: Greatest strength worth trying, from the settings.
    """

    weigh: Callable[[Surprise, float, BandSettings], Floats]
    strongest: Callable[[BandSettings], float]


def exponential(surprise: Surprise, strength: float, settings: BandSettings) -> Floats:
    """exp(strength (u - 1/2)) over the surprising half, a flat shoulder below it.

    The shoulder sinks from 1 to `settings.shoulder` as the strength grows, which keeps
    strength 0 uniform.
    """
    low = max(settings.shoulder, float(np.exp(-strength)))
    return np.where(surprise.rank < 0.5, low, np.exp(strength * (surprise.rank - 0.5)))


def two_level(surprise: Surprise, strength: float, settings: BandSettings) -> Floats:
    """exp(strength) for the most surprising share `settings.top`, 1 for the rest.

    At an equal effective sample size it gives a rare slice at the top more slots than the
    exponential rule does.
    """
    return 1 + np.expm1(strength) * surprise.above(1 - settings.top)


def temperature(surprise: Surprise, strength: float, settings: BandSettings) -> Floats:
    """A softmax over log-scores: score ** strength.

    Prioritised replay with importance weights `beta` (Schaul et al., arXiv 1511.05952, section
    3.3) is this rule with unseen="max".
    """
    return np.exp(np.clip(strength * surprise.excess, -300, 300))  # sums of them stay finite


def power(surprise: Surprise, strength: float, settings: BandSettings) -> Floats:
    """Rank ** strength: what Selective-Backprop keeps with (arXiv 1910.00762, section 3.1)."""
    return surprise.rank**strength


def percentile(surprise: Surprise, strength: float, settings: BandSettings) -> Floats:
    """Windows between the ranks `settings.low` and `settings.high`, others at 1 - strength."""
    inside = surprise.above(settings.low) - surprise.above(settings.high)
    return 1 - strength * (1 - inside)


def top(surprise: Surprise, strength: float, settings: BandSettings) -> Floats:
    """The most surprising share `settings.top`, others at 1 - strength: hard mining."""
    return 1 - strength * (1 - surprise.above(1 - settings.top))


def mixture_of_classes(surprise: Surprise, strength: float, settings: BandSettings) -> Floats:
    """A fixed share of the slots for every class of surprise, mixed with uniform sampling."""
    widths = np.diff([0.0, *settings.edges, 1.0])
    weights = np.array(settings.shares) / sum(settings.shares) / widths
    above = np.array([surprise.above(edge) for edge in (0.0, *settings.edges, 1.0)])
    own = weights @ (above[:-1] - above[1:])
    return 1 - strength + strength * own


def below_mean(surprise: Surprise, strength: float, settings: BandSettings) -> Floats:
    """1 - `settings.prune` below the mean loss: InfoBatch (arXiv 2303.04947, section 3.2).

    Its rescaled gradients are beta=1, its last epochs on all data the cool-down.
    """
    return np.where(surprise.excess < surprise.mean, 1 - strength * settings.prune, 1.0)


def _one(settings: BandSettings) -> float:
    return 1.0


def _limit(settings: BandSettings) -> float:
    return STRONGEST


def _exponent(settings: BandSettings) -> float:
    return settings.exponent


RULES: dict[RuleName, Rule] = {
    "exponential": Rule(exponential, _limit),
    "two-level": Rule(two_level, _limit),
    "temperature": Rule(temperature, _exponent),
    "power": Rule(power, _exponent),
    "percentile": Rule(percentile, _one),
    "top": Rule(top, _one),
    "mixture": Rule(mixture_of_classes, _one),
    "below-mean": Rule(below_mean, _one),
}
