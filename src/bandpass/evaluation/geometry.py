"""Shape of an embedding cloud: rank, isotropy per regime, smoothness over time, coverage."""

from typing import NamedTuple

import numpy as np

from bandpass.evaluation._arrays import Doubles, Floats, Integers, as_features, check_rows
from bandpass.evaluation.statistics import Estimate, interval, missing

_RANKME_EPSILON = 1e-7


class RegimeGeometry(NamedTuple):
    """Covariance of the embeddings of one regime, see `regime_geometry`.

    Attributes:
        count: Windows of the regime.
        rank: Effective rank of the covariance.
        trace: Total variance.
        isotropy: tr(C)^2 / (d tr(C^2)): 1 for a sphere, 1/d for a line.
    """

    count: int
    rank: float
    trace: float
    isotropy: float


def rankme(embeddings: Floats) -> float:
    """RankMe of embeddings (n, d): exp(-sum p ln p), p = sigma / sum(sigma) + 1e-7.

    Sigma are the singular values of the uncentred matrix (Garrido et al., arXiv 2210.02885,
    equation 1). It is blind to scale: see the collapse terms for that. All-zero embeddings give 0.
    """
    sigma = np.linalg.svd(_cloud(embeddings), compute_uv=False)
    if sigma.sum() == 0:
        return 0.0
    p = sigma / sigma.sum() + _RANKME_EPSILON
    return float(np.exp(-(p * np.log(p)).sum()))


def effective_rank(embeddings: Floats) -> float:
    """Effective rank of the covariance of embeddings (n, d): exp of its spectral entropy.

    Roy & Vetterli, "The effective rank" (EUSIPCO 2007), on the eigenvalues of the covariance, so
    the mean and the scale do not matter. Constant embeddings give 0, fewer than two rows NaN.
    """
    cloud = _cloud(embeddings)
    return _entropy_rank(_spectrum(cloud)) if len(cloud) > 1 else float("nan")


def regime_geometry(embeddings: Floats, regimes: Integers) -> dict[int, RegimeGeometry]:
    """Effective rank, variance and isotropy within each regime.

    Args:
        embeddings: (n, d).
        regimes: Regime of each window, (n,); negative ones are unknown and left out.

    Returns:
        Geometry by regime. A regime with one window has NaN everywhere but in `count`; identical
        windows give rank 0, trace 0 and isotropy NaN.
    """
    cloud = _cloud(embeddings)
    check_rows(len(cloud), regimes=regimes)
    result: dict[int, RegimeGeometry] = {}
    nan = float("nan")
    for regime in np.unique(regimes[regimes >= 0]):
        part = cloud[regimes == regime]
        if len(part) < 2:
            result[int(regime)] = RegimeGeometry(len(part), nan, nan, nan)
            continue
        values = _spectrum(part)
        trace, squared = float(values.sum()), float((values**2).sum())
        isotropy = trace**2 / (len(values) * squared) if squared > 0 else nan
        result[int(regime)] = RegimeGeometry(len(part), _entropy_rank(values), trace, isotropy)
    return result


def positive_pairs(
    embeddings: Floats, series: Integers, starts: Integers, lag: int, *, seed: int
) -> dict[str, Estimate]:
    """Cosine similarity of a window with its successor, against a random pair.

    The successor is the first window of the same series that starts at least `lag` and less than
    2 `lag` rows later. With `lag` at least a window length the two share no row; otherwise they
    are similar by construction. Embeddings are centred first.

    Args:
        embeddings: (n, d).
        series: Series index of each window, (n,).
        starts: First row of each window in its series, (n,).
        lag: Rows between a window and its successor, positive.
        seed: Draws the random partners and the bootstrap over series.

    Returns:
        Estimates positive, random and difference (their paired difference), with `count` pairs and
        a 95% interval from resampling series (NaN with a single one). NaN with count 0 and a note
        when no window has a successor.
    """
    cloud = _cloud(embeddings)
    check_rows(len(cloud), series=series, starts=starts)
    if lag < 1:
        raise ValueError(f"lag must be a positive number of rows, got {lag}")
    names = ("positive", "random", "difference")
    first, second = _successors(series.astype(np.int64), starts.astype(np.int64), lag)
    if len(first) == 0:
        return dict.fromkeys(names, missing(f"no two windows of a series lie {lag} rows apart"))
    centred = cloud - cloud.mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(length > 0, length, 1)
    # An offset of 1..n-1 never pairs a window with itself.
    generator = np.random.default_rng(seed)
    other = (first + generator.integers(1, len(cloud), size=len(first))) % len(cloud)
    positive = (unit[first] * unit[second]).sum(axis=1)
    random = (unit[first] * unit[other]).sum(axis=1)
    columns = np.stack([positive, random, positive - random], axis=1)
    low, high = interval(lambda w: w @ columns / w.sum(1)[:, None], series[first], seed=seed)
    note = "" if len(np.unique(series[first])) > 1 else "1 series: no interval"
    return {
        name: Estimate(float(columns[:, i].mean()), float(low[i]), float(high[i]), len(first), note)
        for i, name in enumerate(names)
    }


def coverage(reference: Floats, drawn: Floats, *, neighbours: int = 5) -> float:
    """Share of reference points with a drawn point inside their k-nearest-neighbour ball.

    Naeem et al., "Reliable Fidelity and Diversity Metrics" (arXiv 2002.09797, equation 4). With
    evaluation windows as reference and the windows a sampler drew, it says how much of the stream
    training has been near. NaN when there are no more than `neighbours` reference points.

    Args:
        reference: (n, d).
        drawn: (m, d).
        neighbours: k of the ball around each reference point, itself not counted.
    """
    centre, other = _cloud(reference), as_features(drawn, "drawn")
    if centre.shape[1] != other.shape[1]:
        raise ValueError(f"drawn must have {centre.shape[1]} columns, got {other.shape}")
    if neighbours < 1:
        raise ValueError(f"neighbours must be positive, got {neighbours}")
    if len(centre) <= neighbours:
        return float("nan")
    if len(other) == 0:
        return 0.0
    covered = 0
    at_once = max(1, 4_000_000 // max(len(centre), len(other)))
    for begin in range(0, len(centre), at_once):
        rows = centre[begin : begin + at_once]
        among = _squared_distances(rows, centre)
        among[np.arange(len(rows)), begin + np.arange(len(rows))] = np.inf
        radius = np.partition(among, neighbours - 1, axis=1)[:, neighbours - 1]
        covered += int((_squared_distances(rows, other).min(axis=1) <= radius).sum())
    return covered / len(centre)


def _cloud(embeddings: Floats) -> Doubles:
    cloud = as_features(embeddings, "embeddings")
    if cloud.size == 0:
        raise ValueError(f"embeddings must not be empty, got shape {cloud.shape}")
    return cloud


def _spectrum(cloud: Doubles) -> Doubles:
    """Eigenvalues of the covariance, rounding noise set to 0, so constant clouds have rank 0."""
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(cloud, rowvar=False)))
    floor = 1e-20 * max(float((cloud**2).sum(axis=1).max()), 1e-300)
    return np.where(values > floor, values, 0.0)


def _entropy_rank(values: Doubles) -> float:
    used = values[values > 0]
    if len(used) == 0:
        return 0.0
    p = used / used.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


def _successors(series: Integers, starts: Integers, lag: int) -> tuple[Integers, Integers]:
    order = np.lexsort((starts, series))
    span = int(starts.max() - starts.min()) + 2 * lag + 1  # keeps the series apart on one axis
    key = np.unique(series, return_inverse=True)[1].reshape(-1) * span + starts - starts.min()
    ranked = key[order]
    place = np.searchsorted(ranked, ranked + lag)
    found = place < len(ranked)
    found[found] = ranked[place[found]] < ranked[found] + 2 * lag
    return order[found], order[place[found]]


def _squared_distances(a: Doubles, b: Doubles) -> Doubles:
    return np.maximum((a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1), 0)
