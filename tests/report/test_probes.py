"""The verdicts say no more than the intervals do."""

from dataclasses import replace

import numpy as np
import pytest

from bandpass.report.probes import Score, apart, best, direction, headline, primary, verdict

BASE = Score("pretrained", "pretrained", "mean", "regimes", "macro_f1", 0.7, 0.68, 0.72, 1000)
RANDOM = replace(BASE, row="random-init", encoder="random-init", value=0.6, low=0.58, high=0.62)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("average_precision", 1),
        ("macro_f1", 1),
        ("recall_at_1pct", 1),
        ("r2", 1),
        ("brier", -1),
        ("ece", -1),
        ("false_alarms_at_90pct", -1),
        ("effective_rank", 0),
        ("autocorrelation", 0),
    ],
)
def test_direction(metric: str, expected: int) -> None:
    assert direction(metric) == expected


def test_verdict_beats_when_intervals_lie_apart() -> None:
    says = verdict("regimes", [BASE, RANDOM])
    assert says.outcome == "yes"
    assert says.label == "Regimes: beats random init"
    assert "0.700 [0.680, 0.720] against 0.600" in says.sentence


def test_verdict_is_worse_when_random_init_is_above() -> None:
    says = verdict("regimes", [BASE, replace(RANDOM, value=0.8, low=0.78, high=0.82)])
    assert says.outcome == "no"
    assert "worse than random init" in says.label


@pytest.mark.parametrize("low", [0.5, np.nan])
def test_verdict_stays_open_when_intervals_overlap_or_are_missing(low: float) -> None:
    assert verdict("regimes", [replace(BASE, low=low), RANDOM]).outcome == "open"


def test_verdict_without_a_control_is_not_compared() -> None:
    says = verdict("regimes", [BASE])
    assert says.outcome == "open"
    assert "not compared" in says.label


def test_verdict_takes_the_pooling_where_random_init_is_strongest() -> None:
    strong = replace(RANDOM, pooling="max", value=0.75, low=0.73, high=0.77)
    says = verdict("regimes", [BASE, RANDOM, replace(BASE, pooling="max"), strong])
    assert says.outcome == "no"


def test_verdict_names_a_stronger_control() -> None:
    raw = replace(BASE, row="raw-features", encoder="raw-features", value=0.9, low=0.88, high=0.92)
    assert "But raw-features scores clearly better" in verdict("t", [BASE, RANDOM, raw]).sentence


def test_best_needs_an_interval_apart_from_all_others() -> None:
    assert best([BASE, RANDOM]) is BASE
    rival = replace(RANDOM, row="raw-patch", encoder="raw-patch", value=0.69, low=0.67, high=0.71)
    assert best([BASE, RANDOM, rival]) is None


def test_best_goes_down_for_errors_and_nowhere_for_descriptions() -> None:
    lower = [replace(score, metric="brier") for score in (BASE, RANDOM)]
    assert best(lower) is lower[1]
    assert best([replace(score, metric="effective_rank") for score in (BASE, RANDOM)]) is None


def test_apart_needs_finite_intervals() -> None:
    assert apart(BASE, RANDOM)
    assert not apart(RANDOM, BASE)
    assert not apart(replace(BASE, high=np.nan), RANDOM)


def test_primary_prefers_a_metric_with_an_interval() -> None:
    bare = replace(BASE, metric="accuracy", low=np.nan, high=np.nan)
    rank = replace(BASE, metric="effective_rank")
    assert primary([rank, bare, BASE]) == "macro_f1"
    assert primary([rank, bare]) == "accuracy"
    assert primary([rank]) is None


def test_headline_counts_and_admits() -> None:
    won, lost = verdict("a", [BASE, RANDOM]), verdict("b", [BASE, replace(BASE, row="random-init")])
    assert headline([won]).outcome == "yes"
    assert "on 1 of 2 tasks" in headline([won, lost]).sentence
    assert headline([lost]).outcome == "no"
