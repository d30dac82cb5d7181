import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from bandpass.evaluation import block_groups, rare_slice

METRICS = {
    "average_precision",
    "auroc",
    "recall_at_1pct",
    "recall_at_5pct",
    "prevalence",
}


def ranking(n: int = 2000, rate: float = 0.05, *, seed: int = 0):
    generator = np.random.default_rng(seed)
    labels = (generator.random(n) < rate).astype(int)
    return labels, labels * 1.5 + generator.normal(size=n)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_agrees_with_scikit_learn_ties_included(rows):
    labels, scores = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    found = rare_slice(labels, scores, seed=0, resamples=2)
    assert found["average_precision"].value == pytest.approx(
        average_precision_score(labels, scores)
    )
    assert found["auroc"].value == pytest.approx(roc_auc_score(labels, scores))
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert found["recall_at_5pct"].value == pytest.approx(true[false <= 0.05].max())


def test_recall_at_few_false_alarms_by_hand():
    # 100 normal windows scored 0..99 and four events; 1% allows the window scored 99 alone.
    labels = np.array([0] * 100 + [1] * 4)
    scores = np.array([*range(100), 99.5, 98.5, 97.5, 95.5])
    found = rare_slice(labels, scores, seed=0, resamples=2)
    assert found["recall_at_1pct"].value == 0.5
    assert found["recall_at_5pct"].value == 1.0
    assert found["prevalence"].value == pytest.approx(4 / 104)
    assert set(found) == METRICS


def test_interval_holds_the_value_and_is_reproducible():
    labels, scores = ranking()
    first, again, other = (
        rare_slice(labels, scores, seed=s)["average_precision"] for s in (0, 0, 1)
    )
    assert first == again
    assert first.low != other.low
    assert first.low < first.value < first.high
    assert first.count == labels.sum()


def test_interval_has_about_the_spread_of_fresh_samples():
    values = [average_precision_score(*ranking(seed=s)) for s in range(200)]
    found = rare_slice(*ranking(seed=0), seed=0)["average_precision"]
    spread = 2 * 1.96 * np.std(values)
    assert 0.6 * spread < found.high - found.low < 1.5 * spread


def test_dependent_windows_widen_the_interval():
    # Each window repeated ten times: as informative as one, so the honest interval stays put.
    labels, scores = ranking(400, 0.2)
    groups = np.repeat(np.arange(400), 10)
    plain = rare_slice(labels, scores, seed=0)["average_precision"]
    blocked = rare_slice(labels.repeat(10), scores.repeat(10), groups, seed=0)["average_precision"]
    naive = rare_slice(labels.repeat(10), scores.repeat(10), seed=0)["average_precision"]
    width = [e.high - e.low for e in (plain, blocked, naive)]
    assert width[1] == pytest.approx(width[0], rel=0.15)
    assert width[2] < 0.5 * width[0]


def test_resamples_without_negatives_are_left_out():
    labels, scores = np.array([1, 1, 0, 0]), np.array([3.0, 2.0, 1.0, 2.5])
    found = rare_slice(labels, scores, np.array([0, 1, 2, 2]), seed=0)["auroc"]
    assert np.isfinite([found.low, found.high]).all()
    mixed = rare_slice(labels, scores, np.array([0, 1, 1, 1]), seed=0)["auroc"]
    assert np.isfinite([mixed.low, mixed.high]).all()


def test_draws_average_the_metric_not_the_scores():
    labels, scores = ranking()
    other = ranking(seed=1)[1]
    both = rare_slice(labels, np.stack([scores, other]), seed=0)
    each = [average_precision_score(labels, s) for s in (scores, other)]
    assert both["average_precision"].value == pytest.approx(np.mean(each))
    assert both["average_precision"].low < np.mean(each) < both["average_precision"].high


@pytest.mark.parametrize("label", [0, 1])
def test_a_slice_of_one_kind_is_nan_with_the_counts(label):
    found = rare_slice(np.full(5, label), np.arange(5.0), seed=0)
    assert set(found) == METRICS
    for estimate in found.values():
        assert np.isnan(estimate.value)
        assert estimate.count == 0
        assert f"{5 * label} positives and {5 - 5 * label} negatives" in estimate.note


def test_an_empty_slice_is_nan():
    found = rare_slice(np.zeros(0, dtype=int), np.zeros(0), seed=0)
    assert found["auroc"].count == 0


def test_positives_in_one_group_have_no_interval():
    labels, scores = ranking(100)
    groups = np.where(labels == 1, 0, np.arange(100) + 1)
    found = rare_slice(labels, scores, groups, seed=0)["average_precision"]
    assert np.isfinite(found.value)
    assert np.isnan(found.low)
    assert found.note == "the positives lie in 1 group: no interval"


def test_unknown_windows_are_left_out():
    labels, scores = ranking(300)
    wild = np.append(scores, [np.nan, 99.0])
    with_unknown = rare_slice(np.append(labels, [-1, -1]), wild, seed=0)
    np.testing.assert_equal(with_unknown, rare_slice(labels, scores, seed=0))


def test_malformed_input_is_named():
    with pytest.raises(ValueError, match=r"scores must have shape \(3,\) or \(draws, 3\)"):
        rare_slice(np.array([0, 1, 0]), np.zeros(2), seed=0)
    with pytest.raises(ValueError, match="got 2"):
        rare_slice(np.array([0, 1, 2]), np.zeros(3), seed=0)
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        rare_slice(np.array([0, 1, 0]), np.array([0, np.nan, 1]), seed=0)
    with pytest.raises(ValueError, match="groups must have 3 rows"):
        rare_slice(np.array([0, 1, 0]), np.zeros(3), np.zeros(2, dtype=int), seed=0)


def test_blocks_as_groups_run_through():
    labels, scores = ranking(1000)
    series, starts = np.arange(1000) // 500, np.arange(1000) % 500 * 16
    found = rare_slice(labels, scores, block_groups(series, starts, 640), seed=0)
    assert found["auroc"].low < found["auroc"].value < found["auroc"].high
