import math
from dataclasses import replace

import pytest
import torch

from bandpass.curriculum.scores import SCORES
from bandpass.curriculum.signals import MissingSignal, Signals

# One window of 2 hidden tokens and 2 dimensions, beside one that the predictor got right.
PREDICTION = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [3.0, 3.0]]])
TARGET = torch.tensor([[[0.0, 1.0], [0.0, 4.0]], [[1.0, 1.0], [3.0, 3.0]]])


def score(name: str, **signals: torch.Tensor) -> torch.Tensor:
    return SCORES[name](Signals(**signals))


def latents(name: str, **signals: torch.Tensor) -> torch.Tensor:
    return score(name, prediction=PREDICTION, target=TARGET, **signals)


def same(found: torch.Tensor, *expected: float) -> None:
    torch.testing.assert_close(found, torch.tensor(expected))


def test_log_of_the_loss():
    same(score("loss", losses=torch.tensor([1.0, math.e, 0.0])), 0.0, 1.0, -math.inf)


def test_residual_is_whitened_by_the_given_variance():
    # Squared errors 1, 1 | 0, 4 over variances 1, 4: 1, .25 | 0, 1, so .625 and .5 a token.
    variance = torch.tensor([1.0, 4.0])
    same(latents("residual", target_variance=variance), math.log(0.5625), -math.inf)
    same(latents("residual-max", target_variance=variance), math.log(0.625), -math.inf)


def test_residual_is_whitened_by_the_variance_of_the_batch():
    # The first dimension is 0, 0, 1, 3 (variance 1.5), the second 1, 4, 1, 3 (1.6875).
    token = torch.tensor([1 / 1.5 + 1 / 1.6875, 4 / 1.6875]) / 2
    same(latents("residual"), float(token.mean().log()), -math.inf)
    same(latents("residual-max"), float(token.max().log()), -math.inf)


def test_a_latent_dimension_that_hardly_varies_does_not_own_the_residual():
    variance = torch.tensor([1e-12, 2.0])
    floor = 1e-4 * 1.0
    expected = math.log((1 / floor + 1 / 2 + 4 / 2) / 4)
    same(latents("residual", target_variance=variance), expected, -math.inf)


def test_energy_is_half_the_squared_length_of_the_error():
    same(latents("energy"), math.log(0.5 * (1 + 1 + 4)), -math.inf)


def test_cosine_is_blind_to_magnitude():
    # Orthogonal (distance 1) and parallel (0) tokens.
    same(latents("cosine")[:1], math.log(0.5))
    torch.testing.assert_close(
        score("cosine", prediction=5 * PREDICTION, target=TARGET)[:1], latents("cosine")[:1]
    )


def test_worst_token_and_worst_quarter():
    losses = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [1.0] * 8])
    same(score("max-token", token_losses=losses), math.log(8), 0.0)
    same(score("top-quarter", token_losses=losses), math.log(7.5), 0.0)
    same(score("top-quarter", token_losses=losses[:, :3]), math.log(3), 0.0)  # at least one


def test_variation_over_masks_has_no_scale():
    losses = torch.tensor([[1.0, 10.0, 2.0], [3.0, 30.0, 2.0]])
    variation = math.log(math.sqrt(2) / 2)
    same(score("mask-variation", mask_losses=losses), variation, variation, -math.inf)


def test_disagreement_is_the_variance_over_heads():
    heads = torch.zeros(2, 1, 1, 2)
    heads[1] = torch.tensor([2.0, 4.0])  # unbiased variances 2 and 8
    same(score("disagreement", head_predictions=heads), math.log(5))


@pytest.mark.parametrize(
    ("name", "field", "shape"),
    [("mask-variation", "mask_losses", (1, 3)), ("disagreement", "head_predictions", (1, 3, 2, 2))],
)
def test_one_alone_has_no_spread(name, field, shape):
    with pytest.raises(ValueError, match=rf"{field} has shape .*at least 2"):
        score(name, **{field: torch.ones(shape)})


def test_progress_is_positive_where_the_fast_weights_are_better():
    losses, slow = torch.tensor([1.0, 2.0]), torch.tensor([math.e, 2.0])
    same(score("progress", losses=losses, slow_losses=slow), 1.0, 0.0)


def test_reducible_is_the_loss_beyond_the_reference():
    losses, reference = torch.tensor([math.e, 1.0]), torch.tensor([1.0, math.e])
    same(score("reducible", losses=losses, reference_losses=reference), 1.0, -1.0)


def test_alignment_is_high_where_both_losses_are():
    losses = torch.tensor([math.e, math.e, 1.0, 1.0])
    probe = torch.tensor([math.e**3, 1.0, 1.0, math.nan])
    same(score("alignment", losses=losses, probe_losses=probe)[:3], 2.0, 0.5, 0.0)
    assert score("alignment", losses=losses, probe_losses=probe)[3].isnan()


def test_uncertainty_averages_variances_not_their_logs():
    expected = torch.tensor([[0.0, math.log(3.0)]])
    same(score("uncertainty", log_variance=expected), math.log(2))


def test_surprisal_is_the_gaussian_log_likelihood():
    per_token = torch.tensor([[0.0, math.log(2.0)], [0.0, 0.0]])
    # Mean squared errors 1 and 2 a token.
    same(latents("surprisal", log_variance=per_token), 0.25 * (1 + 1 + math.log(2)), 0.0)
    per_dim = per_token[:, :, None].expand(-1, -1, 2)
    torch.testing.assert_close(
        latents("surprisal", log_variance=per_dim), latents("surprisal", log_variance=per_token)
    )


def test_surprisal_falls_where_the_error_was_foretold():
    calm, warned = (latents("surprisal", log_variance=torch.full((2, 2), v)) for v in (-2.0, 0.4))
    assert warned[0] < calm[0]
    assert warned[1] > calm[1]


@pytest.mark.parametrize("name", ["density", "density-ratio"])
def test_ingest_densities_are_scores_already(name):
    logs = torch.tensor([0.5, -math.inf, math.nan])
    found = score(name, **{name.replace("-", "_"): logs})
    torch.testing.assert_close(found, logs, equal_nan=True)


def test_a_missing_signal_is_named_with_the_way_to_it():
    with pytest.raises(MissingSignal, match=r"no slow_losses.*collect.*with aids\.slow"):
        score("progress", losses=torch.ones(3))
    with pytest.raises(MissingSignal, match=r"no density.*replace\(signals, density=\.\.\.\)"):
        score("density")


def test_half_precision_is_scored_in_single():
    exact = latents("energy")
    halved = Signals(prediction=PREDICTION.bfloat16(), target=TARGET.bfloat16())
    assert SCORES["energy"](halved).dtype == torch.float32
    torch.testing.assert_close(SCORES["energy"](halved), exact)


def test_take_follows_the_window_dimension():
    signals = Signals(
        prediction=PREDICTION,
        mask_losses=torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        target_variance=torch.tensor([1.0, 4.0]),
    )
    taken = signals.take(torch.tensor([1, 0, 1]))
    assert torch.equal(taken.prediction, PREDICTION[[1, 0, 1]])
    assert torch.equal(taken.mask_losses, torch.tensor([[2.0, 1.0, 2.0], [4.0, 3.0, 4.0]]))
    assert torch.equal(taken.target_variance, signals.target_variance)
    assert taken.target is None


def test_signals_can_be_put_in_later():
    signals = replace(Signals(losses=torch.ones(2)), density=torch.tensor([3.0, 4.0]))
    same(SCORES["density"](signals), 3.0, 4.0)
