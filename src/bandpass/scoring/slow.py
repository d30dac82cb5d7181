"""Slow weights of the student: how the loss was a while ago, against today's target."""

import copy

import torch
from torch import Tensor, nn

from bandpass.models import JEPA, Output


class SlowStudent(nn.Module):
    """An exponential moving average of encoder, predictor and readouts, without a target.

    Its loss is measured against the teacher of the JEPA itself, so that the difference of the two
    losses is what the student has learnt, not how far the target has moved (gamma-Progress, Kim
    et al., arXiv 2007.07853, section 4).

    Args:
        jepa: The model that is trained; all but its target is copied.
    """

    def __init__(self, jepa: JEPA) -> None:
        super().__init__()
        self.student = copy.deepcopy(jepa, {id(jepa.target): nn.Identity()})
        self.student.requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, jepa: JEPA, momentum: float) -> None:
        """Move toward ``jepa``: ``slow <- m slow + (1 - m) jepa``."""
        slow: list[Tensor] = list(self.student.parameters())
        named = jepa.named_parameters()
        fast: list[Tensor] = [w for name, w in named if not name.startswith("target.")]
        torch._foreach_lerp_(slow, fast, 1 - momentum)

    @torch.no_grad()
    def losses(
        self, values: Tensor, observed: Tensor, output: Output, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return (batch,) latent and grounding losses under the mask and target of ``output``.

        Args:
            values: (batch, time, channels), 0 where missing.
            observed: (batch, time, channels), False where missing.
            output: What the JEPA itself made of the same windows.
            context: What beside the windows it needed.
        """
        features = self.student.foresee(values, observed, output.mask, context)
        grounding = self.student.ground(features, values, observed, output.mask)
        if output.foreseen is None:
            return torch.zeros_like(grounding), grounding
        wanted = self.student.want(output.wanted, context)
        return self.student.compare(features, wanted)[1].mean(dim=1), grounding
