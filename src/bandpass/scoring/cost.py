"""What scoring costs: in forwards of the encoder over all tokens of a window, and in operations."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from bandpass.models import JEPA, Mask
from bandpass.scoring import flops, operations
from bandpass.scoring.operations import Flops


@dataclass
class Cost:
    """A tally of what was scored so far; the ledger of a run's scoring.

    Forwards say what a score costs beside training: a part of the model counts by the tokens it
    processes and the weights of its blocks, relative to the encoder that is trained, so that
    attention between tokens, embedding and readout, all small here, are left out. Operations
    (`flops`) leave nothing out and are what budgets are made of.

    Attributes:
        windows: Windows scored.
        forwards: Forwards in all; over ``windows`` what one window costs.
        spent: Floating-point operations by kind: "teacher", "student", "slow", "heads" and
            "neighbours".
    """

    windows: int = 0
    forwards: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def flops(self) -> float:
        """Floating-point operations in all."""
        return sum(self.spent.values())

    def spend(self, kind: str, work: Flops) -> None:
        """Count operations that are no forward of a model."""
        self.spent[kind] = self.spent.get(kind, 0.0) + work.total

    def teacher(self, jepa: JEPA, windows: int, tokens: int, unit: JEPA | None = None) -> None:
        """Count the target's forward over ``tokens`` of each window, for ``unit``'s encoder."""
        weights = jepa.target.forwards * block_weights(jepa.encoder)
        self._add(windows, tokens * weights, unit or jepa)
        self.spend(
            "teacher", flops.target(jepa, windows, None if tokens == jepa.tokens else tokens)
        )

    def student(
        self,
        jepa: JEPA,
        mask: Mask,
        unit: JEPA | None = None,
        context: Tensor | None = None,
        kind: str = "student",
    ) -> None:
        """Count encoder, predictor and readouts under a mask, for ``unit``'s encoder."""
        windows, visible = mask.context.shape
        encoded = visible * block_weights(jepa.encoder)
        predicted = (visible + mask.target.shape[1]) * block_weights(jepa.predictor)
        self._add(windows, encoded + predicted, unit or jepa)
        self.spend(kind, flops.student(jepa, flops.Shape.of(mask, context)))

    def linear(self, jepa: JEPA, weights: int, mask: Mask) -> None:
        """Count linear heads of ``weights`` elements over the hidden tokens."""
        windows, hidden = mask.target.shape
        self._add(windows, hidden * weights, jepa)
        self.spend("heads", operations.product(windows * hidden, weights, 1))

    def neighbours(self, queries: int, entries: int, dim: int) -> None:
        """Count a search for the nearest of some entries; it is no forward."""
        self.spend("neighbours", operations.neighbours(queries, entries, dim))

    def _add(self, windows: int, multiplications: float, unit: JEPA) -> None:
        self.forwards += windows * multiplications / (unit.tokens * block_weights(unit.encoder))


def block_weights(part: nn.Module) -> int:
    """Elements of the matrices in the transformer blocks of an encoder or predictor."""
    return sum(w.numel() for n, w in part.named_parameters() if "blocks." in n and w.ndim > 1)
