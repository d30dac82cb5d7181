"""What every selection policy promises, whichever it is."""

import io
import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from bandpass.curriculum import POLICIES, Draw, Fixed, SurpriseBand, Uniform

N, BATCH, STEPS = 300, 8, 80
LEVEL = np.exp(np.random.default_rng(0).normal(size=N + 1))

IN_GROUPS = ", in groups"
ways = ("uniform", "rs2", "static", "surprise-band", "shuffled", "shadow", "infobatch", "per")
policies = pytest.mark.parametrize("name", [*POLICIES, *(name + IN_GROUPS for name in ways)])


def build(name: str, n: int = N, batch: int = BATCH, *, steps: int = STEPS, seed: int = 3):
    """Any policy; those that go by a score known beforehand get the level of the losses."""
    policy = POLICIES[name.removesuffix(IN_GROUPS)]
    # Of three sizes; where there are few windows and only their number is wrong, none.
    grouped = IN_GROUPS in name and 0 < n <= N + 1
    given = {"steps": steps, "seed": seed}
    given |= {"groups": np.arange(n) % 7 % 3} if grouped else {}
    if policy.sampler is Uniform:
        return Uniform(n, batch, subset=policy.subset, **given)
    if policy.sampler is Fixed:
        return Fixed(LEVEL[:n], batch, **given)
    return SurpriseBand(n, batch, settings=policy.settings, **given)


def losses_of(draw: Draw) -> torch.Tensor:
    """A model's losses: a level per window, noise per draw, one window that is always NaN."""
    noise = np.random.default_rng(draw.number).lognormal(0, 0.2, BATCH)
    losses = LEVEL[draw] * noise
    losses[np.array(draw) == 7] = np.nan
    return torch.from_numpy(losses)


class Echo(Dataset):
    """Hands the draw on, as a dataset of windows does with its batch."""

    def __len__(self) -> int:
        return N

    def __getitems__(self, draw: Draw) -> Draw:
        return draw


def same(draw: Draw) -> Draw:
    return draw


def loader(policy, workers: int) -> Iterator[Draw]:
    return iter(DataLoader(Echo(), batch_sampler=policy, num_workers=workers, collate_fn=same))


def assert_same(a: object, b: object) -> None:
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a.nan_to_num(-1), b.nan_to_num(-1))
    else:
        assert a == b or (a != a and b != b)


def assert_same_draws(a: list[Draw], b: list[Draw]) -> None:
    assert [draw.number for draw in a] == [draw.number for draw in b]
    assert a == b
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.p, y.p)


def saved(policy) -> dict:
    file = io.BytesIO()
    torch.save(policy.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def ahead(policy, depth: int) -> Iterator[Draw]:
    """Yields as a loader does that has drawn `depth` batches before it hands out the first."""
    queue: deque[Draw] = deque()
    for draw in policy:
        queue.append(draw)
        if len(queue) > depth:
            yield queue.popleft()
    yield from queue


def follow(policy, draws: Iterator[Draw], stop: int = STEPS) -> list[Draw]:
    """Steps until `stop` draws are settled."""
    seen = []
    for draw in draws:
        policy.step(draw, losses_of(draw))
        seen.append(draw)
        if draw.number + 1 == stop:
            break
    return seen


@policies
@given(at=st.integers(1, STEPS - 1), depth=st.integers(0, 6))
@settings(max_examples=2)
def test_resumed_run_is_the_uninterrupted_one(name, at, depth):
    whole, first, second = build(name), build(name), build(name)
    expected = follow(whole, ahead(whole, depth))
    begun = follow(first, ahead(first, depth), stop=at)
    second.load_state_dict(saved(first))
    assert len(second) == STEPS - at
    assert_same_draws(begun + follow(second, ahead(second, depth)), expected)
    assert_same(second.state_dict(), whole.state_dict())


@policies
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("at", [33])
def test_resumes_exactly_behind_a_real_loader(name, workers, at):
    whole, first, second = build(name), build(name), build(name)
    expected = follow(whole, loader(whole, workers))
    assert len(expected) == STEPS
    begun = follow(first, loader(first, workers), stop=at)
    second.load_state_dict(saved(first))
    assert_same_draws(begun + follow(second, loader(second, workers)), expected)
    assert_same(second.state_dict(), whole.state_dict())


@policies
def test_saved_state_is_a_copy(name):
    policy = build(name)
    follow(policy, iter(policy), stop=50)
    before, state = saved(policy), policy.state_dict()
    follow(policy, iter(policy), stop=80)
    assert_same(state, before)


@policies
def test_state_of_another_size_or_seed_is_refused(name):
    state = build(name).state_dict()
    for other in (build(name, N + 1), build(name, batch=BATCH + 1), build(name, seed=4)):
        with pytest.raises(ValueError, match="the state was saved by a sampler of"):
            other.load_state_dict(state)


@policies
@given(depth=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=2)
def test_steps_may_come_late_and_in_any_order_and_a_resume_between_them(name, depth, seed):
    policy, resumed = build(name), build(name)
    order = np.random.default_rng(seed)
    waiting: list[Draw] = []
    for draw in policy:
        waiting.append(draw)
        if len(waiting) > depth:
            late = waiting.pop(order.integers(len(waiting)))
            policy.step(late, losses_of(late))
        if draw.number == STEPS // 2:
            break
    resumed.load_state_dict(saved(policy))
    rest = follow(policy, iter(policy))
    assert [draw.number for draw in rest[: len(waiting)]] == [draw.number for draw in waiting]
    assert_same_draws(follow(resumed, iter(resumed)), rest)
    assert_same(resumed.state_dict(), policy.state_dict())
    assert len(policy) == 0


@policies
def test_looking_changes_nothing(name):
    watched, alone = build(name), build(name)
    for a, b in zip(watched, alone, strict=True):
        assert_same_draws([a], [b])
        watched.probabilities()
        watched.expected_shares(np.arange(N) % 3)
        watched.state_dict()
        watched.step(a, losses_of(a))
        alone.step(b, losses_of(b))
    assert_same(watched.state_dict(), alone.state_dict())


@policies
def test_length_counts_down(name):
    policy = build(name)
    assert len(policy) == STEPS
    follow(policy, iter(policy), stop=20)
    assert len(policy) == STEPS - 20
    assert len(list(policy)) == STEPS - 20


@policies
def test_seed_decides_and_the_global_generators_do_not(name):
    torch.manual_seed(0)
    first = follow(*(lambda p: (p, iter(p)))(build(name)))
    torch.manual_seed(1)
    second = follow(*(lambda p: (p, iter(p)))(build(name)))
    assert_same_draws(first, second)
    assert next(iter(build(name, seed=4))) != first[0]


@policies
def test_loss_is_differentiable_and_leaves_out_what_is_not_finite(name):
    policy = build(name)
    draw = next(iter(policy))
    losses = torch.arange(1.0, BATCH + 1, requires_grad=True)
    spoilt = losses * torch.tensor([1.0] * (BATCH - 1) + [float("inf")])
    loss = policy.step(draw, spoilt)
    loss.backward()
    torch.testing.assert_close(loss.detach(), torch.arange(1.0, BATCH).mean())
    torch.testing.assert_close(losses.grad[:-1], torch.full((BATCH - 1,), 1 / (BATCH - 1)))


@policies
def test_half_precision_is_summed_in_single(name):
    policy = build(name)
    loss = policy.step(next(iter(policy)), torch.ones(BATCH, dtype=torch.bfloat16))
    assert loss.dtype == torch.float32


@policies
@pytest.mark.parametrize(
    ("losses", "embeddings", "error", "text"),
    [
        (torch.ones(BATCH, 2), None, ValueError, r"shape \(8,\).*got \(8, 2\)"),
        (torch.tensor(1.0), None, ValueError, r"got \(\)"),
        (torch.ones(BATCH, dtype=torch.int64), None, TypeError, "torch.int64"),
        (torch.full((BATCH,), -0.5), None, ValueError, "got -0.5"),
        (torch.full((BATCH,), torch.nan), None, FloatingPointError, "draw 0 .*diverged"),
        (torch.ones(BATCH), torch.ones(3, 2), ValueError, r"\(8, D\), got \(3, 2\)"),
        (torch.ones(BATCH), torch.ones(BATCH), ValueError, r"\(8, D\), got \(8,\)"),
    ],
)
def test_wrong_results_raise_at_the_first_step(name, losses, embeddings, error, text):
    policy = build(name)
    draw = next(iter(policy))
    with pytest.raises(error, match=text):
        policy.step(draw, losses, embeddings)
    policy.step(draw, torch.ones(BATCH))  # nothing was half recorded


@policies
def test_a_draw_is_stepped_once(name):
    policy = build(name)
    draw = next(iter(policy))
    policy.step(draw, losses_of(draw))
    with pytest.raises(ValueError, match="draw 0 is not in flight"):
        policy.step(draw, losses_of(draw))


@policies
@pytest.mark.parametrize(("n", "batch", "seed"), [(0, 8, 0), (2**31, 8, 0), (9, 0, 0), (9, 8, -1)])
def test_impossible_sizes_are_refused(name, n, batch, seed):
    if POLICIES[name.removesuffix(IN_GROUPS)].sampler is Fixed and n > N:
        pytest.skip("its weights alone would take gigabytes")
    with pytest.raises(ValueError, match="must be"):
        build(name, n, batch, steps=5, seed=seed)


@policies
@pytest.mark.parametrize("n", [1, 3])
def test_fewer_windows_than_slots(name, n):
    policy = build(name, n, steps=40)
    for draw in policy:
        assert set(draw) <= set(range(n))
        policy.step(draw, torch.ones(BATCH))


def test_stands_alone():
    """Somebody with a loop of their own gets torch, NumPy and nothing of ours but the sampler."""
    code = """
import json, sys, numpy.random, torch.utils.data
before = set(sys.modules)
import bandpass.curriculum
new = set(sys.modules) - before
roots = {name.split(".")[0] for name in new} - set(sys.stdlib_module_names)
siblings = {name for name in new if name.startswith("bandpass.")}
print(json.dumps([sorted(roots), sorted({name.split(".")[1] for name in siblings})]))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    roots, siblings = json.loads(out.stdout)
    assert set(roots) <= {"bandpass", "torch", "numpy"}
    assert siblings == ["curriculum"]
