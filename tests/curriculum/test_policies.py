from dataclasses import fields

import numpy as np
import pytest

from bandpass.curriculum import POLICIES, BandSettings, Fixed, SurpriseBand, Uniform


def test_every_policy_says_what_it_does_and_none_is_another_by_a_second_name():
    assert len({policy.about for policy in POLICIES.values()}) == len(POLICIES)
    kinds = [
        (policy.sampler, policy.subset, policy.settings)
        for name, policy in POLICIES.items()
        if name != "oracle"  # its weights tell it from "static"
    ]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("name", POLICIES)
def test_presets_belong_to_the_sampler(name):
    policy = POLICIES[name]
    assert policy.sampler in {SurpriseBand, Uniform, Fixed}
    assert policy.sampler is not Uniform or policy.settings == BandSettings()
    assert policy.sampler is Uniform or policy.subset == 1


def test_floorless_policies_rank_among_what_they_remember():
    """Quantiles of what they draw would be quantiles of their own taste."""
    for name, policy in POLICIES.items():
        if policy.settings.floor == 0:
            assert policy.settings.recent == "table", name


@pytest.mark.parametrize("batch", [3, 10])
def test_fixed_draws_what_its_weights_say(batch):
    weights = np.array([0.0, 1, 3, 0, 6, 0])
    policy = Fixed(weights, batch, steps=20_000 // batch)
    np.testing.assert_allclose(policy.probabilities(), weights / 10)
    ids = np.array([i for draw in policy for i in draw])
    found = np.bincount(ids, minlength=6) / len(ids)
    np.testing.assert_allclose(found, weights / 10, atol=0.015)
    assert (found[weights == 0] == 0).all()


@pytest.mark.parametrize(
    "weights", [[0.0, 0.0], [1.0, -1.0], [np.nan, 1.0], [np.inf, 1.0], [[1.0]], []]
)
def test_fixed_refuses_what_is_no_distribution(weights):
    with pytest.raises(ValueError, match="finite, at least 0 and not all 0"):
        Fixed(weights, 2, steps=1)


def test_settings_can_be_told_apart_by_every_field():
    """A preset is stored as its fields: none may be hidden from comparison."""
    assert all(field.compare and field.init for field in fields(BandSettings))
