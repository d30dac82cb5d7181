"""What scoring costs, counted in forwards of the encoder over all tokens of one window."""

from dataclasses import dataclass

from torch import nn

from bandpass.models import JEPA, Mask


@dataclass
class Cost:
    """Forwards counted so far.

    A part of the model counts by the tokens it processes and the weights of its blocks, relative
    to the encoder that is trained: multiplications, so that attention between tokens, embedding
    and readout, all small here, are left out.

    Attributes:
        windows: Windows scored.
        forwards: Forwards in all; over ``windows`` what one window costs.
    """

    windows: int = 0
    forwards: float = 0.0

    def teacher(self, jepa: JEPA, windows: int, tokens: int, unit: JEPA | None = None) -> None:
        """Count the target's forward over ``tokens`` of each window, for ``unit``'s encoder."""
        weights = jepa.target.forwards * block_weights(jepa.encoder)
        self._add(windows, tokens * weights, unit or jepa)

    def student(self, jepa: JEPA, mask: Mask, unit: JEPA | None = None) -> None:
        """Count encoder and predictor under a mask, for ``unit``'s encoder."""
        windows, visible = mask.context.shape
        encoded = visible * block_weights(jepa.encoder)
        predicted = (visible + mask.target.shape[1]) * block_weights(jepa.predictor)
        self._add(windows, encoded + predicted, unit or jepa)

    def linear(self, jepa: JEPA, weights: int, mask: Mask) -> None:
        """Count linear layers of ``weights`` elements over the hidden tokens."""
        windows, hidden = mask.target.shape
        self._add(windows, hidden * weights, jepa)

    def _add(self, windows: int, multiplications: float, unit: JEPA) -> None:
        self.forwards += windows * multiplications / (unit.tokens * block_weights(unit.encoder))


def block_weights(part: nn.Module) -> int:
    """Elements of the matrices in the transformer blocks of an encoder or predictor."""
    return sum(w.numel() for n, w in part.named_parameters() if "blocks." in n and w.ndim > 1)
