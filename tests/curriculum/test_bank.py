import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandpass.curriculum.bank import ENOUGH, Bank

WIDTH = 8


def embeddings(n: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal((n, WIDTH)).astype(np.float32)


def filled(n: int = 200, **settings: int) -> Bank:
    bank = Bank(**{"size": 256, "k": 3, "reach": 0, "seed": 0} | settings)
    bank.admit(1000 * np.arange(n), embeddings(n))
    return bank


def test_a_thin_bank_knows_nothing():
    bank = filled(ENOUGH * WIDTH - 1)
    assert np.isnan(bank.isolation(np.array([5]), embeddings(1))).all()
    bank.admit(np.array([7]), embeddings(1))
    assert np.isfinite(bank.isolation(np.array([5]), embeddings(1))).all()


def test_isolation_is_the_mahalanobis_distance_to_the_kth_entry():
    bank = filled()
    query = embeddings(4, seed=1)
    entries = embeddings(200).astype(np.float64)
    covariance = np.cov(entries.T, bias=True)
    covariance += 0.01 * np.trace(covariance) / WIDTH * np.eye(WIDTH)
    gap = query[:, None] - entries
    distance = np.sqrt(np.einsum("bni,ij,bnj->bn", gap, np.linalg.inv(covariance), gap))
    expected = np.log(np.sort(distance, axis=1)[:, 2])
    np.testing.assert_allclose(bank.isolation(np.arange(1, 5), query), expected, rtol=1e-3)


def test_scale_and_mixing_of_the_dimensions_do_not_matter():
    mix = np.eye(WIDTH, dtype=np.float32) + np.triu(np.ones((WIDTH, WIDTH), np.float32), 1)
    plain, mixed = Bank(256, 3, 0, 0), Bank(256, 3, 0, 0)
    ids, vectors, query = 10 * np.arange(200), embeddings(200), embeddings(5, seed=1)
    plain.admit(ids, vectors)
    mixed.admit(ids, 30 * vectors @ mix)
    far = [
        bank.isolation(np.arange(1, 6), q)
        for bank, q in ((plain, query), (mixed, 30 * query @ mix))
    ]
    np.testing.assert_allclose(far[0], far[1], atol=0.3)


def test_neighbours_in_time_do_not_vouch():
    bank = filled(reach=8)
    fault = 20 + embeddings(6, seed=2, scale=0.01)
    bank.admit(5003 + np.arange(6), fault)
    overlapping, elsewhere = bank.isolation(np.array([5004, 9500]), np.stack([fault[1]] * 2))
    assert overlapping > elsewhere + 2


def test_a_window_that_comes_again_replaces_itself():
    bank = filled()
    before = len(bank)
    bank.admit(np.array([3000]), 50 + embeddings(1))
    assert len(bank) == before
    again = bank.state_dict()
    assert again["entries"][3].numpy() == pytest.approx(50 + embeddings(1)[0])
    assert np.count_nonzero(again["ids"].numpy() == 3000) == 1


@given(st.lists(st.integers(1, 80), min_size=1, max_size=20), st.integers(0, 3))
def test_ids_stay_distinct_and_the_size_bounded(sizes, seed):
    bank = Bank(64, 3, 0, seed)
    generator = np.random.default_rng(seed)
    for size in sizes:
        ids = generator.choice(100, size=min(size, 64), replace=False)
        bank.admit(ids, embeddings(len(ids), seed=size))
        held = bank.state_dict()["ids"].numpy()
        assert len(held) == len(set(held.tolist())) == len(bank) <= 64
        assert set(ids.tolist()) <= set(held.tolist())


def test_a_bank_that_could_never_be_whitened_is_refused():
    with pytest.raises(ValueError, match="at least 64"):
        Bank(32, 3, 0, 0).admit(np.arange(2), embeddings(2))


def test_old_entries_fade_out():
    bank = Bank(64, 3, 0, 0)
    for step in range(100):
        bank.admit(16 * step + np.arange(16), embeddings(16, seed=step))
    age = (1600 - bank.state_dict()["ids"].numpy()).mean()
    assert 40 < age < 100  # 64 admissions, give or take
    assert len(bank) == 64


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_never_enters(poison):
    bank = filled()
    before = bank.state_dict()
    spoilt = embeddings(3)
    spoilt[:, 0] = poison
    bank.admit(np.array([1, 2, 3]), spoilt)
    assert np.isnan(bank.isolation(np.array([1, 2, 3]), spoilt)).all()
    for key, value in bank.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_identical_embeddings_are_no_error():
    bank = Bank(64, 3, 0, 0)
    bank.admit(np.arange(64), np.ones((64, WIDTH), np.float32))
    assert np.isfinite(bank.isolation(np.array([99]), np.ones((1, WIDTH), np.float32))).all()


def test_a_restored_bank_goes_on_alike():
    one = filled()
    two = Bank(256, 3, 0, 0)
    two.load_state_dict(one.state_dict())
    for step in range(12):
        ids = 7 * step + np.arange(24)
        fresh, query = embeddings(24, seed=step), embeddings(4, seed=-step % 97)
        for bank in (one, two):
            bank.admit(ids, fresh)
        np.testing.assert_array_equal(
            one.isolation(np.arange(4), query), two.isolation(np.arange(4), query)
        )
    assert all(
        np.array_equal(value, two.state_dict()[key]) for key, value in one.state_dict().items()
    )


def test_the_seed_decides_who_gives_way():
    held = []
    for seed in (0, 0, 1):
        bank = Bank(64, 3, 0, seed)
        for step in range(10):
            bank.admit(16 * step + np.arange(16), embeddings(16, seed=step))
        held.append(bank.state_dict()["ids"].tolist())
    assert held[0] == held[1] != held[2]


def test_operations_are_counted_and_kept():
    bank = filled()
    before = bank.flops
    assert before > 0
    bank.isolation(np.arange(1, 5), embeddings(4, seed=1))
    assert bank.flops - before == 2 * 4 * WIDTH**2 + 4 * 200 * (2 * WIDTH + 3)
    state, twin = bank.state_dict(), Bank(256, 3, 0, 0)
    twin.load_state_dict(state)
    assert twin.flops == bank.flops
    del state["flops"]  # as states were
    twin.load_state_dict(state)
    assert twin.flops == 0
