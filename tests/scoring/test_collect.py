from dataclasses import replace

import pytest
import torch

from bandpass.curriculum.scores import SCORES
from bandpass.data import Batch
from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import JEPA, MASKS, EncoderSettings, JEPASettings, PredictorSettings
from bandpass.scoring.collect import (
    Aids,
    ScoringSettings,
    collect,
    of_output,
    teacher_embedding,
)
from bandpass.scoring.cost import Cost
from bandpass.scoring.heads import Heads
from bandpass.scoring.slow import SlowStudent

WINDOWS, TIME, CHANNELS = 6, 40, 3
FROM_INGEST = {"density", "density_ratio", "probe_losses"}
measured = pytest.mark.parametrize(
    "score", [s for s in SCORES.values() if not FROM_INGEST & set(s.needs)], ids=lambda s: s.name
)


def build(seed: int = 0, dim: int = 64, **settings: object) -> JEPA:
    """A JEPA of 10 tokens, predictor and encoder of one size."""
    model = JEPASettings(
        EncoderSettings(dim=dim, mlp=2 * dim), PredictorSettings(dim=dim, mlp=2 * dim), **settings
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return JEPA(CHANNELS, TIME, model, PREDICTION_LOSSES["smooth-l1"])


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(WINDOWS, TIME, CHANNELS, generator=generator)
    observed = torch.rand(values.shape, generator=generator) > 0.1
    return Batch(values * observed, observed, list(range(WINDOWS)))


@pytest.fixture
def aids() -> Aids:
    jepa = build()
    return Aids(slow=SlowStudent(jepa), heads=Heads(jepa), reference=build(seed=5))


def passed(jepa: JEPA, batch: Batch, seed: int = 3):
    mask = MASKS["span"](WINDOWS, jepa.grid, 0.4, torch.Generator().manual_seed(seed))
    return jepa(batch.values, batch.observed, mask)


@measured
def test_the_cost_counted_is_the_cost_declared(score, batch, aids):
    """Beyond a training forward that is there, and beyond one that scoring has to make."""
    jepa = build()
    found = collect(jepa, batch, score.needs, aids=aids, output=passed(jepa, batch))
    assert score(found).shape == (WINDOWS,)
    assert aids.cost.windows == WINDOWS
    assert aids.cost.forwards / WINDOWS == pytest.approx(score.forwards, abs=0.005)
    alone = replace(aids, cost=Cost())
    collect(jepa, batch, score.needs, aids=alone)
    assert alone.cost.forwards / WINDOWS == pytest.approx(2.6 + score.forwards, abs=0.005)


@measured
def test_scores_are_the_same_alone_as_in_the_batch(score, batch, aids):
    jepa = build()
    variance = torch.linspace(0.5, 2, 64)

    def found(some: Batch) -> torch.Tensor:
        return score(replace(collect(jepa, some, score.needs, aids=aids), target_variance=variance))

    whole = found(batch)
    one = Batch(batch.values[2:3], batch.observed[2:3], [2])
    torch.testing.assert_close(found(one), whole[2:3], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("target", ["ema", "layer", "patch"])
@pytest.mark.parametrize(("keep", "share"), [(1.0, 1.0), (0.5, 0.5)])
def test_low_token_scoring_costs_its_share(batch, target, keep, share):
    """Of 6 visible and 4 hidden tokens 3 and 2 are kept; a middle layer costs half a teacher."""
    jepa, aids = build(target=target), Aids()
    settings = ScoringSettings(keep=keep)
    signals = collect(jepa, batch, ["mask_losses"], settings, aids)
    teacher = {"ema": 1.0, "layer": 0.5, "patch": 0.0}[target]
    teachers = 1 if keep == 1 else 4  # what one mask keeps is not what another keeps
    expected = share * (teachers * teacher + 4 * 1.6)
    assert aids.cost.forwards / WINDOWS == pytest.approx(expected)
    assert signals.token_losses.shape == (WINDOWS, 4 * share)
    assert signals.mask_losses.shape == (4, WINDOWS)


def test_low_token_scoring_predicts_what_the_sparse_teacher_sees(batch):
    jepa = build()
    signals = collect(jepa, batch, ["losses"], ScoringSettings(keep=0.5))
    changed = Batch(batch.values + 1, batch.observed, batch.draw)
    assert not torch.equal(collect(jepa, changed, ["losses"]).losses, signals.losses)
    errors = PREDICTION_LOSSES["smooth-l1"](signals.prediction, signals.target)
    torch.testing.assert_close(errors.mean(dim=1), signals.losses)


def test_signals_of_the_training_forward_are_its_own_tensors(batch):
    jepa = build()
    output = passed(jepa, batch)
    signals = of_output(output)
    assert torch.equal(signals.losses, output.prediction)
    assert not any(value.requires_grad for value in vars(signals).values() if value is not None)
    assert signals.prediction.data_ptr() == output.foreseen.data_ptr()
    torch.testing.assert_close(signals.token_losses.mean(dim=1), signals.losses)
    weighted = torch.ones(WINDOWS, requires_grad=True)
    assert torch.equal(of_output(output, weighted).losses, weighted)


def test_losses_are_those_of_training_under_one_mask_for_all(batch):
    jepa = build()
    settings = ScoringSettings(prediction=0.5, grounding=2.0, seed=4)
    signals = collect(jepa, batch, ["mask_losses"], settings)
    torch.testing.assert_close(signals.mask_losses[0], signals.losses)
    one = MASKS["span"](1, jepa.grid, 0.4, torch.Generator().manual_seed(4 * 1_000_003))
    shared = replace(
        one, context=one.context.expand(WINDOWS, -1), target=one.target.expand(WINDOWS, -1)
    )
    output = jepa(batch.values, batch.observed, shared)
    expected = 0.5 * output.prediction + 2.0 * output.grounding
    torch.testing.assert_close(signals.losses, expected.detach())
    third = MASKS["span"](1, jepa.grid, 0.4, torch.Generator().manual_seed(4 * 1_000_003 + 2))
    shared = replace(
        third, context=third.context.expand(WINDOWS, -1), target=third.target.expand(WINDOWS, -1)
    )
    output = jepa(batch.values, batch.observed, shared)
    expected = 0.5 * output.prediction + 2.0 * output.grounding
    torch.testing.assert_close(signals.mask_losses[2], expected.detach())


def test_a_second_scoring_repeats_the_first(batch):
    jepa = build()
    first, second = (collect(jepa, batch, ["mask_losses"]) for _ in range(2))
    assert torch.equal(first.mask_losses, second.mask_losses)
    other = collect(jepa, batch, ["mask_losses"], ScoringSettings(seed=1))
    assert not torch.equal(first.mask_losses, other.mask_losses)


def test_the_raw_control_has_losses_but_no_latents(batch):
    jepa = build(latent=False)
    aids = Aids(slow=SlowStudent(jepa))
    settings = ScoringSettings(prediction=0.0, grounding=1.0)
    signals = collect(jepa, batch, ["mask_losses", "slow_losses"], settings, aids)
    assert SCORES["loss"](signals).isfinite().all()
    torch.testing.assert_close(SCORES["progress"](signals), torch.zeros(WINDOWS))
    assert SCORES["mask-variation"](signals).isfinite().all()
    with pytest.raises(ValueError, match="no token_losses"):
        SCORES["max-token"](signals)


@pytest.mark.parametrize(
    ("need", "aid"),
    [("slow_losses", "SlowStudent"), ("log_variance", "fit_heads"), ("reference_losses", "JEPA")],
)
def test_a_missing_aid_is_named(batch, need, aid):
    with pytest.raises(ValueError, match=rf"{need} needs an aid: pass aids=Aids\(.*{aid}"):
        collect(build(), batch, [need])


def test_malformed_requests_are_refused(batch):
    with pytest.raises(ValueError, match=r"needs names no signal: \['loses'\]"):
        collect(build(), batch, ["loses"])
    with pytest.raises(ValueError, match="mask 'spam' is none of"):
        ScoringSettings(mask="spam")
    with pytest.raises(ValueError, match="keep must be in"):
        ScoringSettings(keep=0.0)
    with pytest.raises(ValueError, match="at least 2 for a variation"):
        ScoringSettings(masks=1)


def test_a_reference_of_another_patch_is_refused(batch):
    reference = JEPA(
        CHANNELS, TIME, JEPASettings(EncoderSettings(patch=8)), PREDICTION_LOSSES["l1"]
    )
    with pytest.raises(ValueError, match="5 tokens and the model into 10"):
        collect(build(), batch, ["reference_losses"], aids=Aids(reference=reference))


def test_teacher_embedding_is_what_the_training_forward_pools(batch):
    jepa, cost = build(), Cost()
    found = teacher_embedding(jepa, batch.values, batch.observed, cost=cost)
    assert found.shape == (WINDOWS, 128)
    output = passed(jepa, batch)
    torch.testing.assert_close(found, output.pooled)
    torch.testing.assert_close(found[:, :64], output.embedding)
    assert (cost.windows, cost.forwards) == (WINDOWS, WINDOWS)


def test_teacher_embedding_of_half_the_tokens_costs_half(batch):
    jepa, cost = build(), Cost()
    found = teacher_embedding(jepa, batch.values, batch.observed, keep=0.5, cost=cost)
    assert cost.forwards == WINDOWS / 2
    index = torch.tensor([1, 3, 5, 7, 9]).expand(WINDOWS, -1)
    tokens = jepa.target.normalise(jepa.target(jepa.encoder, batch.values, batch.observed, index))
    torch.testing.assert_close(found[:, :64], tokens.mean(dim=1))
