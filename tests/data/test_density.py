import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bandpass.data.clusters import FEWEST, prototypes
from bandpass.data.density import densities, log_distance


def quiet(*_: float) -> None: ...


def stream(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A dense bulk, a small loose cluster far off, and one-offs further still, apart in time."""
    generator = np.random.default_rng(seed)
    bulk = generator.normal(size=(900, 8))
    cluster = 8 + 2 * generator.normal(size=(40, 8))
    alone = 40 * generator.normal(size=(20, 8))
    kind = np.repeat([0, 1, 2], [900, 40, 20])
    order = generator.permutation(len(kind))
    return np.concatenate([bulk, cluster, alone])[order].astype(np.float32), kind[order], order


def test_density_is_the_log_mean_distance_to_the_nearest_that_are_not_near_in_time() -> None:
    features, *_ = stream()
    place = 10 * np.arange(len(features))
    bank = np.arange(0, len(features), 7)
    found = log_distance(features, place, bank, 35, 3, quiet)
    for i in (0, 13, 959):
        far = bank[np.abs(place[bank] - place[i]) >= 35]
        nearest = np.sort(np.linalg.norm(features[far] - features[i], axis=1))[:3]
        np.testing.assert_allclose(found[i], np.log(nearest.mean()), atol=1e-3)


def test_the_ratio_prefers_what_is_rare_and_repeats() -> None:
    features, kind, _ = stream()
    found = densities(features, 10 * np.arange(len(kind)), 20, seed=0, progress=quiet)
    by_kind = [np.median(found.ratio[kind == k]) for k in (0, 1, 2)]
    assert by_kind[1] > max(by_kind[0], by_kind[2])
    sparse = [np.median(found.density[kind == k]) for k in (0, 1, 2)]
    assert sparse[2] > sparse[0]


def test_neighbours_in_time_do_not_vouch_for_each_other() -> None:
    features, _, _ = stream()
    features[500:503] = 30.0  # three overlapping windows of one fault
    place = 10 * np.arange(len(features))
    bank = np.arange(len(features))
    near, far = (log_distance(features, place, bank, reach, 1, quiet) for reach in (1, 50))
    assert (near[500:503] < far[500:503] - 5).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_densities_are_finite_and_a_function_of_the_seed(seed: int, count: int) -> None:
    features = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float16)
    features[: count // 2] = 0  # repeats
    place = np.arange(count)
    one, two = (densities(features, place, 5, seed=seed, progress=quiet) for _ in range(2))
    assert np.isfinite(one.density).all()
    assert np.isfinite(one.ratio).all()
    np.testing.assert_array_equal(one.ratio, two.ratio)


@given(st.integers(0, 2**32 - 1), st.integers(1, 900))
def test_prototypes_number_every_window_and_are_not_small(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, 3)) + 5 * generator.integers(3, size=(count, 1))
    cluster = prototypes(features.astype(np.float16), seed=seed, progress=quiet)
    size = np.bincount(cluster)
    assert len(cluster) == count
    assert size.min() >= min(FEWEST, count)


def test_prototypes_keep_apart_what_is_apart() -> None:
    features, kind, _ = stream()
    cluster = prototypes(features, seed=0, progress=quiet)
    both = [set(cluster[kind == k]) for k in (0, 1)]
    assert not both[0] & both[1]
