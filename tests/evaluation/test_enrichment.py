import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from bandpass.evaluation.enrichment import (
    TOPS,
    enriched,
    rank_within,
    shuffled_interval,
    slot_shares,
)


def one(scores, inside, groups=None, **options):
    groups = np.arange(len(scores)) if groups is None else groups
    options = {"seed": 0, "resamples": 20} | options
    return enriched(scores, {"slice": inside}, groups, **options)["slice"]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=50).filter(
        lambda rows: len({inside for inside, _ in rows}) == 2
    )
)
def test_auroc_agrees_with_scikit_learn_ties_included(rows):
    inside, scores = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    assert one(scores, inside).auroc.value == pytest.approx(roc_auc_score(inside, scores))


def test_enrichment_by_hand():
    scores = np.arange(100.0)
    inside = np.isin(scores, [99, 95, 85, 75, 5])
    found = one(scores, inside)
    assert found.natural == 0.05
    assert [found.tops[q].value for q in TOPS] == pytest.approx(
        [2 / 5 / 0.1, 3 / 5 / 0.2, 4 / 5 / 0.3]
    )
    assert found.auroc.count == found.tops[0.1].count == 5


def test_equal_scores_share_the_edge_of_the_top():
    """Whatever the order of the rows, a constant score enriches nothing."""
    inside = np.arange(40) < 7
    for scores in (np.zeros(40), np.full(40, np.inf), np.full(40, -np.inf)):
        found = one(scores, inside)
        assert found.auroc.value == 0.5
        assert [found.tops[q].value for q in TOPS] == pytest.approx([1, 1, 1])


@given(arrays(np.float64, 30, elements=st.integers(-3, 3).map(float)), st.integers(0, 2**30))
def test_order_of_rows_never_matters(scores, seed):
    inside = np.arange(30) % 4 == 0
    order = np.random.default_rng(seed).permutation(30)
    first, again = one(scores, inside), one(scores[order], inside[order])
    assert first.auroc.value == pytest.approx(again.auroc.value)
    assert first.tops[0.1].value == pytest.approx(again.tops[0.1].value)


def test_unknown_scores_are_left_out_and_infinite_ones_rank():
    scores = np.array([np.nan, np.inf, 1.0, -np.inf, 0.0])
    inside = np.array([True, True, False, False, False])
    found = one(scores, inside)
    assert found.natural == 0.25
    assert found.auroc.value == 1.0
    assert found.auroc.count == 1


def test_interval_holds_the_value_and_widens_with_blocks():
    generator = np.random.default_rng(0)
    block = np.repeat(np.arange(50), 20)
    inside = np.isin(block, [3, 11, 30, 42])
    scores = generator.normal(size=50)[block] + inside + 0.1 * generator.normal(size=1000)
    apart = one(scores, inside, resamples=200)
    blocks = one(scores, inside, block, resamples=200)
    for found in (apart, blocks):
        assert found.auroc.low <= found.auroc.value <= found.auroc.high
        assert found.tops[0.1].low <= found.tops[0.1].value <= found.tops[0.1].high
    assert blocks.auroc.high - blocks.auroc.low > 2 * (apart.auroc.high - apart.auroc.low)


def test_a_slice_that_cannot_be_ranked_says_why():
    scores = np.arange(10.0)
    slices = {"all": np.full(10, True), "none": np.full(10, False), "some": scores > 6}
    found = enriched(scores, slices, np.zeros(10, int), seed=0, resamples=20)
    assert np.isnan(found["all"].auroc.value)
    assert "0 of 10" in found["none"].auroc.note
    assert found["some"].auroc.value == 1.0
    assert np.isnan(found["some"].auroc.low)
    assert "1 block" in found["some"].auroc.note


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="slice must have 3 rows"):
        one(np.zeros(3), np.zeros(4, bool), np.zeros(3, int))
    with pytest.raises(ValueError, match=r"scores must have shape \(n,\)"):
        one(np.zeros((3, 1)), np.zeros(3, bool))


def test_rank_within_undoes_what_differs_between_buckets():
    generator = np.random.default_rng(1)
    buckets = np.repeat([0, 1], 200)
    inside = np.tile(np.arange(200) >= 190, 2)
    scores = 100.0 * buckets + inside + 0.1 * generator.normal(size=400)
    assert one(scores, inside).tops[0.1].value < 6
    ranks = rank_within(scores, buckets)
    assert one(ranks, inside).tops[0.1].value == pytest.approx(10)
    assert (ranks.min(), ranks.max()) == (0.5 / 200, 199.5 / 200)


def test_a_thin_bucket_ranks_among_all():
    scores = np.append(np.arange(30.0), 29.5)
    buckets = np.append(np.zeros(30, int), 1)
    ranks = rank_within(scores, buckets, least=2)
    assert ranks[-1] == 30.5 / 31, "alone in its bucket it would be .5"
    assert ranks[29] == 29.5 / 30


def test_unknown_scores_have_no_rank_and_count_for_none():
    scores = np.array([np.nan, 1.0, np.inf, 0.0, np.nan])
    ranks = rank_within(scores, np.zeros(5, int), least=1)
    assert np.isnan(ranks[[0, 4]]).all()
    assert ranks[1:4].tolist() == pytest.approx([1.5 / 3, 2.5 / 3, 0.5 / 3])


def test_slot_shares_are_sums_of_p():
    p = np.array([0.5, 0.25, 0.25])
    inside = np.array([True, False, True])
    assert slot_shares(p, {"a": inside, "b": ~inside}) == {"a": 0.75, "b": 0.25}


def test_shuffled_interval_is_that_of_all_rotations():
    generator = np.random.default_rng(2)
    p, inside = generator.random(60), np.arange(60) % 7 < 2
    shares = [float(np.roll(p, k)[inside].sum() / p.sum()) for k in range(60)]
    assert shuffled_interval(p, inside) == pytest.approx(np.quantile(shares, [0.025, 0.975]))
    assert np.mean(shares) == pytest.approx(inside.mean())


def test_a_shuffle_of_runs_spreads_wider_than_one_of_single_windows():
    p = np.repeat(np.random.default_rng(3).random(20), 30)
    run, scattered = np.arange(600) < 60, np.arange(600) % 10 == 0
    (low, high), (least, most) = (shuffled_interval(p, each) for each in (run, scattered))
    assert high - low > 3 * (most - least)
    assert shuffled_interval(np.full(600, 1 / 600), run) == pytest.approx((0.1, 0.1))
