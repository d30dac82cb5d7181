import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data.schedule.record import UNDATED
from bandpass.data.schedule.splits import (
    HELD_OUT,
    HONEST,
    NEITHER,
    RANDOM,
    RULES,
    TEST,
    TRAIN,
    sides,
)
from bandpass.data.schedule.store import WINDOW


def crowd(actors: int = 200, days: int = 50, seed: int = 0) -> np.ndarray:
    """A window for every actor and day, of one dataset."""
    generator = np.random.default_rng(seed)
    windows = np.zeros(actors * days, WINDOW)
    windows["id"] = generator.integers(1, 2**63, len(windows))
    windows["actor"] = np.repeat(generator.integers(1, 2**63, actors), days)
    windows["day"] = np.tile(np.arange(19_000, 19_000 + days), actors)
    return windows


def test_a_random_split_holds_out_a_tenth_and_leaves_nothing_over():
    side = sides(crowd(), RANDOM, 0)
    assert set(np.unique(side)) == {TRAIN, TEST}
    assert (side == TEST).mean() == pytest.approx(HELD_OUT, abs=0.01)


def test_an_honest_split_shares_no_actor_and_no_day():
    windows = crowd()
    side = sides(windows, HONEST, 0)
    train, test = windows[side == TRAIN], windows[side == TEST]
    assert len(train) > 3 * len(test) > 0
    assert not set(train["actor"]) & set(test["actor"])
    assert train["day"].max() < test["day"].min()
    assert (side == NEITHER).any()


@pytest.mark.parametrize("rule", RULES)
def test_a_seed_is_a_split_and_another_seed_another(rule):
    windows = crowd()
    first = sides(windows, rule, 3)
    assert (sides(windows, rule, 3) == first).all()
    assert (sides(windows, rule, 4) != first).mean() > 0.05


@given(st.sampled_from(RULES), st.integers(0, 2**31), st.randoms())
def test_the_side_of_a_window_does_not_depend_on_the_order(rule, seed, random):
    windows = crowd(actors=20, days=5)
    order = np.array(random.sample(range(len(windows)), len(windows)))
    assert (sides(windows[order], rule, seed) == sides(windows, rule, seed)[order]).all()


def test_without_dates_an_honest_split_is_by_actor_alone():
    windows = crowd()
    windows["day"] = UNDATED
    side = sides(windows, HONEST, 0)
    assert (side != NEITHER).all()
    assert not set(windows["actor"][side == TRAIN]) & set(windows["actor"][side == TEST])
    assert 0.2 < (side == TEST).mean() < 0.4


def test_what_has_no_actor_is_split_by_itself():
    windows = crowd()
    windows["actor"], windows["day"] = 0, UNDATED
    assert 0.27 < (sides(windows, HONEST, 0) == TEST).mean() < 0.33


def test_a_dataset_of_one_day_is_all_for_training():
    assert (sides(crowd(days=1), HONEST, 0) == TRAIN).all()
    both = np.concatenate([crowd(days=1), crowd(seed=1)])
    both["dataset"][200:] = 1
    side = sides(both, HONEST, 0)
    assert (side[:200] == TRAIN).all()
    assert (side[200:] == sides(both[200:], HONEST, 0)).all()


@pytest.mark.parametrize("last", [13, 4, 1])  # it holds 35, 80 and 95% of the windows
def test_the_held_out_time_is_a_later_part_however_full_the_last_day_is(last):
    windows = crowd(days=20)
    windows["day"] = np.minimum(windows["day"], 19_000 + last)
    side = sides(windows, HONEST, 0)
    train, test = windows[side == TRAIN], windows[side == TEST]
    assert set(test["day"]) == {19_000 + last}
    assert set(train["day"]) == set(range(19_000, 19_000 + last))
    assert not set(train["actor"]) & set(test["actor"])


def test_every_dataset_has_its_own_latest_time():
    old, new = crowd(seed=1), crowd(seed=2)
    old["day"] -= 10_000
    new["dataset"] = 1
    side = sides(np.concatenate([old, new]), HONEST, 0)
    for own in np.split(side, 2):
        assert {TRAIN, TEST} <= set(np.unique(own))


def test_seeds_are_independent_of_each_other():
    windows = crowd()
    one, other = (sides(windows, RANDOM, seed) == TEST for seed in (0, 1))
    assert (one & other).mean() == pytest.approx(HELD_OUT**2, abs=0.005)


@pytest.mark.parametrize("rule", RULES)
def test_no_window_has_no_side(rule):
    assert sides(np.zeros(0, WINDOW), rule, 0).shape == (0,)
