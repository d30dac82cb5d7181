import dataclasses

import numpy as np
import pytest

from bandpass.evaluation import LabelledWindows, false_alarms_at_recall, normal_retention


def windows(n: int, *, seed: int) -> LabelledWindows:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 5))
    labels = (generator.random(n) < 0.1).astype(int)
    regimes = (x[:, 1] > 0).astype(int)
    targets = x[:, :2] + 0.3 * generator.normal(size=(n, 2))
    return LabelledWindows(x, targets, labels, regimes, np.arange(n) // 10)


def test_events_do_not_reach_the_normal_readout():
    fit, test = windows(500, seed=0), windows(500, seed=1)
    clean = normal_retention(fit, test, test.features[:, 0], seed=0)
    for part in (fit, test):
        part.targets[part.labels == 1] = 1e6
        part.regimes[part.labels == 1] = 7
    spoiled = normal_retention(fit, test, test.features[:, 0], seed=0)
    assert spoiled == clean
    assert clean["normal_readout_r2"].value == pytest.approx(1 / 1.09, abs=0.03)
    assert clean["normal_regime_accuracy"].value > 0.95
    assert clean["normal_regime_macro_f1"].count == (test.labels == 0).sum()
    for estimate in clean.values():
        assert estimate.low <= estimate.value <= estimate.high


def test_false_alarms_at_recall_by_hand():
    # Five events and ten normal windows; the fourth event is found after two false alarms.
    labels = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    scores = -np.arange(15.0)
    assert false_alarms_at_recall(labels, scores, seed=0).value == 0.2
    assert false_alarms_at_recall(labels, scores, recall=0.6, seed=0).value == 0.1
    assert false_alarms_at_recall(labels, scores, recall=1.0, seed=0).value == 1.0
    assert false_alarms_at_recall(labels, scores, seed=0).count == 5


def test_what_the_data_does_not_determine_is_nan_with_a_reason():
    fit, test = windows(50, seed=0), windows(50, seed=1)
    fit = dataclasses.replace(fit, regimes=np.zeros(50, dtype=int))
    test = dataclasses.replace(test, labels=np.zeros(50, dtype=int))
    found = normal_retention(fit, test, np.zeros(50), seed=0)
    assert found["normal_regime_accuracy"].note.startswith("1 normal regimes")
    assert found["false_alarms_at_80pct_recall"].note == "0 events and 50 normal windows"
    assert np.isfinite(found["normal_readout_r2"].value)
    unknown = dataclasses.replace(test, labels=np.full(50, -1))
    found = normal_retention(fit, unknown, np.zeros(50), seed=0)
    assert all(np.isnan(e.value) and e.count == 0 and e.note for e in found.values())


def test_events_of_one_group_have_no_interval():
    labels = np.array([1, 1, 0, 0])
    found = false_alarms_at_recall(labels, np.arange(4.0), np.array([0, 0, 1, 2]), seed=0)
    assert found.value == 1.0
    assert np.isnan(found.low)
    assert found.note == "the events lie in 1 group: no interval"


def test_malformed_input_is_named():
    part = windows(20, seed=0)
    with pytest.raises(ValueError, match="labels must have 20 rows"):
        dataclasses.replace(part, labels=np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="scores must have 20 rows"):
        normal_retention(part, part, np.zeros(3), seed=0)
    with pytest.raises(ValueError, match=r"recall must lie in \(0, 1\], got 0"):
        false_alarms_at_recall(part.labels, np.zeros(20), recall=0.0, seed=0)
    with pytest.raises(ValueError, match="20 scores are NaN"):
        false_alarms_at_recall(part.labels, np.full(20, np.nan), seed=0)
