import numpy as np
import pytest
import torch

from bandpass.curriculum import BandSettings, SurpriseBand, static_probabilities

PLAIN = BandSettings(warm_up=0.0, cool_down=0.0)


def test_held_windows_stay_at_the_floor_whatever_they_score():
    band = SurpriseBand(100, 8, steps=400, settings=PLAIN)
    band.hold([3, 3, 5])
    for draw in band:
        losses = torch.ones(8) + torch.tensor([9.0 * (i in (3, 5)) for i in draw])
        band.step(draw, losses)
    p = band.probabilities()
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p[[3, 5]] == pytest.approx(PLAIN.floor / 100)
    assert [(held.id, held.reason) for held in band.quarantine()] == [
        (3, "held by hand"),
        (5, "held by hand"),
    ]
    band.release([3])
    assert band.probabilities()[3] > PLAIN.floor / 100
    assert band.released == {3}


def test_holding_does_not_lift_a_ban():
    band = SurpriseBand(100, 8, steps=4)
    band.ban([3])
    band.hold([3])
    assert band.probabilities()[3] == 0


@pytest.mark.parametrize("ids", [np.arange(100) == 50, [0.5]])
def test_masks_and_fractions_are_no_ids(ids):
    with pytest.raises(TypeError, match="ids must be integers"):
        SurpriseBand(100, 8, steps=4).ban(ids)


def test_extremes_of_a_static_score_stay_at_the_floor():
    scores = np.random.default_rng(0).normal(0, 0.3, 2000)
    scores[[7, 8]] = 20, 50
    p = static_probabilities(scores, PLAIN)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p[[7, 8]] == pytest.approx(PLAIN.floor / 2000)


def test_small_batches_do_not_turn_the_valves_off():
    band = SurpriseBand(200, 1, steps=3000)
    for draw in band:
        band.step(draw, torch.tensor([1e6 if draw[0] == 7 else 1 + 0.1 * (draw[0] % 5)]))
        if draw.number == 2500:
            break
    assert 7 in [held.id for held in band.quarantine()]


def test_embeddings_without_any_spread_are_refused_at_the_first_step():
    band = SurpriseBand(10, 2, steps=3)
    with pytest.raises(ValueError, match="all alike"):
        band.step(next(iter(band)), torch.ones(2), torch.ones(2, 4))


def test_too_many_buckets_are_refused():
    with pytest.raises(ValueError, match="2000 buckets are more than 1024"):
        SurpriseBand(2000, 2, steps=1, buckets=np.arange(2000))


def test_losses_of_zero_are_drawn_uniformly_until_there_is_something_to_rank():
    band = SurpriseBand(50, 8, steps=100, settings=PLAIN)
    for draw in band:
        band.step(draw, torch.zeros(8) if draw.number < 10 else 1 + torch.rand(8))
        if draw.number == 5:
            assert np.ptp(band.probabilities()) == 0
        if draw.number == 60:
            break
    assert np.ptp(band.probabilities()) > 0
