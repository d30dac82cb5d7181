"""Linear readouts: how much of a (future) signal a frozen embedding carries.

Everywhere here NaN in a target means "not measured": it is left out, channel by channel.
"""

from typing import NamedTuple

import numpy as np

from bandpass.evaluation._arrays import (
    Doubles,
    Floats,
    Integers,
    as_features,
    check_rows,
    moments,
)
from bandpass.evaluation.statistics import RESAMPLES, Estimate, interval, missing

ALPHAS = tuple(10.0**power for power in range(-6, 3))
_TAIL = 0.2  # the last part of the fit rows picks alpha: neighbouring windows overlap


class Ridge(NamedTuple):
    """A fitted linear readout, prediction = features @ coefficients + intercept.

    Attributes:
        coefficients: (d, k), 0 for a channel without two measured fit rows.
        intercept: (k,), NaN for a channel without two measured fit rows.
        alpha: The penalty, relative to standardised features and per row.
    """

    coefficients: Doubles
    intercept: Doubles
    alpha: float

    def predict(self, features: Floats) -> Doubles:
        """Return predictions (n, k) for features (n, d)."""
        return as_features(features) @ self.coefficients + self.intercept


class Readout(NamedTuple):
    """What `readout_r2` found.

    Attributes:
        r2: Variance-weighted mean R2 over channels with its 95% interval.
        per_channel: R2 of each channel, (k,); NaN where undefined.
        prediction: Predictions of the test rows, (n, k).
        alpha: The penalty chosen.
    """

    r2: Estimate
    per_channel: Doubles
    prediction: Doubles
    alpha: float


def fit_ridge(features: Floats, targets: Floats) -> Ridge:
    """Fit a centred ridge regression in closed form, float64; the intercept is not penalised.

    Minimises, per channel, mean squared error + alpha |coefficients|^2 on standardised features.
    One alpha of `ALPHAS` serves all channels: the one with the least squared error, relative to
    each channel's variance, on the last fifth of the rows after fitting on the others. With fewer
    than ten rows alpha = 1.

    Args:
        features: Embeddings, (n, d), in time order.
        targets: Signals, (n, k), NaN where not measured.

    Raises:
        ValueError: on shapes that do not match, or features that are not finite.
    """
    x, y = as_features(features), _as_targets(targets, len(features))
    alpha = _pick_alpha(x, y) if len(x) >= 10 else 1.0
    coefficients, intercept = _ridge_path(x, y, (alpha,))[0]
    return Ridge(coefficients, intercept, alpha)


def r2(
    prediction: Floats,
    targets: Floats,
    groups: Integers | None = None,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> tuple[Estimate, Doubles]:
    """Variance-weighted R2 of any prediction, with a bootstrap 95% interval.

    R2 of a channel is 1 - SSE / SST over its measured rows, SST about the mean of those rows; the
    mean over channels weighs by SST. Rows whose prediction or target is NaN are left out. A
    channel that is constant, or has fewer than two rows, is NaN and left out of the mean.

    Args:
        prediction: (n, k).
        targets: (n, k), NaN where not measured.
        groups: Resampled as wholes when given, (n,), see `statistics.block_groups`.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        The estimate, whose `count` is the number of rows used, and the R2 per channel, (k,).
    """
    y = _as_targets(targets, len(prediction))
    if prediction.shape != y.shape:
        raise ValueError(f"prediction must have shape {y.shape}, got {prediction.shape}")
    check_rows(len(y), groups=groups)
    used = np.isfinite(y) & np.isfinite(prediction)
    centre = np.where(used, y, 0).sum(axis=0) / np.maximum(used.sum(axis=0), 1)
    # Deviations from the overall mean: sums of squares then lose no digits to a large offset.
    deviation = np.where(used, y - centre, 0)
    error = np.where(used, y - prediction, 0) ** 2
    total = (deviation**2).sum(axis=0)
    valid = (used.sum(axis=0) > 1) & (total > 1e-20 * np.maximum(centre**2, 1e-300))
    per_channel = np.full(y.shape[1], np.nan)
    per_channel[valid] = 1 - error.sum(axis=0)[valid] / total[valid]
    rows = used[:, valid].any(axis=1)
    if not rows.any():
        return missing("no channel has two measured, differing targets"), per_channel
    stats = [part[rows][:, valid] for part in (error, deviation, deviation**2, used.astype(float))]
    member = np.arange(rows.sum()) if groups is None else groups[rows]

    def statistic(weights: Doubles) -> Doubles:
        sse, first, second, count = (weights @ part for part in stats)
        spread = second - first**2 / np.maximum(count, 1e-300)
        return (1 - sse.sum(axis=1) / np.maximum(spread.sum(axis=1), 1e-300))[:, None]

    low, high = interval(statistic, member, resamples=resamples, seed=seed)
    value = float(statistic(np.ones((1, len(member))))[0, 0])
    note = "" if len(np.unique(member)) > 1 else "1 group: no interval"
    return Estimate(value, float(low[0]), float(high[0]), len(member), note), per_channel


def readout_r2(
    fit_features: Floats,
    fit_targets: Floats,
    features: Floats,
    targets: Floats,
    groups: Integers | None = None,
    *,
    seed: int,
) -> Readout:
    """Fit a ridge readout on the fit part and score it on the test part.

    For the next-state readout `features` are embeddings; for the future readout (pfc) they are the
    predictor's output pooled over the masked future, and the targets are the future's raw channels.

    Args:
        fit_features: (n, d), in time order (the last fifth chooses the penalty).
        fit_targets: (n, k), NaN where not measured.
        features: (m, d).
        targets: (m, k), NaN where not measured.
        groups: Groups of the test rows for the bootstrap, (m,), see `statistics.block_groups`.
        seed: Seed of the bootstrap.
    """
    check_rows(len(features), targets=targets, groups=groups)
    ridge = fit_ridge(fit_features, fit_targets)
    prediction = ridge.predict(features)
    estimate, per_channel = r2(prediction, targets, groups, seed=seed)
    return Readout(estimate, per_channel, prediction, ridge.alpha)


def persistence_skill(
    prediction: Floats,
    targets: Floats,
    last: Floats,
    groups: Integers | None = None,
    *,
    seed: int,
) -> Estimate:
    """Skill 1 - SSE(prediction) / SSE(persistence) over channels, with a bootstrap 95% interval.

    Args:
        prediction: (n, k), for example `Readout.prediction`.
        targets: (n, k), NaN where not measured.
        last: The persistence forecast, the channel's last measured value, (n, k), NaN if none.
        groups: Resampled as wholes when given, (n,), see `statistics.block_groups`.
        seed: Seed of the bootstrap.

    Returns:
        The estimate: 0 equals persistence, 1 is perfect. Entries where any of the three is NaN are
        left out; NaN with count 0 and a note when none is left or persistence makes no error.
    """
    y = _as_targets(targets, len(prediction))
    if not prediction.shape == last.shape == y.shape:
        raise ValueError(
            f"prediction, targets and last must share a shape (n, k), got {prediction.shape}, "
            f"{targets.shape} and {last.shape}"
        )
    check_rows(len(y), groups=groups)
    used = np.isfinite(y) & np.isfinite(prediction) & np.isfinite(last)
    model = np.where(used, prediction - y, 0) ** 2
    naive = np.where(used, last - y, 0) ** 2
    if not naive.any():
        return missing("no measured target on which persistence errs")
    rows = used.any(axis=1)
    errors = np.stack([model.sum(axis=1), naive.sum(axis=1)], axis=1)[rows]
    member = np.arange(len(errors)) if groups is None else groups[rows]

    def statistic(weights: Doubles) -> Doubles:
        sums = weights @ errors
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample may hold no error at all
            return (1 - sums[:, 0] / sums[:, 1])[:, None]

    low, high = interval(statistic, member, seed=seed)
    value = float(statistic(np.ones((1, len(errors))))[0, 0])
    note = "" if len(np.unique(member)) > 1 else "1 group: no interval"
    return Estimate(value, float(low[0]), float(high[0]), len(errors), note)


def _pick_alpha(x: Doubles, y: Doubles) -> float:
    """Return the alpha of least relative squared error on the tail, 1 where the tail has none."""
    head = len(x) - int(_TAIL * len(x))
    measured = np.isfinite(y)
    count = np.maximum(measured.sum(axis=0), 1)
    centred = np.where(measured, y - np.where(measured, y, 0).sum(axis=0) / count, 0)
    variance = (centred**2).sum(axis=0) / count
    variance[variance == 0] = np.nan
    errors = []
    for coefficients, intercept in _ridge_path(x[:head], y[:head], ALPHAS):
        relative = (x[head:] @ coefficients + intercept - y[head:]) ** 2 / variance
        scored = relative[np.isfinite(relative)]
        if len(scored) == 0:
            return 1.0
        errors.append(scored.mean())
    return ALPHAS[int(np.argmin(errors))]


def _ridge_path(x: Doubles, y: Doubles, alphas: tuple[float, ...]) -> list[tuple[Doubles, Doubles]]:
    """Coefficients (d, k) and intercept (k,) for each alpha; channels missing alike share a fit."""
    measured = np.isfinite(y)
    path = [(np.zeros((x.shape[1], y.shape[1])), np.full(y.shape[1], np.nan)) for _ in alphas]
    patterns, pattern_of = np.unique(measured, axis=1, return_inverse=True)
    for index, rows in enumerate(patterns.T):
        if rows.sum() < 2:
            continue
        channels = np.flatnonzero(pattern_of.reshape(-1) == index)
        chosen, target = x[rows], y[np.ix_(rows, channels)]
        (mean, scale), centre = moments(chosen), target.mean(axis=0)
        z = (chosen - mean) / scale
        values, vectors = np.linalg.eigh(z.T @ z / len(z))
        moment = vectors.T @ (z.T @ (target - centre) / len(z))
        for alpha, (coefficients, intercept) in zip(alphas, path, strict=True):
            shrunk = moment / (np.maximum(values, 0) + alpha)[:, None]
            coefficients[:, channels] = (vectors @ shrunk) / scale[:, None]
            intercept[channels] = centre - mean @ coefficients[:, channels]
    return path


def _as_targets(targets: Floats, rows: int) -> Doubles:
    """Return float64 targets (rows, k), infinities refused, NaN kept."""
    if targets.ndim != 2 or len(targets) != rows:
        raise ValueError(f"targets must have shape ({rows}, k), got {targets.shape}")
    if np.isinf(targets).any():
        raise ValueError("targets hold infinities; mark what was not measured as NaN")
    return targets.astype(np.float64)
