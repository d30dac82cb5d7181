"""What a selection policy declares to promise, it keeps whatever losses it is told."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bandpass.curriculum import POLICIES, PROMISES, Draw, Fixed, SurpriseBand, Uniform

N, BATCH, STEPS = 120, 16, 32
ODD = [0.0, 1e-300, 1e300, float("inf"), float("nan")]


@dataclass(frozen=True)
class History:
    """Losses to come: a level per window and noise per draw, some broken, some never finite."""

    seed: int
    spread: float
    broken: int
    lost: int
    n: int = N

    @property
    def level(self) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        level = rng.lognormal(0, self.spread, self.n)
        level[: self.broken] *= 1e5
        level[self.n - self.lost :] = np.nan
        return level

    def losses(self, draw: Draw) -> torch.Tensor:
        rng = np.random.default_rng([self.seed, draw.number])
        return torch.from_numpy(self.level[draw] * rng.lognormal(0, 0.2, len(draw)))


histories = st.builds(
    History,
    seed=st.integers(0, 99),
    spread=st.floats(0.05, 2),
    broken=st.integers(0, 30),
    lost=st.integers(0, 40),
)


def promising(promise: str) -> pytest.MarkDecorator:
    names = [name for name, policy in POLICIES.items() if promise in policy.promises]
    return pytest.mark.parametrize("name", names)


def build(name: str, weights: np.ndarray, batch: int = BATCH, steps: int = STEPS, **given):
    policy, n = POLICIES[name], len(weights)
    if policy.sampler is Uniform:
        return Uniform(n, batch, subset=policy.subset, steps=steps)
    if policy.sampler is Fixed:
        return Fixed(weights, batch, steps=steps)
    return SurpriseBand(n, batch, steps=steps, settings=replace(policy.settings, **given))


def told(name: str, history: History) -> Iterator[tuple[SurpriseBand, int, np.ndarray]]:
    """The policy, the number of the next draw and its probabilities, after every step."""
    policy = build(name, np.nan_to_num(history.level, nan=1.0))
    for draw in policy:
        policy.step(draw, history.losses(draw))
        if draw.number + 1 < STEPS:
            yield policy, draw.number + 1, policy.probabilities()


def test_names_are_known_and_the_full_band_promises_everything():
    assert POLICIES["surprise-band"].promises == PROMISES
    for name, policy in POLICIES.items():
        assert policy.promises <= PROMISES, name
        assert "sums" in policy.promises, name


@promising("sums")
@given(history=histories)
@settings(max_examples=2)
def test_sums(name, history):
    for _, _, p in told(name, history):
        assert p.sum() == pytest.approx(1, abs=1e-9)
        assert (p >= 0).all()


@promising("floor")
@given(history=histories)
@settings(max_examples=2)
def test_floor(name, history):
    for policy, _, p in told(name, history):
        banned = sum(entry.reason == "not finite" for entry in policy.quarantine())
        assert (p == 0).sum() == banned
        assert p[p > 0].min() >= policy.settings.floor / (N - banned) * (1 - 1e-9)


@promising("cap")
@given(history=histories)
@settings(max_examples=2)
def test_cap(name, history):
    for policy, _, p in told(name, history):
        assert p.max() <= policy.settings.cap / (p > 0).sum() * (1 + 1e-9)


@promising("ess")
@given(history=histories)
@settings(max_examples=2)
def test_ess(name, history):
    strengths = []
    for policy, number, p in told(name, history):
        if policy.settings.active(number, STEPS):
            assert 1 / ((p > 0).sum() * (p**2).sum()) >= policy.settings.ess * (1 - 1e-9)
            strengths.append(policy.lambda_)
    assert max(strengths) > 0, "it never selected anything"


@promising("quarantine")
@given(history=histories)
@settings(max_examples=2)
def test_quarantine(name, history):
    for policy, _, p in told(name, history):
        held = policy.quarantine()
        banned = [entry.id for entry in held if entry.reason == "not finite"]
        extreme = [entry.id for entry in held if entry.reason == "extreme"]
        assert (p[banned] == 0).all()
        np.testing.assert_allclose(p[extreme], policy.settings.floor / (N - len(banned)))


@promising("quarantine")
def test_quarantine_fills(name):
    """The property above says nothing as long as nobody is held."""
    *_, (policy, _, _) = told(name, History(seed=0, spread=0.5, broken=2, lost=2))
    assert {(entry.id, entry.reason) for entry in policy.quarantine()} == {
        (0, "extreme"),
        (1, "extreme"),
        (N - 2, "not finite"),
        (N - 1, "not finite"),
    }


@promising("equivariant")
@given(history=histories, random=st.randoms(use_true_random=False))
@settings(max_examples=2)
def test_equivariant(name, history, random):
    new = np.array(random.sample(range(N), N))
    level = np.nan_to_num(history.level, nan=1.0)
    renamed = np.empty(N)
    renamed[new] = level
    # Turns to fade go by id, so nothing may fade.
    given = {"warm_up": 0.0, "cool_down": 0.0, "staleness": 1e12}
    policy, other = build(name, level, **given), build(name, renamed, **given)
    rng = np.random.default_rng(history.seed)
    spread = []
    for _ in zip(policy, other, strict=True):  # draws read the quantiles; none is stepped
        if isinstance(policy, SurpriseBand):
            ids = rng.integers(0, N, BATCH)
            scores = torch.from_numpy(np.log(level[ids]) + rng.normal(0, 0.2, BATCH))
            policy.record(ids, scores)
            other.record(new[ids], scores)
        p = policy.probabilities()
        np.testing.assert_allclose(other.probabilities()[new], p, rtol=1e-12)
        spread.append(np.ptp(p))
    assert POLICIES[name].sampler is Uniform or name == "shadow" or max(spread) > 0


@promising("exact")
@pytest.mark.parametrize("at", [2, 24])  # in the warm-up, if there is one, and in the band
def test_exact(name, at):
    """Chi-square over draws of a policy that learns nothing in the meantime."""
    history = History(seed=0, spread=1.0, broken=2, lost=2, n=300)
    many, slots = 120, 128
    policy = build(name, np.nan_to_num(history.level, nan=1.0), batch=slots, steps=10 * at)
    if at > 2:
        policy = build(name, np.nan_to_num(history.level, nan=1.0), batch=slots, steps=many * 2)
    draws = iter(policy)
    expected, counts = np.zeros(300), np.zeros(300)
    for number in range(min(policy.steps, at + many)):
        p = policy.probabilities()
        draw = next(draws)
        np.testing.assert_array_equal(draw.p, p[draw])
        if number < at:
            policy.step(draw, history.losses(draw))
        else:
            expected += slots * p
            counts += np.bincount(draw, minlength=300)
    assert counts[expected == 0].sum() == 0
    common = expected >= 5
    pooled = np.append(expected[common], max(expected[~common].sum(), 1e-9))
    found = np.append(counts[common], counts[~common].sum())
    chi2, freedom = ((found - pooled) ** 2 / pooled).sum(), len(pooled) - 1
    assert chi2 < freedom + 4 * np.sqrt(2 * freedom)
    assert at == 2 or name == "shadow" or expected.max() > 1.9 * expected[expected > 0].min()


@pytest.mark.parametrize("name", POLICIES)
@given(data=st.data(), seed=st.integers(0, 99))
@settings(max_examples=2)
def test_nothing_poisons_the_state(name, data, seed):
    """Losses, scores and embeddings that are 0, huge, infinite or NaN, each on its own."""
    policy = build(name, np.ones(N), steps=24)
    rng = np.random.default_rng(seed)
    odd = st.lists(st.tuples(st.integers(0, BATCH - 2), st.sampled_from(ODD)), max_size=4)
    for draw in policy:
        losses, scores = (torch.from_numpy(rng.lognormal(0, 1, BATCH)) for _ in range(2))
        vectors = torch.from_numpy(rng.normal(size=(BATCH, 3)))
        for place, value in data.draw(odd):
            losses[place] = value
        for place, value in data.draw(odd):
            scores[place] = -value
        for place, value in data.draw(odd):
            vectors[place, 0] = value
        own = {"scores": scores} if seed % 2 else {}
        assert policy.step(draw, losses, vectors, **own).isfinite()
        p = policy.probabilities() if draw.number + 1 < 24 else p
        assert np.isfinite(p).all()
        assert p.sum() == pytest.approx(1, abs=1e-9)
    if isinstance(policy, SurpriseBand):
        held = {entry.id for entry in policy.quarantine() if entry.reason == "not finite"}
        known = np.setdiff1d(np.arange(N), list(held))
        assert not np.isinf(policy.score(known)).any()
        assert all(np.isfinite(column).all() for column in policy.snapshot().values())
