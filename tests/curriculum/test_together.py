"""Draws of one group each: every slot keeps the probability that it has without groups."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bandpass.curriculum import BandSettings, Draw, Fixed, SurpriseBand, Uniform
from bandpass.curriculum.together import Together

N, BATCH = 60, 4
GROUPS = np.repeat([0, 2, 1, 0], [10, 30, 5, 15])  # none of one piece, and of three sizes
LEVEL = np.random.default_rng(0).lognormal(0, 0.8, N)


def eager(**given) -> BandSettings:
    usual = {"warm_up": 0.0, "cool_down": 0.0, "staleness": 1e9, "refresh": 10_000, "ess": 0.0}
    usual |= {"min_effective": 8.0}
    return BandSettings(**(usual | given))


def band(steps: int, seed: int = 0, groups: np.ndarray = GROUPS, **given) -> SurpriseBand:
    """A band that knows every window's score, and is told no more."""
    chosen = given.pop("settings", eager())
    made = SurpriseBand(
        len(groups), BATCH, steps=steps, seed=seed, groups=groups, settings=chosen, **given
    )
    for _ in range(3):
        made.record(np.arange(len(groups)), torch.from_numpy(np.log(LEVEL[: len(groups)])))
    return made


SAMPLERS = {
    "uniform": lambda steps, seed: Uniform(N, BATCH, steps=steps, seed=seed, groups=GROUPS),
    "rs2": lambda steps, seed: Uniform(N, BATCH, steps=steps, seed=seed, groups=GROUPS, subset=0.3),
    "fixed": lambda steps, seed: Fixed(LEVEL, BATCH, steps=steps, seed=seed, groups=GROUPS),
    "band": band,
    "shuffled": lambda steps, seed: band(steps, seed, settings=eager(mode="shuffled")),
    "shadow": lambda steps, seed: band(steps, seed, settings=eager(mode="shadow")),
}
samplers = pytest.mark.parametrize("name", SAMPLERS)
independent = pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - {"uniform", "rs2"}))


def group_of(draw: Draw) -> int:
    (group,) = set(GROUPS[draw].tolist())
    return group


@samplers
def test_a_draw_is_of_one_group_and_every_group_has_its_turn(name):
    seen = {group_of(draw) for draw in itertools.islice(SAMPLERS[name](200, 1), 200)}
    assert seen == {0, 1, 2}


@samplers
def test_groups_come_as_often_as_their_windows_are_drawn(name):
    sampler = SAMPLERS[name](1000, 2)
    shares = sampler.expected_shares(GROUPS)
    counts = np.bincount([group_of(draw) for draw in sampler], minlength=3)
    assert chisquare(counts, shares * counts.sum()).pvalue > 1e-3


@independent
@pytest.mark.parametrize("slot", [0, BATCH - 1])
def test_every_slot_holds_a_window_with_exactly_its_probability(name, slot):
    sampler = SAMPLERS[name](1500, 3)
    p = sampler.probabilities()
    counts = np.bincount([draw[slot] for draw in sampler], minlength=N)
    assert chisquare(counts, p * counts.sum()).pvalue > 1e-3


@samplers
def test_p_is_that_of_the_window_among_all(name):
    sampler = SAMPLERS[name](50, 4)
    p = sampler.probabilities()
    assert p.sum() == pytest.approx(1)
    for draw in sampler:
        np.testing.assert_allclose(draw.p, p[draw], rtol=1e-12)


@independent
def test_probabilities_are_those_without_groups(name):
    grouped = SAMPLERS[name](10, 5)
    plain = (
        Fixed(LEVEL, BATCH, steps=10, seed=5)
        if name == "fixed"
        else SurpriseBand(N, BATCH, steps=10, seed=5, settings=grouped.settings)
    )
    if isinstance(plain, SurpriseBand):
        for _ in range(3):
            plain.record(np.arange(N), torch.from_numpy(np.log(LEVEL)))
    np.testing.assert_array_equal(grouped.probabilities(), plain.probabilities())


@pytest.mark.parametrize("batch", [3, 5, 11])
def test_every_group_has_epochs_of_its_own(batch):
    sampler = Uniform(N, batch, steps=200, seed=6, groups=GROUPS)
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for draw in sampler:
        seen[group_of(draw)] += draw
    for group, ids in seen.items():
        members = np.flatnonzero(GROUPS == group)
        whole = np.array(ids)[: len(ids) // len(members) * len(members)]
        assert (np.sort(whole.reshape(-1, len(members)), axis=1) == members).all()


def test_more_steps_begin_with_the_same_draws():
    short, long = (
        list(Uniform(N, BATCH, steps=steps, seed=7, groups=GROUPS)) for steps in (20, 50)
    )
    assert long[:20] == short


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    rare=st.floats(1e-4, 1.0),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25)
def test_groups_of_any_size_and_any_part_of_the_probability(sizes, rare, seed):
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    weights = np.where(groups == 0, rare, 1.0)
    for draw in Fixed(weights, 7, steps=20, seed=seed, groups=groups):
        assert len(set(groups[draw].tolist())) == 1
    for draw in band(20, seed, groups=groups[:N]):
        assert len(set(groups[draw].tolist())) == 1


def test_windows_that_are_never_drawn_make_no_group_of_a_draw():
    weights = np.where(GROUPS == 2, 0.0, LEVEL)
    weights[np.flatnonzero(GROUPS == 0)[-1]] = 0.0  # the last place of its group
    for draw in Fixed(weights, BATCH, steps=300, seed=8, groups=GROUPS):
        assert weights[draw].all()
    banned = band(300, 8)
    banned.ban(np.flatnonzero(GROUPS == 1))
    assert {group_of(draw) for draw in banned} == {0, 2}


def test_stale_windows_are_of_one_group_and_every_group_has_its_turn():
    sampler, seen = band(10), set()
    for _ in range(60):
        ids = sampler.stale(3)
        assert 0 < len(ids) <= 3
        (group,) = set(GROUPS[ids].tolist())
        seen.add(group)
        sampler.record(ids, torch.zeros(len(ids)), sample=False)
    assert seen == {0, 1, 2}


def test_importance_weights_undo_how_often_a_group_is_drawn():
    """Weighed by beta 1 the mean over draws is the plain mean over windows, group by group."""
    sampler = band(1500, 9, settings=eager(beta=1.0))
    value = torch.from_numpy(1.0 + GROUPS)
    spent = sampler.expected_shares(GROUPS) @ np.array([1.0, 2.0, 3.0])
    found = [
        float(sampler.step(draw, value[draw], scores=torch.full((BATCH,), torch.nan)))
        for draw in sampler
    ]
    assert abs(spent - float(value.mean())) > 0.1
    assert np.mean(found) == pytest.approx(float(value.mean()), abs=4 * np.std(found) / 1500**0.5)


def test_groups_are_checked():
    with pytest.raises(ValueError, match=r"groups must have shape \(60,\), one each, got \(3,\)"):
        Uniform(N, BATCH, steps=1, groups=[0, 1, 2])
    with pytest.raises(TypeError, match="groups must be integers, got float64"):
        Fixed(LEVEL, BATCH, steps=1, groups=np.zeros(N))
    with pytest.raises(ValueError, match="groups must count from 0, got -1"):
        SurpriseBand(N, BATCH, steps=1, groups=np.arange(N) - 1)
    with pytest.raises(ValueError, match="groups must be below 65536, got 65536"):
        Together([65536], 1)


def test_all_ranks_are_of_one_group():
    draws = [
        list(SurpriseBand(N, BATCH, steps=30, seed=9, groups=GROUPS, rank=rank, world=2))
        for rank in (0, 1)
    ]
    for mine, theirs in zip(*draws, strict=True):
        assert group_of(mine) == group_of(theirs)
