"""Rules from surprise to weight, and what they come to on a ranking that is perfect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from bandpass.curriculum.rules import RULES, STRONGEST, Surprise
from bandpass.curriculum.selection import effective_share, mixture, strongest
from bandpass.curriculum.settings import BandSettings

RANKS = np.array([0.2, 0.5, 0.6, 0.95, 0.99])
EXCESS = np.log([0.5, 1.0, 1.2, 4.0, 16.0])
POINTS = Surprise(RANKS, np.zeros(5), EXCESS, np.full(5, np.log(1.5)))


def surprise(u: np.ndarray) -> Surprise:
    return Surprise(u, np.zeros_like(u), 10 * (u - 0.5), np.full_like(u, 1.0))


@pytest.mark.parametrize("name", RULES)
@given(
    u=nps.arrays(np.float64, 20, elements=st.floats(0, 1)),
    share=st.floats(0, 1),
    exponent=st.floats(0.1, 1000),
)
def test_rules_are_uniform_at_zero_and_weigh_finitely_above(name, u, share, exponent):
    settings = BandSettings(rule=name, exponent=exponent)
    assert (RULES[name].weigh(surprise(u), 0.0, settings) == 1).all()
    h = RULES[name].weigh(surprise(u), share * RULES[name].strongest(settings), settings)
    assert (h >= 0).all()
    assert np.isfinite(h.sum() * 1e9)


@pytest.mark.parametrize(
    "name", ["exponential", "two-level", "temperature", "power", "top", "below-mean"]
)
@given(u=nps.arrays(np.float64, 20, elements=st.floats(0, 1)), share=st.floats(0, 1))
def test_these_never_prefer_the_less_surprising(name, u, share):
    settings = BandSettings(rule=name)
    strength = share * RULES[name].strongest(settings)
    assert (np.diff(RULES[name].weigh(surprise(np.sort(u)), strength, settings)) >= 0).all()


@pytest.mark.parametrize(
    ("name", "strength", "given", "expected"),
    [
        ("exponential", 4.0, {}, [0.2, 1, np.exp(0.4), np.exp(1.8), np.exp(1.96)]),
        ("exponential", 1.0, {}, [np.exp(-1), 1, np.exp(0.1), np.exp(0.45), np.exp(0.49)]),
        ("two-level", 4.0, {"top": 0.1}, [1, 1, 1, np.exp(4), np.exp(4)]),
        ("temperature", 1.0, {}, [0.5, 1, 1.2, 4, 16]),
        ("temperature", 0.5, {}, [0.5**0.5, 1, 1.2**0.5, 2, 4]),
        ("power", 2.0, {}, RANKS**2),
        ("percentile", 1.0, {}, [0, 0, 1, 1, 0]),
        ("percentile", 0.5, {"low": 0.55}, [0.5, 0.5, 1, 1, 0.5]),
        ("top", 1.0, {"top": 0.1}, [0, 0, 0, 1, 1]),
        ("mixture", 1.0, {}, [0.8, 0.8, 0.75, 3, 3]),
        ("mixture", 0.5, {"edges": (0.9,), "shares": (1.0, 1.0)}, [7 / 9, 7 / 9, 7 / 9, 3, 3]),
        ("below-mean", 1.0, {}, [0.5, 0.5, 0.5, 1, 1]),
        ("below-mean", 0.5, {"prune": 0.8}, [0.6, 0.6, 0.6, 1, 1]),
    ],
)
def test_weights_at_a_strength(name, strength, given, expected):
    h = RULES[name].weigh(POINTS, strength, BandSettings(rule=name, **given))
    np.testing.assert_allclose(h, expected)


def test_classes_of_the_mixture_get_their_shares():
    u = (np.arange(1000) + 0.5) / 1000
    settings = BandSettings(rule="mixture", edges=(0.3, 0.9), shares=(1.0, 2.0, 5.0))
    h = RULES["mixture"].weigh(surprise(u), 1.0, settings)
    found = [h[u < 0.3].sum(), h[(u > 0.3) & (u < 0.9)].sum(), h[u > 0.9].sum()]
    np.testing.assert_allclose(np.array(found) / h.sum(), np.array([1, 2, 5]) / 8)


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("exponential", [0.082, 0.107, 0.166, 0.273]),
        ("two-level", [0.160, 0.191, 0.256, 0.353]),  # q + sqrt(q (1 - q) (1 / ess - 1))
    ],
)
def test_share_of_a_rare_slice_that_is_ranked_perfectly(name, shares):
    """2% of the windows, a floor of a quarter, for four effective sample sizes."""
    u = (np.arange(10_000) + 0.5) / 10_000
    counts, settings = np.ones(10_000, int), BandSettings(rule=name, top=0.02)

    def at(strength: float) -> np.ndarray:
        h = RULES[name].weigh(surprise(u), strength, settings)
        return mixture(h, counts, floor=0.25, cap=20.0)

    found = []
    for ess in (0.5, 0.4, 0.26, 0.15):
        strength = strongest(lambda s, ess=ess: effective_share(at(s), counts) >= ess, STRONGEST)
        found.append(at(strength)[u > 0.98].sum())
    np.testing.assert_allclose(found, shares, atol=0.006)


def test_a_wide_cell_counts_for_the_part_of_it_that_lies_above():
    """Where losses hardly differ one bin holds many windows: none of them may be left out whole."""
    wide = Surprise(np.array([0.9, 0.3]), np.array([0.2, 0.6]), np.zeros(2), np.zeros(2))
    np.testing.assert_allclose(wide.above(0.9), [0.5, 0])
    np.testing.assert_allclose(wide.above(0.8), [1, 0])
    np.testing.assert_allclose(wide.above(0.15), [1, 0.75])
    hard = RULES["top"].weigh(wide, 1.0, BandSettings(top=0.1))
    np.testing.assert_allclose(hard, [0.5, 0])
