"""Band rules: from a window's surprise quantile to its selection weight.

Both are exactly uniform at strength 0 and grow more selective with it, so that one number,
lambda, leads from uniform sampling to the strongest band that the sample size allows.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bandpass.curriculum.settings import BandSettings, RuleName

Rule = Callable[[NDArray[np.float64], float, BandSettings], NDArray[np.float64]]


def exponential(
    u: NDArray[np.float64], strength: float, settings: BandSettings
) -> NDArray[np.float64]:
    """exp(strength (u - 1/2)) over the surprising half, a flat shoulder below it.

    The shoulder sinks from 1 to `settings.shoulder` as the strength grows, which keeps
    strength 0 uniform.

    Args:
        u: (...,) surprise quantiles in [0, 1].
        strength: lambda, at least 0.
        settings: Gives `shoulder`.
    """
    low = max(settings.shoulder, float(np.exp(-strength)))
    return np.where(u < 0.5, low, np.exp(strength * (u - 0.5)))


def two_level(
    u: NDArray[np.float64], strength: float, settings: BandSettings
) -> NDArray[np.float64]:
    """exp(strength) for the most surprising share `settings.top`, 1 for the rest.

    At an equal effective sample size it gives a rare slice at the top more slots than the
    exponential rule does. Arguments as for `exponential`.
    """
    return np.where(u > 1 - settings.top, np.exp(strength), 1.0)


RULES: dict[RuleName, Rule] = {"exponential": exponential, "two-level": two_level}
