"""How long, how fast and where a JEPA is trained."""

from dataclasses import dataclass

from bandpass.losses import REGULARISERS
from bandpass.models import MASKS


@dataclass(frozen=True)
class TrainSettings:
    """Budget and optimiser of one run.

    Attributes:
        steps: Optimiser steps; every schedule runs by the fraction of these.
        batch: Windows a step.
        lr: Peak learning rate.
        warmup: Fraction of the budget over which the rate rises linearly.
        final_lr: Rate at the end of the cosine, relative to the peak.
        weight_decay: AdamW decay of matrices; biases and vectors are never decayed.
        clip: Gradient norm above which the gradient is scaled down; 0 for never.
        momentum: EMA momentum of the teacher at the first step.
        final_momentum: EMA momentum at the last step (cosine in between).
        prediction: Weight of the latent prediction loss.
        grounding: Weight of the raw readout of the predictor; it counts as surprise too.
        final_grounding: The same at the end of the budget (linear in between).
        regulariser: A name in ``losses.REGULARISERS``, or "none".
        regulariser_weight: Its weight, added to the other terms.
        regulariser_within: "batch", or "bucket" for every bucket of the recipe by itself: a rare
            regime can collapse while the batch as a whole looks healthy.
        masks: Mask strategies, taken in turn.
        mask_ratio: Share of the tokens that is hidden.
        precision: "fp32", or "bf16" for autocast.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
        workers: DataLoader processes; 0 gathers windows in the training process.
        seed: Seeds weights, draws, masks and projections.
        log_every: Steps between rows of ``metrics.parquet``.
        checkpoint_every: Steps between checkpoints; the last step always leaves one.
        validate_every: Steps between measurements of the loss on the same 512 held-out windows; 0
            for none.
        keep: Checkpoints, evenly spaced over the run, that are kept beside the newest two.
        pool: Candidates a slot; above 1 all are scored by the teacher and one is trained on.
        rescore_every: Steps between refreshes, which score a batch of the windows whose scores
            are oldest or missing, forward only; 0 for none.
        guard_every: Steps between readings of the guards from the end of warm-up on; 0 for none.
        guard_labels: Labelled windows that the guards may probe for events; 0 for none.
        balance: Step size with which the guards shift slots to buckets that are lost; 0 for none.
    """

    steps: int = 1000
    batch: int = 64
    lr: float = 2e-3
    warmup: float = 0.1
    final_lr: float = 1e-3
    weight_decay: float = 0.04
    clip: float = 1.0
    momentum: float = 0.95
    final_momentum: float = 1.0
    prediction: float = 1.0
    grounding: float = 0.0
    final_grounding: float = 0.0
    regulariser: str = "none"
    regulariser_weight: float = 0.05
    regulariser_within: str = "batch"
    masks: tuple[str, ...] = ("span",)
    mask_ratio: float = 0.4
    precision: str = "fp32"
    device: str = "auto"
    workers: int = 0
    seed: int = 0
    log_every: int = 20
    checkpoint_every: int = 200
    validate_every: int = 0
    keep: int = 0
    pool: int = 1
    rescore_every: int = 0
    guard_every: int = 0
    guard_labels: int = 0
    balance: float = 0.0

    @property
    def grounded(self) -> bool:
        """Whether the raw readout of the predictor is trained at any time."""
        return max(self.grounding, self.final_grounding) > 0

    @property
    def milestones(self) -> frozenset[int]:
        """Steps whose checkpoints are kept: ``keep`` of them, evenly spaced, the last included."""
        return frozenset(round(self.steps * k / self.keep) for k in range(1, self.keep + 1))

    def __post_init__(self) -> None:
        """Refuse what would only fail, or be ignored, once training is under way."""
        for name in ("steps", "log_every", "checkpoint_every", "pool"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        whole = ("workers", "validate_every", "keep", "rescore_every", "guard_every")
        for name in (*whole, "guard_labels", "balance"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        wanted = {
            "batch": (self.batch >= 2, "at least 2, collapse is measured over the batch"),
            "lr": (self.lr > 0, "over 0"),
            "warmup": (0 <= self.warmup < 1, "in [0, 1)"),
            "clip": (self.clip >= 0, "at least 0"),
            "keep": (self.keep <= self.steps, f"at most the {self.steps} steps"),
            "seed": (0 <= self.seed < 2**31, "at least 0 and below 2**31"),
            "masks": (bool(self.masks) and set(self.masks) <= set(MASKS), f"of {sorted(MASKS)}"),
            "regulariser": _one_of(self.regulariser, "none", *REGULARISERS),
            "regulariser_within": _one_of(self.regulariser_within, "batch", "bucket"),
            "precision": _one_of(self.precision, "fp32", "bf16"),
            "device": _one_of(self.device.split(":")[0], "auto", "cpu", "cuda"),
        }
        for name, (holds, text) in wanted.items():
            if not holds:
                raise ValueError(f"{name} must be {text}, got {getattr(self, name)!r}")


def _one_of(value: str, *known: str) -> tuple[bool, str]:
    return value in known, f"one of {', '.join(known)}"
