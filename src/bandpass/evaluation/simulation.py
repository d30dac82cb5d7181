"""Tables of two equal arms, to see how often the test that judges arms is wrong, or right."""

import numpy as np

from bandpass.evaluation._arrays import Doubles, eval_extra
from bandpass.evaluation.comparison import holm
from bandpass.evaluation.statistics import Estimate, missing, sign_flip_p


def rejection_rate(tables: Doubles, *, alpha: float = 0.05, seed: int = 0) -> Estimate:
    """Share of tables in which the sign-flip test with Holm finds any difference.

    Of tables of two equal arms this is the rate of false positives, of planted ones the power.

    Args:
        tables: Paired differences, (tables, n, metrics), finite.
        alpha: Level of the test within a table.
        seed: Seed of the sign flips when n > 12.

    Returns:
        The share with its exact binomial 95% interval (Clopper and Pearson, 1934).
    """
    if not len(tables):
        return missing("no tables")
    generator = np.random.default_rng(seed)
    p = np.stack([sign_flip_p(table, generator) for table in tables])
    found, count = int((holm(p) <= alpha).any(axis=1).sum()), len(tables)
    beta = eval_extra("scipy.special").betaincinv
    low = float(beta(found, count - found + 1, 0.025)) if found else 0.0
    high = float(beta(found + 1, count - found, 0.975)) if found < count else 1.0
    return Estimate(found / count, low, high, count)


def equal_arms(
    shape: tuple[int, int, int], *, correlation: float = 0.5, freedom: float = 4.0, seed: int
) -> Doubles:
    """Draw tables of paired differences between two equal arms.

    Args:
        shape: Tables, seeds and metrics.
        correlation: Between any two metrics, in [0, 1).
        freedom: Degrees of freedom of the multivariate t of each arm: a seed that goes astray does
            so in all metrics.
        seed: Seed of the draw.

    Returns:
        Differences of the two arms' noise, of `shape`; what seeds share is gone from them.
    """
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(2, *shape)) * (1 - correlation) ** 0.5
    noise += generator.normal(size=(2, *shape[:2], 1)) * correlation**0.5
    noise /= (generator.chisquare(freedom, size=(2, *shape[:2], 1)) / freedom) ** 0.5
    return noise[0] - noise[1]


def exchanged(differences: Doubles, shape: tuple[int, int], *, seed: int) -> Doubles:
    """Draw tables of equal arms from measured differences of two equal arms.

    Args:
        differences: Between two arms that differ in nothing that should matter, (seeds, metrics).
        shape: Tables and seeds to draw.
        seed: Seed of the draw.

    Returns:
        Rows drawn with replacement, the two arms of each exchanged at random, (*shape, metrics):
        tails and correlation as measured, and no difference between the arms.
    """
    if not len(differences):
        raise ValueError("there are no measured differences to draw from: run uniform-again")
    generator = np.random.default_rng(seed)
    rows = differences[generator.integers(0, len(differences), size=shape)]
    return rows * generator.choice([-1.0, 1.0], size=(*shape, 1))
