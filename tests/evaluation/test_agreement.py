import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from bandpass.evaluation.agreement import agreement, agreement_table


def of(a, b, groups=None, **settings):
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    groups = np.arange(len(a)) if groups is None else np.asarray(groups)
    return agreement(a, b, groups, seed=0, **{"resamples": 50} | settings)


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_is_that_of_scipy(ties):
    generator = np.random.default_rng(0)
    a = generator.normal(size=200)
    b = a + generator.normal(size=200)
    if ties:
        a, b = a.round(), b.round()
    assert of(a, b)["spearman"].value == pytest.approx(spearmanr(a, b).statistic)


@given(weights=st.lists(st.integers(0, 3), min_size=12, max_size=12), seed=st.integers(0, 99))
def test_a_weighted_rank_is_the_rank_in_the_repeated_sample(weights, seed):
    """What the bootstrap computes from weights is what a resampled table would give."""
    from bandpass.evaluation.agreement import _Ranking

    scores = np.random.default_rng(seed).integers(0, 5, size=12).astype(float)
    repeated = np.repeat(scores, weights)
    if not len(repeated):
        return
    ranks = _Ranking(scores).ranks(np.array([weights], dtype=float))[0]
    for score, rank in zip(scores, ranks, strict=True):
        below, tied = (repeated < score).mean(), (repeated == score).mean()
        assert rank == pytest.approx(below + tied / 2)


def test_overlap_by_hand():
    # Of 20 windows 2 are the top tenth: 18, 19 of the one, 17, 19 of the other.
    a = np.arange(20.0)
    b = np.arange(20.0)
    b[17], b[18] = 18, 17
    assert of(a, b)["top_overlap"].value == 0.5
    assert of(a, b, top=0.5)["top_overlap"].value == 1
    assert of(a, -a)["top_overlap"].value == 0


def test_overlap_of_unrelated_scores_is_that_of_chance():
    one, other = np.random.default_rng(1).normal(size=(2, 20_000))
    found = of(one, other)
    assert found["top_overlap"].value == pytest.approx(0.1, abs=0.02)
    assert found["spearman"].value == pytest.approx(0, abs=0.02)


def test_only_ranks_count():
    a = np.array([0.1, 0.7, -3.0, 2.0, 9.0, 1.0])
    b = np.array([5.0, 1.0, 2.0, 8.0, 3.0, 0.0])
    stretched = np.array([0.1, 0.7, -np.inf, 2.0, np.inf, 1.0])
    assert of(stretched, np.exp(b)) == of(a, b)


def test_interval_holds_the_value_and_widens_with_dependence():
    generator = np.random.default_rng(2)
    a = generator.normal(size=40).repeat(25)
    b = a + generator.normal(size=40).repeat(25)
    apart = of(a, b, resamples=300)["spearman"]
    blocks = of(a, b, np.arange(40).repeat(25), resamples=300)["spearman"]
    assert apart.value == blocks.value
    assert blocks.low < blocks.value < blocks.high
    assert blocks.high - blocks.low > 2 * (apart.high - apart.low)
    assert blocks.count == 1000


def test_what_cannot_be_said_is_said_so():
    tied = of([1, 1, 1], [1, 2, 3])
    assert np.isnan(tied["spearman"].value)
    assert tied["spearman"].note == "all windows tie"
    assert of([1.0], [2.0])["top_overlap"].note == "1 window: nothing to rank"
    one = of([1, 2, 3], [1, 2, 3], [0, 0, 0])["spearman"]
    assert one.value == pytest.approx(1)
    assert np.isnan(one.low)
    assert one.note == "1 group: no interval"


def test_malformed_scores_are_refused():
    with pytest.raises(ValueError, match="b: 1 of 3 scores are NaN"):
        of([1, 2, 3], [1, np.nan, 3])
    with pytest.raises(ValueError, match="b must have 3 rows"):
        of([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="top must be a share"):
        of([1, 2, 3], [1, 2, 3], top=1.0)


def test_table_holds_every_pair_once():
    scores = {name: np.random.default_rng(k).normal(size=30) for k, name in enumerate("abc")}
    table = agreement_table(scores, np.arange(30), seed=0, resamples=20)
    assert list(table) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table["a", "c"] == of(scores["a"], scores["c"], resamples=20)
