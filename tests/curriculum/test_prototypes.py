import numpy as np
import pytest

from bandpass.curriculum.groups import MOST_PROTOTYPES, Groups
from bandpass.curriculum.prototypes import LONGEST, PRIOR, Prototypes


def test_few_observations_are_drawn_toward_the_typical_score():
    prototypes = Prototypes(3)
    kinds, bins = np.array([1, 1, 2, 2, 2, 2, 2, 2]), np.array([10.0, 20, 30, 30, 30, 30, 30, 30])
    prototypes.add(kinds, bins, np.ones(8))
    typical = np.array([5.0, 5.0, 10.0])
    expected = [5, (2 * 15 + PRIOR * 5) / (2 + PRIOR), (6 * 30 + PRIOR * 10) / (6 + PRIOR)]
    np.testing.assert_allclose(prototypes.positions(typical), expected)


def test_the_mean_is_plain_at_first_and_then_forgets():
    rng, prototypes = np.random.default_rng(0), Prototypes(1)
    values = rng.normal(100, 5, LONGEST)
    for value in values:
        prototypes.add(np.zeros(1, int), np.array([value]), np.ones(1))
    far = prototypes.positions(np.array([0.0]))[0] * (LONGEST + PRIOR) / LONGEST
    assert far == pytest.approx(values.mean())
    for _ in range(8 * LONGEST):
        prototypes.add(np.zeros(1, int), np.array([200.0]), np.ones(1))
    assert prototypes.positions(np.array([200.0]))[0] == pytest.approx(200, abs=0.1)


def test_state_survives_and_is_a_copy():
    prototypes, other = Prototypes(2), Prototypes(2)
    prototypes.add(np.array([0, 1]), np.array([10.0, 20.0]), np.ones(2))
    state = prototypes.state_dict()
    prototypes.add(np.array([0, 1]), np.array([90.0, 90.0]), np.ones(2))
    other.load_state_dict(state)
    weight = 1 + PRIOR
    np.testing.assert_allclose(other.positions(np.zeros(2)), [10 / weight, 20 / weight])


def test_a_prototype_in_two_buckets_is_two():
    groups = Groups.check(6, [0, 0, 0, 1, 1, 1], [4, 4, 2, 4, 2, 2], None)
    assert groups.clustered
    assert len(groups.bucket_of) == 4
    np.testing.assert_array_equal(groups.bucket_of[groups.prototypes], [0, 0, 0, 1, 1, 1])
    assert len(set(groups.prototypes[[0, 1]])) == len(set(groups.prototypes[[4, 5]])) == 1


def test_without_prototypes_the_buckets_serve():
    groups = Groups.check(4, [0, 2, 1, 2], None, [0, 0, 1])
    assert not groups.clustered
    np.testing.assert_array_equal(groups.bucket_of[groups.prototypes], [0, 2, 1, 2])
    np.testing.assert_array_equal(groups.parents, [0, 0, 1])


@pytest.mark.parametrize(
    ("buckets", "prototypes", "parents", "error", "text"),
    [
        ([0, 1], None, None, ValueError, r"buckets must have shape \(3,\), one each, got \(2,\)"),
        (None, [0.0, 1, 2], None, TypeError, "prototypes must be integers, got float64"),
        (None, [0, -1, 2], None, ValueError, "prototypes must count from 0, got -1"),
        ([0, 1, 1], None, [0], ValueError, r"parents must have shape \(2,\)"),
    ],
)
def test_wrong_groups_are_refused(buckets, prototypes, parents, error, text):
    with pytest.raises(error, match=text):
        Groups.check(3, buckets, prototypes, parents)


def test_too_many_prototypes_are_refused():
    n = MOST_PROTOTYPES + 1
    with pytest.raises(ValueError, match="65537 buckets or prototypes are more than 65536"):
        Groups.check(n, None, np.arange(n), None)


def test_an_observation_counts_for_the_windows_it_stands_for():
    """A band draws surprising windows more often: their prototype is not surprising for that."""
    prototypes = Prototypes(1)
    prototypes.add(
        np.zeros(4, int), np.array([90.0, 90.0, 90.0, 10.0]), np.array([1 / 3] * 3 + [9])
    )
    mean = prototypes.state_dict()["mean"].item()
    assert mean == pytest.approx((90 + 9 * 10) / 10)
