"""Normal retention: what a curriculum that chases surprise may have lost on normal operation."""

from dataclasses import dataclass

import numpy as np

from bandpass.evaluation._arrays import Doubles, Floats, Integers, check_rows
from bandpass.evaluation.classification import classify
from bandpass.evaluation.forecasting import readout_r2
from bandpass.evaluation.probes import logistic
from bandpass.evaluation.rare_events import Curve, false_alarms_at
from bandpass.evaluation.statistics import Estimate, interval, missing

FIXED_RECALL = 0.8


@dataclass(frozen=True, slots=True)
class LabelledWindows:
    """Embeddings of a split with everything known about its windows, in time order.

    Attributes:
        features: Embeddings, (n, d).
        targets: Signals to read out, (n, k), NaN where not measured.
        labels: 1 event, 0 normal, negative unknown, (n,).
        regimes: Regime of each window, negative unknown, (n,).
        groups: Groups for the bootstrap, (n,), see `statistics.block_groups`.
    """

    features: Floats
    targets: Floats
    labels: Integers
    regimes: Integers
    groups: Integers | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless all have as many rows as `features`."""
        check_rows(
            len(self.features),
            targets=self.targets,
            labels=self.labels,
            regimes=self.regimes,
            groups=self.groups,
        )


def normal_retention(
    fit: LabelledWindows, test: LabelledWindows, scores: Floats, *, seed: int
) -> dict[str, Estimate]:
    """Measure how well normal windows are still represented.

    Args:
        fit: Labelled windows that readout and probe are fitted on.
        test: Windows to score.
        scores: Event scores of the test windows, higher is more suspicious, (n,).
        seed: Seed of probe and bootstrap.

    Returns:
        Estimates, each NaN with count 0 and a note when the data does not determine it:
        normal_readout_r2, variance-weighted, fitted and scored on normal windows only;
        normal_regime_accuracy and normal_regime_macro_f1 of a logistic probe within normal windows
        (needs two known regimes in `fit`); false_alarms_at_80pct_recall, the lowest false-alarm
        rate at which 80% of the events are found (lower is better).
    """
    check_rows(len(test.features), scores=scores)
    known, tested = fit.labels == 0, test.labels == 0
    groups = None if test.groups is None else test.groups[tested]
    if known.sum() < 2 or not tested.any():
        reason = f"{known.sum()} normal windows to fit on, {tested.sum()} to test"
        readout = missing(reason)
    else:
        readout = readout_r2(
            fit.features[known],
            fit.targets[known],
            test.features[tested],
            test.targets[tested],
            groups,
            seed=seed,
        ).r2
    regimes = _regime_scores(fit, test, seed=seed)
    return {
        "normal_readout_r2": readout,
        "normal_regime_accuracy": regimes["accuracy"],
        "normal_regime_macro_f1": regimes["macro_f1"],
        "false_alarms_at_80pct_recall": false_alarms_at_recall(
            test.labels, scores, test.groups, seed=seed
        ),
    }


def false_alarms_at_recall(
    labels: Integers,
    scores: Floats,
    groups: Integers | None = None,
    *,
    recall: float = FIXED_RECALL,
    seed: int,
) -> Estimate:
    """Lowest false-alarm rate at which `recall` of the events are found, with 95% interval.

    Labels below 0 are left out. `count` is the number of events; NaN with count 0 and a note
    without events or without normal windows, and a NaN interval with events in a single group.
    """
    check_rows(len(labels), scores=scores, groups=groups)
    if not 0 < recall <= 1:
        raise ValueError(f"recall must lie in (0, 1], got {recall}")
    kept = labels >= 0
    positive = labels[kept] > 0
    count = int(positive.sum())
    if count in (0, len(positive)):
        return missing(f"{count} events and {len(positive) - count} normal windows")
    if not np.isfinite(scores[kept]).all():
        raise ValueError(f"{(~np.isfinite(scores[kept])).sum()} scores are NaN or infinite")
    curve = Curve(positive, scores[kept])

    def statistic(weights: Doubles) -> Doubles:
        return false_alarms_at(*curve(weights), recall)[:, None]

    member = np.arange(len(positive)) if groups is None else groups[kept]
    value = float(statistic(np.ones((1, len(positive))))[0, 0])
    if len(np.unique(member[positive])) < 2:
        note = "the events lie in 1 group: no interval"
        return Estimate(value, float("nan"), float("nan"), count, note)
    low, high = interval(statistic, member, strata=positive, seed=seed)
    return Estimate(value, float(low[0]), float(high[0]), count)


def _regime_scores(
    fit: LabelledWindows, test: LabelledWindows, *, seed: int
) -> dict[str, Estimate]:
    known = (fit.labels == 0) & (fit.regimes >= 0)
    tested = (test.labels == 0) & (test.regimes >= 0)
    classes = np.unique(fit.regimes[known])
    if len(classes) < 2 or not tested.any():
        reason = f"{len(classes)} normal regimes to fit on, {tested.sum()} windows to test"
        return dict.fromkeys(("accuracy", "macro_f1"), missing(reason))
    probabilities = logistic(
        fit.features[known], fit.regimes[known], test.features[tested], seed=seed
    )
    groups = None if test.groups is None else test.groups[tested]
    return classify(test.regimes[tested], probabilities, classes, groups, seed=seed)
