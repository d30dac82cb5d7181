"""One optimiser step, from a batch of windows to moved weights."""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from bandpass.curriculum import Draw
from bandpass.data import Batch
from bandpass.losses import REGULARISERS
from bandpass.models import AnyJEPA
from bandpass.training.feed import Feed
from bandpass.training.lr_schedule import cosine, warmup_cosine
from bandpass.training.passes import forward, step_generator, window_losses
from bandpass.training.settings import TrainSettings

FEWEST = 4
"""Windows of a bucket in a batch, at least, to say something about its distribution."""


BETAS = (0.9, 0.95)


@dataclass(frozen=True)
class StepResult:
    """What a step measured; tensors are detached and stay on their device.

    Attributes:
        draw: Ids of the windows that were trained on.
    """

    loss: Tensor
    prediction: Tensor
    grounding: Tensor
    regulariser: Tensor
    grad_norm: Tensor
    lr: float
    momentum: float
    tokens: Tensor
    draw: Draw


def train_step(
    jepa: AnyJEPA,
    batch: Batch,
    feed: Feed,
    optimizer: torch.optim.Optimizer,
    settings: TrainSettings,
    step: int,
) -> StepResult:
    """Run one step: choose, mask, predict, weigh, regularise, move, and let the teacher follow.

    Args:
        jepa: The model.
        batch: Windows with the draw they came from.
        feed: Told every window's loss before regularisation; gives back the weighted mean.
        optimizer: AdamW over ``parameter_groups(jepa)``.
        settings: Budget and weights.
        step: Steps done before this one; with the seed it determines masks and projections.

    Raises:
        FloatingPointError: If no loss is finite.
    """
    member = jepa.members[batch.part]
    batch, tokens = feed.narrow(member, batch)
    output = forward(member, batch, settings, step, tokens)
    loss = feed.weigh(member, batch, window_losses(output, settings, step), output)
    # The same-encoder target sees every position of every window; a teacher has no gradient.
    tokens = output.tokens if output.tokens.requires_grad else output.visible
    regulariser = regularise(tokens, feed.buckets(batch.draw), settings, step)

    lr = settings.lr * warmup_cosine(
        (step + 1) / settings.steps, warmup=settings.warmup, final=settings.final_lr
    )
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    (loss + settings.regulariser_weight * regulariser).backward()
    grad_norm = nn.utils.clip_grad_norm_(jepa.parameters(), settings.clip or math.inf)
    optimizer.step()
    fraction = step / settings.steps
    momentum = cosine(fraction, start=settings.momentum, end=settings.final_momentum)
    member.target.update(member.encoder, momentum, output.tokens.detach())
    feed.follow(member, batch, output)

    return StepResult(
        loss=loss.detach(),
        prediction=output.prediction.detach().mean(),
        grounding=output.grounding.detach().mean(),
        regulariser=regulariser.detach(),
        grad_norm=grad_norm.detach(),
        lr=lr,
        momentum=momentum,
        tokens=output.tokens.detach(),
        draw=cast(Draw, batch.draw),
    )


def adamw(model: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """The optimiser of training: fused, which is one call where a small model had hundreds."""
    groups = parameter_groups(model, settings.weight_decay)
    return torch.optim.AdamW(groups, lr=settings.lr, betas=BETAS, fused=True)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Split the trained parameters: matrices decay, biases and vectors do not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def regularise(tokens: Tensor, buckets: np.ndarray, settings: TrainSettings, step: int) -> Tensor:
    """Regularise the batch as a whole, or every bucket that has enough windows in it.

    Args:
        tokens: (B, tokens, dim), with gradient.
        buckets: (B,) ints.
        settings: Name, and within what.
        step: With the seed it determines projections.
    """
    if settings.regulariser == "none":
        return tokens.new_zeros(())
    parts = [np.flatnonzero(buckets == code) for code in np.unique(buckets)]
    parts = [part for part in parts if len(part) >= FEWEST]
    if settings.regulariser_within == "batch" or not parts:
        parts = [np.arange(len(buckets))]
    regulariser, total = REGULARISERS[settings.regulariser], sum(map(len, parts))
    terms = [
        len(part) / total * regulariser(own, generator=step_generator(settings, step))
        for part in parts
        for own in [tokens[torch.from_numpy(part).to(tokens.device)].transpose(0, 1)]
    ]
    return torch.stack(terms).sum()
