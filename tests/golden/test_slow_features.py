"""A JEPA on a moving dot: it learns the dot under noise that changes, and misses it under fixed.

"Joint Embedding Predictive Architectures Focus on Slow Features" (arXiv 2211.10831): a background
that stays the same throughout a clip is the easiest thing to foresee and as good as any at telling
clips apart, so an encoder held from collapse by VICReg keeps the background and drops what moves.
Whoever sees this test fail in its second half has found a cure, or made the task easier.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

from bandpass.evaluation import readout_r2
from bandpass.losses import PREDICTION_LOSSES, vicreg
from bandpass.models import JEPA, MASKS, EncoderSettings, JEPASettings, PredictorSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SIDE, FRAMES, NOISE = 28, 17, 1.25
STEPS, BATCH, DIM = 600, 64, 64


def dots(count: int, fixed: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Clips (count, FRAMES, SIDE^2) of a dot at constant speed, and where it is, from 0 to 1."""
    start = 4 + (SIDE - 8) * torch.rand(count, 1, 2, generator=generator)
    speed = 2 * torch.rand(count, 1, 2, generator=generator) - 1
    place = start + speed * torch.arange(FRAMES)[:, None]
    span = SIDE - 8
    place = 4 + span - ((place - 4) % (2 * span) - span).abs()  # it bounces off the walls
    pixel = torch.arange(SIDE)
    along = torch.exp(-((pixel - place[..., None]) ** 2) / (2 * 1.5**2))
    dot = along[:, :, 0, :, None] * along[:, :, 1, None, :]
    once = torch.rand(count, 1 if fixed else FRAMES, SIDE, SIDE, generator=generator)
    clips = dot + NOISE * once
    return (clips - NOISE / 2).flatten(2), place / SIDE


def fit(fixed: bool, seed: int) -> JEPA:
    settings = JEPASettings(
        encoder=EncoderSettings(patch=1, space=SIDE, dim=DIM, depth=2, heads=4, mlp=128),
        predictor=PredictorSettings(dim=DIM, depth=2, heads=4, mlp=128),
        target="same-encoder",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        jepa = JEPA((SIDE, SIDE, 1), FRAMES, settings, PREDICTION_LOSSES["mse"])
    optimizer = torch.optim.AdamW(jepa.parameters(), lr=1e-3, weight_decay=0.01)
    generator = torch.Generator().manual_seed(seed)
    there = torch.ones(1, dtype=torch.bool).expand(BATCH, FRAMES, SIDE**2)
    for _ in range(STEPS):
        values, _ = dots(BATCH, fixed, generator)
        mask = MASKS["span"](BATCH, jepa.grid, 0.4, generator)
        output = jepa(values, there, mask)
        optimizer.zero_grad()
        (10 * output.prediction.mean() + vicreg(output.tokens.transpose(0, 1))).backward()
        optimizer.step()
    return jepa.eval()


def recovered(jepa: JEPA, fixed: bool) -> float:
    """R2 of a linear readout of the dot's place from the token of its frame, on fresh clips."""
    generator = torch.Generator().manual_seed(1_000)
    sides = []
    for _ in range(2):
        values, place = dots(500, fixed, generator)
        tokens = jepa.embed(values, torch.ones_like(values, dtype=torch.bool))
        sides.append((tokens.flatten(0, 1).numpy(), place.flatten(0, 1).numpy()))
    (fit_tokens, fit_place), (tokens, place) = sides
    groups = np.repeat(np.arange(500), FRAMES)
    return readout_r2(fit_tokens, fit_place, tokens, place, groups, seed=0).r2.value


def test_the_dot_is_recovered_under_changing_noise_and_lost_under_fixed_noise():
    changing, fixed = (recovered(fit(kind, seed=0), kind) for kind in (False, True))
    print(f"R2 of the dot's place: changing noise {changing:.3f}, fixed noise {fixed:.3f}")
    assert changing > 0.6
    assert fixed < 0.3
