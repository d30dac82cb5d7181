"""How windows are scored, and what some signals need beside the model."""

from dataclasses import dataclass, field

from bandpass.models import JEPA, MASKS
from bandpass.scoring.cost import Cost
from bandpass.scoring.heads import Heads
from bandpass.scoring.slow import SlowStudent


@dataclass(frozen=True)
class ScoringSettings:
    """How windows are scored; the defaults are those of training.

    Attributes:
        mask: A name in ``MASKS``; one mask is shared by all windows, so that none is ranked low
            for an easy mask.
        mask_ratio: Share of the tokens that is hidden.
        masks: Masks behind ``mask_losses``.
        keep: Share of the visible and of the hidden tokens that is scored, evenly spaced; below 1
            the teacher sees no others either, and a forward costs so much less.
        prediction: Weight of the latent loss in ``losses``.
        grounding: Weight of the raw readout's loss in ``losses``.
        seed: Draws the masks.
    """

    mask: str = "span"
    mask_ratio: float = 0.4
    masks: int = 4
    keep: float = 1.0
    prediction: float = 1.0
    grounding: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no forward can do."""
        if self.mask not in MASKS:
            raise ValueError(f"mask {self.mask!r} is none of {sorted(MASKS)}")
        if self.masks < 2:
            raise ValueError(f"masks must be at least 2 for a variation, got {self.masks}")
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep must be in (0, 1], got {self.keep}")


AS_IN_TRAINING = ScoringSettings()


@dataclass
class Aids:
    """What some signals need beside the model.

    Attributes:
        slow: For ``slow_losses``.
        heads: For ``head_predictions`` and ``log_variance``, trained.
        reference: For ``reference_losses``: a trained JEPA with as many tokens a window.
        cost: Counts everything that is collected with these aids.
    """

    slow: SlowStudent | None = None
    heads: Heads | None = None
    reference: JEPA | None = None
    cost: Cost = field(default_factory=Cost)
