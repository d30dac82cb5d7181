"""Floating-point operations of a JEPA, counted from its sizes.

``torch.utils.flop_counter`` sees no attention that runs fused on a CPU and nothing elementwise, and
it has to run what it counts. These are closed forms; the tests hold their products of matrices to
that counter, with attention made visible to it. What each piece costs is in `operations`.

Not counted: the gather of windows, masks and draws, the tables of a sampler, the rows of a log.
"""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from bandpass.models import JEPA, EMATeacher, Mask, PatchEncoder, SameEncoder, TextJEPA
from bandpass.models.encoder import EncoderSettings
from bandpass.models.predictor import PredictorSettings
from bandpass.models.targets import (
    ContextualTeacher,
    LayerTeacher,
    OwnTokens,
    PatchTarget,
    RawTeacher,
    StandardTeacher,
    Target,
)
from bandpass.scoring.operations import (
    ADAMW,
    BACKWARD,
    CLIP,
    DISTANCE,
    LERP,
    NORM,
    BlockSize,
    Flops,
    block,
    linear,
    norm,
    sigreg,
    vicreg,
)

REGULARISERS = {"sigreg": sigreg, "vicreg": vicreg}
"""``(windows, tokens, dim)`` to forward and backward, by the names of ``losses.REGULARISERS``."""

STANDARDISE = 4
"""Of an element: difference, quotient, two comparisons."""

_NOTHING = Flops()


@dataclass(frozen=True)
class Shape:
    """How much of its windows a JEPA sees and predicts.

    Attributes:
        windows: Of the batch.
        visible: Tokens of each that the encoder sees.
        hidden: Tokens of each that are predicted.
        asked: Questions about each, of a `TextJEPA`.
    """

    windows: int
    visible: int
    hidden: int
    asked: int = 0

    @classmethod
    def of(cls, mask: Mask, context: Tensor | None = None) -> "Shape":
        """Shape of a batch under a mask, with the questions that came along."""
        windows, visible = mask.context.shape
        asked = 0 if context is None else context.shape[1]
        return cls(windows, visible, mask.target.shape[1], asked)


def patches(encoder: PatchEncoder, windows: int) -> Flops:
    """Embedding of every patch of the windows by itself."""
    return linear(windows * math.prod(encoder.front.grid), encoder.front.inputs, _dim(encoder))


def encode(
    encoder: PatchEncoder, windows: int, tokens: int | None = None, blocks: int | None = None
) -> Flops:
    """Forward of an encoder over ``tokens`` of each window, all for None, and its first blocks.

    All patches are embedded, whatever is kept of them. Attention by steps runs step by step over
    whole windows, and over all that is kept, under a mask, where not all is.
    """
    size, grid = encoder.settings, encoder.front.grid
    every = math.prod(grid)
    stepwise = size.attention == "step"
    steps = grid[0] if stepwise and tokens is None else 1
    kept = every if tokens is None else tokens
    one = block(
        windows * steps, kept / steps, _block_size(size), masked=stepwise and tokens is not None
    )
    positions = Flops(0.0, windows * every * size.dim)
    depth = size.depth if blocks is None else min(blocks, size.depth)
    return patches(encoder, windows) + positions + one * depth


def predict(jepa: JEPA, shape: Shape) -> Flops:
    """Forward of the predictor: of hidden tokens, or of the answers to questions."""
    size = jepa.predictor.settings
    wanted = predicted(jepa, shape)
    text = isinstance(jepa, TextJEPA)
    start = linear(shape.windows * shape.visible, _dim(jepa.encoder), size.dim)
    if text:
        start += linear(shape.windows * wanted, jepa.settings.text, size.dim)
    positions = Flops(0.0, shape.windows * (shape.visible + (0 if text else wanted)) * size.dim)
    one = block(
        shape.windows, shape.visible + wanted, _block_size(size), masked=size.causal or text
    )
    return start + positions + one * size.depth


def predicted(jepa: JEPA, shape: Shape) -> int:
    """What is predicted of each window: hidden tokens, or answers."""
    return shape.asked if isinstance(jepa, TextJEPA) else shape.hidden


def target(jepa: JEPA, windows: int, tokens: int | None = None) -> Flops:
    """Forward of the target over ``tokens`` of each window, all for None, and its normalisation."""
    made = jepa.target
    elements = windows * (jepa.tokens if tokens is None else tokens) * _dim(jepa.encoder)
    after = Flops(0.0, elements * (1 + _normalise(made)))  # the mean is what windows are known by
    if isinstance(made, PatchTarget):
        return patches(jepa.encoder, windows) + after
    if isinstance(made, LayerTeacher):
        return encode(jepa.encoder, windows, tokens, made.layer) + after
    if isinstance(made, ContextualTeacher):
        after += (norm(elements) + Flops(0.0, elements)) * made.top
    return encode(jepa.encoder, windows, tokens) + after


def latent(jepa: JEPA, shape: Shape) -> Flops:
    """Readout of latents and their distance from the target; nothing without a latent target."""
    if not jepa.settings.latent:
        return _NOTHING
    rows = shape.windows * predicted(jepa, shape)
    inputs, outputs = jepa.to_latent.in_features, jepa.to_latent.out_features
    return linear(rows, inputs, outputs) + Flops(0.0, DISTANCE * rows * outputs)


def grounding(jepa: JEPA, shape: Shape) -> Flops:
    """Readout of hidden raw patches and its error; nothing of a `TextJEPA`."""
    if isinstance(jepa, TextJEPA):
        return _NOTHING
    rows, width = shape.windows * shape.hidden, jepa.to_raw.out_features
    # Unlike a latent, a raw value counts where it was observed only: product, and sum of these.
    return linear(rows, jepa.to_raw.in_features, width) + Flops(0.0, (DISTANCE + 2) * rows * width)


def student(jepa: JEPA, shape: Shape) -> Flops:
    """Forward of encoder, predictor, readouts and losses, given the target's tokens."""
    seen = encode(jepa.encoder, shape.windows, shape.visible)
    return seen + predict(jepa, shape) + latent(jepa, shape) + grounding(jepa, shape)


def forward(jepa: JEPA, shape: Shape) -> Flops:
    """A whole forward pass, its target over all tokens."""
    return student(jepa, shape) + target(jepa, shape.windows)


def backward(
    jepa: JEPA, shape: Shape, *, grounded: bool = False, regularised: bool = False
) -> Flops:
    """Gradients of all that is trained: twice its forward, less what nobody asks for.

    Args:
        jepa: The model.
        shape: Of the batch.
        grounded: Whether the raw readout has a weight.
        regularised: Whether a regulariser reads the tokens.
    """
    trained = student(jepa, shape)
    if not grounded:
        trained += grounding(jepa, shape) * -1
    # Windows and questions have no gradient, so their first layer has one product and not two.
    rows, inputs = shape.windows * jepa.tokens, jepa.encoder.front.inputs
    first = Flops(linear(rows, inputs, _dim(jepa.encoder)).matmul)
    spared = first
    if isinstance(jepa, TextJEPA):
        asked = linear(shape.windows * shape.asked, jepa.settings.text, jepa.predictor.settings.dim)
        spared += Flops(asked.matmul)
    if _learns(jepa.target) and (jepa.settings.latent or regularised):
        trained += target(jepa, shape.windows)
        spared += first
    return trained * BACKWARD + spared * -1


def move(jepa: JEPA, *, grounded: bool = False) -> Flops:
    """Clip, AdamW over what has a gradient, and the moving average of a teacher."""
    trained = _elements(jepa)
    if isinstance(jepa, TextJEPA):
        trained -= jepa.predictor.mask_token.numel()  # a question stands in its place
    elif not grounded:
        trained -= _elements(jepa.to_raw)
    if not jepa.settings.latent:
        trained -= _elements(jepa.to_latent)
    slow = _elements(jepa.encoder) if isinstance(jepa.target, EMATeacher) else 0
    return Flops(0.0, (CLIP + ADAMW) * trained + LERP * slow)


def train_step(
    jepa: JEPA, shape: Shape, *, regulariser: str = "none", grounded: bool = False
) -> Flops:
    """One optimiser step: forward, regulariser, backward, clip, AdamW and moving average.

    Args:
        jepa: The model.
        shape: Of the batch.
        regulariser: A name in `REGULARISERS`, or "none". One within buckets is counted as one over
            the batch, which differs in a few elementwise terms only.
        grounded: Whether the raw readout has a weight at any time.
    """
    regularised = regulariser != "none"
    passed = forward(jepa, shape)
    passed += backward(jepa, shape, grounded=grounded, regularised=regularised)
    if regularised:
        tokens = jepa.tokens if _learns(jepa.target) else shape.visible
        parts = REGULARISERS[regulariser](shape.windows, tokens, _dim(jepa.encoder))
        passed += parts[0] + parts[1]
    return passed + move(jepa, grounded=grounded)


def slow_update(jepa: JEPA) -> Flops:
    """Moving average of all but the target, as `SlowStudent.update` takes it."""
    return Flops(0.0, LERP * _elements(jepa))


def _dim(encoder: PatchEncoder) -> int:
    return encoder.settings.dim


def _block_size(size: EncoderSettings | PredictorSettings) -> BlockSize:
    return BlockSize(size.dim, size.heads, size.mlp)


def _normalise(made: Target) -> int:
    """Operations an element."""
    if isinstance(made, StandardTeacher):
        return STANDARDISE
    return 0 if isinstance(made, RawTeacher) or _learns(made) else NORM


def _learns(made: Target) -> bool:
    """Whether a gradient flows into it."""
    return isinstance(made, SameEncoder) and not isinstance(made, OwnTokens)


def _elements(module: nn.Module) -> int:
    """Weights that are trained."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
