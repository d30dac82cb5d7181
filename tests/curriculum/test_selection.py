import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from bandpass.curriculum.selection import effective_share, group_shares, mixture, strongest
from bandpass.curriculum.settings import BandSettings

cells = st.integers(1, 30)
floors = st.floats(0.01, 1)
caps = st.floats(1.1, 50)


@st.composite
def weighed_cells(draw):
    size = draw(cells)
    counts = draw(nps.arrays(np.int64, size, elements=st.integers(0, 1000)))
    assume(counts.sum() > 0)
    positive = st.floats(1e-6, 1e9)
    h = draw(nps.arrays(np.float64, size, elements=st.one_of(st.just(0.0), positive)))
    return h, counts


@given(weighed_cells(), floors, caps)
def test_mixture_keeps_sum_floor_and_cap(weighed, floor, cap):
    h, counts = weighed
    p = mixture(h, counts, floor=floor, cap=cap)
    held, total = p[counts > 0], counts.sum()
    assert np.isclose((counts * p).sum(), 1, rtol=0, atol=1e-9)
    assert (held >= floor / total * (1 - 1e-9)).all()
    assert (held <= cap / total * (1 + 1e-9)).all()


@given(weighed_cells(), floors, caps, st.floats(1e-3, 1e3))
def test_mixture_depends_on_the_ratios_of_weights_only(weighed, floor, cap, factor):
    h, counts = weighed
    p = mixture(h, counts, floor=floor, cap=cap)
    np.testing.assert_allclose(mixture(h * factor, counts, floor=floor, cap=cap), p, rtol=1e-6)


def test_mixture_without_a_cap_in_reach_is_the_formula():
    h, counts = np.array([1.0, 3.0]), np.array([6, 2])
    p = mixture(h, counts, floor=0.25, cap=20.0)
    np.testing.assert_allclose(p, 0.25 / 8 + 0.75 * h / 12)


def test_what_the_cap_cuts_off_goes_to_the_others():
    p = mixture(np.array([1.0, 1.0, 1e6]), np.array([50, 49, 1]), floor=0.25, cap=20.0)
    np.testing.assert_allclose(p, [0.8 / 99, 0.8 / 99, 0.2])


def test_a_window_without_weight_stays_at_the_floor():
    p = mixture(np.array([0.0, 1.0]), np.array([10, 90]), floor=0.25, cap=20.0)
    assert p[0] == pytest.approx(0.25 / 100)


def test_effective_share_of_uniform_is_one_and_of_half_the_windows_half():
    assert effective_share(np.array([0.1]), np.array([10])) == pytest.approx(1)
    assert effective_share(np.array([0.2, 0.0]), np.array([5, 5])) == pytest.approx(0.5)


@given(st.floats(0, 32))
def test_strongest_ends_just_below_the_edge(edge):
    found = strongest(lambda strength: strength <= edge, 32.0)
    assert edge - 0.04 <= found <= edge


def test_strongest_at_the_ends():
    assert strongest(lambda strength: True, 32.0) == 32
    assert strongest(lambda strength: False, 32.0) == 0


def test_group_shares():
    p, groups = np.array([0.5, 0.2, 0.2, 0.1]), np.array([1, 0, 1, -1])
    np.testing.assert_allclose(group_shares(p, groups), [0.2, 0.7])
    with pytest.raises(ValueError, match=r"shape \(4,\), got \(3,\)"):
        group_shares(p, groups[:3])


@pytest.mark.parametrize(
    "wrong",
    [
        {"ess": 1.0},
        {"mean_rank": 0.5},
        {"floor": -0.1},
        {"cap": 1.0},
        {"cap": 1001.0},
        {"shoulder": 0.0},
        {"top": 1.0},
        {"extreme": 0.0},
        {"surprising": 1.0},
        {"low": 1.0},
        {"high": 0.5},
        {"exponent": 0.0},
        {"edges": (0.9, 0.5)},
        {"shares": (1.0, 1.0)},
        {"prune": 1.0},
        {"window": 1},
        {"decay": 1.0},
        {"min_effective": 0.0},
        {"staleness": 0.0},
        {"refresh": 0},
        {"warm_up": -0.1},
        {"cool_down": 1.1},
        {"beta": 2.0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_outside_their_range_are_refused(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=rf"{name} must be .*got .*{re.escape(str(value))}"):
        BandSettings(**wrong)


@pytest.mark.parametrize("name", ["rule", "mode", "coverage", "recent", "unseen"])
def test_unknown_choices_are_refused(name):
    with pytest.raises((ValueError, TypeError), match=f"(?s){name}.*other"):
        BandSettings(**{name: "other"})
