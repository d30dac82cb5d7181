"""What a frozen encoder is asked, each task as rows of ``evaluation.parquet``."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bandpass.evaluation import (
    PROBES,
    Estimate,
    LabelledWindows,
    calibration_errors,
    classify,
    effective_rank,
    few_shot_draws,
    normal_retention,
    persistence_skill,
    positive_pairs,
    rankme,
    rare_slice,
    readout_r2,
    regime_geometry,
)

Row = dict[str, object]
Found = Iterator[tuple[str, str, Estimate]]
"""(task, metric, estimate) triples."""


@dataclass(frozen=True)
class Side:
    """What is known of the windows that probes are fitted on, or scored on.

    Attributes:
        labels: (n,) 1 event, 0 normal, -1 unlabelled.
        regimes: (n,) regime codes, -1 unknown.
        series: (n,) series of each window.
        starts: (n,) first row of each window in its series.
        groups: (n,) blocks for the bootstrap.
        targets: (n, channels) mean of the hidden last quarter, NaN where nothing was observed.
        last: (n, channels) last observed value before it.
    """

    labels: np.ndarray
    regimes: np.ndarray
    series: np.ndarray
    starts: np.ndarray
    groups: np.ndarray
    targets: np.ndarray
    last: np.ndarray


def event_probes(fit: np.ndarray, test: np.ndarray, of: Side, seed: int) -> dict[str, np.ndarray]:
    """Score the test windows for events with every probe: (n,), or (draws, n) when few-shot.

    Empty when the fit windows do not hold both events and normal windows.
    """
    known = of.labels >= 0
    labels = of.labels[known]
    if len(np.unique(labels)) < 2:
        return {}
    fit = fit[known]
    scores = {name: probe(fit, labels, test, seed=seed)[:, 1] for name, probe in PROBES.items()}
    # One few-shot probe is what a user fits; the mean of many would be an ensemble.
    scores["few-shot logistic"] = few_shot_draws(fit, labels, test, seed=seed)[:, :, 1]
    return scores


def rare_events(scores: dict[str, np.ndarray], on: Side, seed: int) -> Found:
    """Rank the rare slice by every probe's scores; check the calibration of the logistic ones."""
    for name, chance in scores.items():
        for metric, value in rare_slice(on.labels, chance, on.groups, seed=seed).items():
            yield f"rare slice, {name}", metric, value
    if "logistic" in scores:
        errors = calibration_errors(on.labels, scores["logistic"], on.groups, seed=seed)
        for metric, value in errors.items():
            yield "rare slice, logistic", metric, value


def regimes(fit: np.ndarray, test: np.ndarray, of: Side, on: Side, seed: int) -> Found:
    """Tell the regimes apart with a logistic probe."""
    known = of.regimes >= 0
    classes = np.unique(of.regimes[known])
    if len(classes) < 2:
        return
    chance = PROBES["logistic"](fit[known], of.regimes[known], test, seed=seed)
    found = classify(on.regimes, chance, classes, on.groups, seed=seed)
    for metric, value in found.items():
        yield "regime", metric, value


def retention(
    fit: np.ndarray, test: np.ndarray, of: Side, on: Side, scores: np.ndarray, seed: int
) -> Found:
    """Check that normal windows are still told apart and read out.

    Args:
        fit: (n, dim) embeddings of the fit windows.
        test: (m, dim) embeddings of the test windows.
        of: What is known of the fit windows.
        on: What is known of the test windows.
        scores: (m,) event scores of the test windows, for the false alarms.
        seed: Of probe and bootstrap.
    """
    found = normal_retention(
        LabelledWindows(fit, of.targets, of.labels, of.regimes),
        LabelledWindows(test, on.targets, on.labels, on.regimes, on.groups),
        scores,
        seed=seed,
    )
    for metric, value in found.items():
        yield "normal retention", metric, value


def readout(task: str, fit: np.ndarray, test: np.ndarray, of: Side, on: Side, seed: int) -> Found:
    """Read the hidden future's raw channels linearly, beside persistence."""
    found = readout_r2(fit, of.targets, test, on.targets, on.groups, seed=seed)
    yield task, "r2", found.r2
    skill = persistence_skill(found.prediction, on.targets, on.last, on.groups, seed=seed)
    yield task, "skill_over_persistence", skill


def geometry(test: np.ndarray, on: Side, lag: int, names: list[str], seed: int) -> Found:
    """Describe the cloud of embeddings: rank, spread per regime, smoothness over time."""
    nan = float("nan")
    yield "geometry", "rankme", Estimate(rankme(test), nan, nan, len(test))
    yield "geometry", "effective_rank", Estimate(effective_rank(test), nan, nan, len(test))
    for metric, value in positive_pairs(test, on.series, on.starts, lag, seed=seed).items():
        yield "geometry", f"pair_similarity_{metric}", value
    for code, shape in regime_geometry(test, on.regimes).items():
        for metric, value in (("rank", shape.rank), ("isotropy", shape.isotropy)):
            yield f"geometry, {names[code]}", metric, Estimate(value, nan, nan, shape.count)
