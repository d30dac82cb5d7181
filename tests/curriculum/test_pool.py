"""A candidate pool keeps one of r windows a slot, with the probabilities that it states."""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from bandpass.curriculum.draws import Draw, philox
from bandpass.curriculum.pool import CandidatePool, PoolSettings, selection

ANY = st.floats(allow_nan=True, allow_infinity=True)
SHAPES = st.tuples(st.integers(2, 5), st.integers(1, 8))


def weights(shape: tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
    return hn.arrays(np.float64, shape, elements=st.floats(1e-3, 1e6))


@functools.cache
def seen(size: int) -> dict[str, Any]:
    """State of a pool after some normal log-scores."""
    pool = CandidatePool(size // 2, 2)
    for number in range(40):
        pool.choose(number, np.random.default_rng(number).normal(size=size // 2 * 2))
    return pool.state_dict()


def warm(pool: CandidatePool) -> CandidatePool:
    pool.load_state_dict(seen(pool.r * pool.batch_size))
    return pool


@given(SHAPES.flatmap(lambda s: st.tuples(weights(s), hn.arrays(bool, s))), st.floats(0.01, 1))
def test_selection_sums_to_one_and_keeps_the_floor(given_, floor):
    h, allowed = given_
    s = selection(h, allowed, floor)
    np.testing.assert_allclose(s.sum(axis=0), 1)
    candidates = np.where(allowed.any(axis=0), allowed, True)
    least = floor / candidates.sum(axis=0)
    assert (s >= np.where(candidates, least, 0) * (1 - 1e-9)).all()
    assert (s[~candidates] == 0).all()


@given(SHAPES.flatmap(lambda s: st.tuples(weights(s), hn.arrays(bool, s))), st.integers(0, 99))
def test_selection_is_permutation_equivariant(given_, seed):
    h, allowed = given_
    order = np.random.default_rng(seed).permutation(len(h))
    np.testing.assert_allclose(
        selection(h[order], allowed[order], 0.25), selection(h, allowed, 0.25)[order]
    )


def test_two_candidates_by_hand():
    h, allowed = np.array([[1.0], [3.0]]), np.ones((2, 1), bool)
    np.testing.assert_allclose(selection(h, allowed, 0.5)[:, 0], [0.375, 0.625])


@given(hn.arrays(np.float64, 12, elements=ANY), st.integers(0, 2**40))
def test_what_is_not_finite_is_kept_only_for_want_of_another(scores, number):
    pool = warm(CandidatePool(4, 3))
    chosen = pool.choose(number, scores)
    finite = np.isfinite(scores).reshape(3, 4)
    assert sorted(chosen.places % 4) == [0, 1, 2, 3]
    kept = finite.reshape(-1)[chosen.places]
    assert (kept | ~finite.any(axis=0)).all()
    again = pool.choose(number + 1, np.random.default_rng(0).normal(size=12))
    assert np.isfinite(again.probability).all()


def test_the_first_pool_may_hold_nothing_finite():
    pool = CandidatePool(2, 2)
    chosen = pool.choose(0, np.full(4, np.nan))
    np.testing.assert_array_equal(chosen.probability, 0.5)


def test_an_extreme_is_not_kept():
    pool = warm(CandidatePool(4, 2))
    before, scores = pool.state_dict(), np.zeros(8)
    scores[1] = 200.0
    for number in range(100):
        assert 1 not in pool.choose(number, scores).places
        pool.load_state_dict(before)  # else it would be a tenth of the stream, no exception


def test_prefers_the_surprising_as_often_as_it_says():
    pool = warm(CandidatePool(64, 2, settings=PoolSettings(decay=0.999)))
    random = np.random.default_rng(1)
    stated, kept = [], []
    for number in range(200):
        scores = random.normal(size=128)
        chosen = pool.choose(1000 + number, scores)
        higher = np.where(scores[:64] > scores[64:], np.arange(64), np.arange(64) + 64)
        took = chosen.places == higher
        kept += took.tolist()
        stated += np.where(took, chosen.probability, 1 - chosen.probability).tolist()
    assert np.mean(kept) > 0.65
    assert np.mean(kept) == pytest.approx(np.mean(stated), abs=0.015)


def test_weights_undo_the_choice():
    """The mean of w f over the kept estimates the mean of f over all candidates, without bias."""
    pool, random = warm(CandidatePool(64, 3)), np.random.default_rng(2)
    estimates, plain = [], []
    for number in range(400):
        scores = random.normal(size=192)
        chosen = pool.choose(1000 + number, scores)
        f = scores[chosen.places]
        estimates.append((chosen.weight * f).mean() - scores.mean())
        plain.append(f.mean() - scores.mean())
    assert abs(np.mean(estimates)) < 4 * np.std(estimates) / 20
    assert np.mean(plain) > 0.2


@pytest.mark.parametrize("changes", [{"factor": 0.0}, {}])
def test_strength_nought_keeps_evenly(changes):
    settings = PoolSettings() if changes else PoolSettings(strength=0.0)
    pool = warm(CandidatePool(8, 2, settings=settings))
    chosen = pool.choose(99, np.linspace(-2, 2, 16), **changes)
    np.testing.assert_allclose(chosen.probability, 0.5)
    np.testing.assert_allclose(chosen.weight, 1)


def test_with_ids_p_is_conditional_on_the_pool():
    pool = warm(CandidatePool(3, 2))
    q = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    draw = Draw([10, 11, 12, 13, 14, 15], 7, q)
    scores = np.array([0.0, 1, 2, 3, -1, -2])
    twin = warm(CandidatePool(3, 2)).choose(7, scores, q=q)
    kept, places = pool.keep(draw, scores)
    np.testing.assert_array_equal(places, twin.places)
    assert kept == [draw[place] for place in places]
    assert kept.number == 7
    np.testing.assert_allclose(kept.p, 2 * q[places] * twin.probability)


def test_the_choice_is_a_function_of_seed_draw_and_scores():
    scores = np.random.default_rng(3).normal(size=(20, 64))
    runs = [
        [
            warm(CandidatePool(32, 2, seed=seed)).choose(n, row).places
            for n, row in enumerate(scores)
        ]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (np.array(runs[0]) != np.array(runs[2])).any()


def test_the_choice_is_independent_of_the_draw_itself():
    ours = philox(0, 5 | 1 << 63).random(8)
    assert not np.allclose(ours, philox(0, 5).random(8))


def test_resumes_exactly():
    scores = np.random.default_rng(4).normal(size=(40, 16))
    whole, first, second = (CandidatePool(8, 2, seed=5) for _ in range(3))
    wanted = [whole.choose(n, row) for n, row in enumerate(scores)]
    for n, row in enumerate(scores[:20]):
        first.choose(n, row)
    second.load_state_dict(first.state_dict())
    for n, row in enumerate(scores[20:], start=20):
        found = second.choose(n, row)
        np.testing.assert_array_equal(found.places, wanted[n].places)
        np.testing.assert_array_equal(found.probability, wanted[n].probability)


def test_buckets_are_ranked_apart():
    """A bucket on another scale is not surprising for that."""
    pool = CandidatePool(32, 2, buckets=2)
    buckets = np.arange(64) < 32  # every slot has a candidate of each
    random = np.random.default_rng(6)
    taken = []
    for number in range(200):
        scores = random.normal(size=64) + 5 * buckets
        taken.append((pool.choose(number, scores, buckets=buckets).places < 32).mean())
    assert np.mean(taken[100:]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CandidatePool(4, 1), "r 1 at least 2"),
        (lambda: CandidatePool(0, 2), "batch_size 0"),
        (lambda: PoolSettings(floor=0.0), r"floor must be in \(0, 1\], got 0"),
        (lambda: PoolSettings(strength=-1.0), "strength must be at least 0"),
        (lambda: CandidatePool(4, 2).choose(0, np.zeros(4)), r"scores must have shape \(8,\)"),
        (
            lambda: CandidatePool(4, 2).choose(0, np.zeros(8), q=np.ones(4)),
            r"q must have shape \(8,\)",
        ),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_extreme_is_rather_kept_than_a_nan():
    pool = warm(CandidatePool(4, 2))
    before = pool.state_dict()
    for number in range(20):
        chosen = pool.choose(number, [200.0, 0, 0, 0, np.nan, 0, 0, 0])
        assert chosen.places[0] == 0
        assert chosen.probability[0] == 1
        pool.load_state_dict(before)
