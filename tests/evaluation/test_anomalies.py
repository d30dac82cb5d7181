import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.evaluation import BASELINES, auc_pr, moving_z_score, pca_residual, vus_pr
from bandpass.evaluation.anomalies import QUIET

EVENT = np.array([0, 0, 1, 0, 0, 0])
SCORES = np.array([0.1, 0.9, 0.8, 0.3, 0.2, 0.0])


def as_defined(event, scores, length, streams) -> float:
    """The area of one buffer row by row and threshold by threshold, as the definition reads."""
    n, soft = len(event), event.astype(float)
    for first in range(n):
        for away in [d for d in range(-(length // 2), length // 2 + 1) if d]:
            last = first
            if not event[first] or (first and event[first - 1] and same(streams, first, -1)):
                continue
            while last + 1 < n and event[last + 1] and same(streams, last, 1):
                last += 1
            row = (first if away < 0 else last) + away
            if 0 <= row < n and streams[row] == streams[first]:
                soft[row] += np.sqrt(1 - abs(away) / length)
    soft = np.minimum(soft, 1)
    runs = []
    for row in np.flatnonzero(soft):
        joined = row and soft[row - 1] > 0 and same(streams, row, -1)
        runs = [*runs[:-1], [*runs[-1], row]] if joined else [*runs, [row]]
    area, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        alarm = scores >= threshold
        found = np.mean([alarm[run].any() for run in runs])
        hits = soft[alarm].sum()
        recall = min(1, hits / ((event.sum() + soft.sum()) / 2)) * found
        area += (recall - before) * hits / alarm.sum()
        before = recall
    return area


def same(streams, row, step) -> bool:
    return streams[row] == streams[row + step]


def test_auc_pr_by_hand():
    assert auc_pr(EVENT, SCORES) == 0.5  # one false alarm, then the event
    assert auc_pr(EVENT, EVENT.astype(float)) == 1
    assert auc_pr(EVENT, np.zeros(6)) == 1 / 6
    assert auc_pr(EVENT, -EVENT.astype(float)) == 1 / 6


def test_vus_pr_by_hand():
    # Buffers 0 and 1 are the curve itself. Buffer 2 gives the rows beside the event a = sqrt(1/2);
    # P is then 1 + a: the first alarm has precision a at recall a / (1 + a), the second precision
    # (1 + a) / 2 at recall 1.
    a = np.sqrt(0.5)
    wide = a * a / (1 + a) + (1 - a / (1 + a)) * (1 + a) / 2
    assert vus_pr(EVENT, SCORES, 0) == vus_pr(EVENT, SCORES, 1) == 0.5
    assert vus_pr(EVENT, SCORES, 2) == pytest.approx((0.5 + 0.5 + wide) / 3, abs=1e-15)
    assert wide == pytest.approx(0.7928932188)


def test_every_event_has_to_be_found():
    # Alarms on the longer of two events: recall 3/4 of the rows, but half of the events.
    event = np.array([1, 1, 1, 0, 0, 1])
    scores = np.array([4.0, 4.0, 4.0, 3.0, 2.0, 1.0])
    assert vus_pr(event, scores, 0) == pytest.approx(0.75 * 0.5 + (1 - 0.375) * 4 / 6)
    assert vus_pr(event, scores, 0) < auc_pr(event, scores) == 0.75 + 0.25 * 4 / 6


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(0, 9), st.integers(1, 3))
def test_vus_pr_is_what_is_written_down(seed, rows, buffer, streams):
    generator = np.random.default_rng(seed)
    event = (generator.random(rows) < 0.3).astype(int)
    event[generator.choice(rows, 2, replace=False)] = 0, 1
    scores = generator.integers(0, 6, rows).astype(float)  # with ties
    stream = np.sort(generator.integers(0, streams, rows))
    wanted = np.mean([as_defined(event, scores, l_, stream) for l_ in range(buffer + 1)])
    assert vus_pr(event, scores, buffer, stream) == pytest.approx(wanted, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_one_event_without_a_buffer_is_the_curve_itself(seed):
    generator = np.random.default_rng(seed)
    event = np.zeros(50, int)
    event[20:27] = 1
    scores = generator.normal(size=50).round(1)
    assert vus_pr(event, scores, 0) == pytest.approx(auc_pr(event, scores), abs=1e-12)
    assert vus_pr(event, event.astype(float), 0) == 1
    assert vus_pr(event, np.ones(50), 0) == pytest.approx(7 / 50)


def test_an_alarm_beside_the_event_counts_with_a_buffer_only():
    event = np.zeros(60, int)
    event[30] = 1
    beside, far = (np.arange(60) == row for row in (31, 50))
    near, wide = (np.where(each, 1.0, 0.0) for each in (beside, far))
    assert vus_pr(event, near, 0) == vus_pr(event, wide, 0)
    assert vus_pr(event, near, 8) > 2 * vus_pr(event, wide, 8)
    streams = (np.arange(60) > 30).astype(int)  # the event ends its stream
    assert vus_pr(event, near, 8, streams) == vus_pr(event, wide, 8, streams)


def test_what_labels_do_not_determine_is_nan():
    for labels in (np.zeros(4, int), np.ones(4, int)):
        assert np.isnan(auc_pr(labels, np.arange(4.0)))
        assert np.isnan(vus_pr(labels, np.arange(4.0), 2))


@pytest.mark.parametrize("measure", [auc_pr, lambda *given: vus_pr(*given, 3)])
@pytest.mark.parametrize(
    ("labels", "scores", "said"),
    [
        (np.zeros(3, int), np.zeros(4), "share a shape"),
        (np.array([0, 1, -1]), np.zeros(3), "leave unknown rows out"),
        (np.array([0, 1]), np.array([0, np.nan]), "1 of 2 scores are not finite"),
    ],
)
def test_malformed_rows_are_refused(measure, labels, scores, said):
    with pytest.raises(ValueError, match=said):
        measure(labels, scores)


def test_a_negative_buffer_is_refused():
    with pytest.raises(ValueError, match="buffer must be at least 0, got -1"):
        vus_pr(EVENT, SCORES, -1)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_finds_a_gross_anomaly(name):
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(2, 4))
    fit, test = (generator.normal(size=(60, 32, 2)) @ mixing for _ in range(2))
    test[7, 20:] += 15
    scores = BASELINES[name](fit, test, seed=0)
    assert scores.shape == (60,)
    assert scores.argmax() == 7
    assert (scores == BASELINES[name](fit, test, seed=0)).all()


@pytest.mark.parametrize("name", BASELINES)
def test_constant_channels_say_nothing_and_nothing_breaks_on_them(name):
    generator = np.random.default_rng(1)
    fit, test = (generator.normal(size=(40, 32, 3)) for _ in range(2))
    for each in (fit, test):
        each[:, :, 2] = 5.0
    assert np.isfinite(BASELINES[name](fit, test, seed=0)).all()
    test[3, :, 2] = 6.0
    assert np.isfinite(BASELINES[name](fit, test, seed=0)).all()


def test_moving_z_score_by_hand():
    fit = np.stack([np.tile([-1.0, 1.0], 4), np.tile([1.0, -1.0], 4)])[:, :, None]  # mean 0, std 1
    test = np.array([[0, 0, 0, 0, 0, 0, 0, 3], [-1, 1, -1, 1, -1, 1, -1, 3.0]])[:, :, None]
    # Two rows before: silence takes the least deviation, -1 and 1 have deviation 1 about 0.
    assert moving_z_score(fit, test, seed=0).tolist() == pytest.approx([3 / QUIET, 3.0])


def test_pca_residual_by_hand():
    # Two channels that go together: the one component that stays is their sum.
    generator = np.random.default_rng(2)
    fit = np.repeat(generator.normal(size=(50, 8, 1)), 2, axis=2)
    scale = fit[:, :, 0].std()
    test = np.full((2, 8, 2), fit.mean())
    test[1] += np.array([1.0, -1.0]) * scale  # one deviation apart, both ways
    assert pca_residual(fit, test, seed=0).tolist() == pytest.approx([0, 2])
    assert pca_residual(fit[:, :, :1], test[:, :, :1], seed=0).tolist() == [0, 0]


def test_the_forest_follows_its_seed():
    generator = np.random.default_rng(3)
    fit, test = generator.normal(size=(2, 30, 16, 2))
    one, other = (BASELINES["isolation forest"](fit, test, seed=seed) for seed in (0, 1))
    assert (one != other).any()


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    ("fit", "test", "said"),
    [
        (np.zeros((3, 8, 2)), np.zeros((3, 8, 1)), "must be windows"),
        (np.zeros((3, 8)), np.zeros((3, 8)), "must be windows"),
        (np.zeros((0, 8, 2)), np.zeros((3, 8, 2)), "must be windows"),
        (np.zeros((3, 8, 2)), np.full((3, 8, 2), np.nan), "test holds NaN or infinity"),
    ],
)
def test_malformed_windows_are_refused(name, fit, test, said):
    with pytest.raises(ValueError, match=said):
        BASELINES[name](fit, test, seed=0)


def test_a_moving_deviation_needs_rows():
    with pytest.raises(ValueError, match="windows of 3 rows or more"):
        moving_z_score(np.zeros((2, 2, 1)), np.zeros((2, 2, 1)), seed=0)
    assert np.isfinite(moving_z_score(np.zeros((2, 3, 1)), np.zeros((2, 3, 1)), seed=0)).all()
