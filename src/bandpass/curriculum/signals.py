"""What one scoring of a batch gives: the record that every score is a function of."""

from dataclasses import dataclass

from torch import Tensor


class MissingSignal(ValueError):
    """A score needs a signal that the record does not hold; the message says how to get it."""


_FORWARD = "scoring.of_output(output), free, or collect(jepa, batch, [{name!r}])"
_COLLECT = "scoring.collect(jepa, batch, [{name!r}])"
_REPLACE = "dataclasses.replace(signals, {name}=...)"

_HOW = {
    "target_variance": f"{_REPLACE}, the variance of teacher latents",
    "mask_losses": _COLLECT,
    "head_predictions": f"{_COLLECT} with aids.heads",
    "slow_losses": f"{_COLLECT} with aids.slow",
    "log_variance": f"{_COLLECT} with aids.heads",
    "reference_losses": f"{_COLLECT} with aids.reference",
    "probe_losses": f"{_REPLACE}, NaN for windows without a label",
    "density": f"{_REPLACE}, what the ingest says of the windows",
    "density_ratio": f"{_REPLACE}, what the ingest says of the windows",
}
_WINDOW_DIM = {"mask_losses": 1, "head_predictions": 1}


@dataclass(frozen=True, kw_only=True, eq=False)
class Signals:
    """Tensors of one batch of B windows, detached; whatever was not asked for is None.

    N is the number of hidden tokens, D the width of a latent, K of masks and H of heads.

    Attributes:
        prediction: (B, N, D) predicted latents of the hidden tokens.
        target: (B, N, D) the teacher's latents of the same tokens, as the loss sees them.
        target_variance: (D,) variance of the teacher's latents over many windows; without it that
            of ``target`` itself is used.
        losses: (B,) training loss of each window, at least 0.
        token_losses: (B, N) loss of each hidden token, whose mean is the latent part of ``losses``.
        mask_losses: (K, B) losses of the same windows under K masks.
        head_predictions: (H, B, N, D) latents as H independently trained heads predict them.
        slow_losses: (B,) loss of the slow weights under the same mask and teacher target.
        log_variance: (B, N) or (B, N, D) log of the squared error that a head expects.
        reference_losses: (B,) loss of a reference model on the same windows.
        probe_losses: (B,) loss of a small downstream probe, NaN for a window without a label.
        density: (B,) log distance to the nearest ingest features; high where windows are sparse.
        density_ratio: (B,) the same minus the log distance among the novel windows; high where a
            window is rare but not alone.
    """

    prediction: Tensor | None = None
    target: Tensor | None = None
    target_variance: Tensor | None = None
    losses: Tensor | None = None
    token_losses: Tensor | None = None
    mask_losses: Tensor | None = None
    head_predictions: Tensor | None = None
    slow_losses: Tensor | None = None
    log_variance: Tensor | None = None
    reference_losses: Tensor | None = None
    probe_losses: Tensor | None = None
    density: Tensor | None = None
    density_ratio: Tensor | None = None

    def get(self, name: str) -> Tensor:
        """Return a signal in single precision or better.

        Raises:
            MissingSignal: If it is None; says how to get it.
        """
        found: Tensor | None = getattr(self, name)
        if found is None:
            how = _HOW.get(name, _FORWARD).format(name=name)
            raise MissingSignal(f"these signals hold no {name}; get it by {how}")
        return found if found.dtype.itemsize >= 4 else found.float()

    def take(self, index: Tensor) -> "Signals":
        """Return the signals of some windows, in the order of ``index``, int64 (b,)."""
        taken = {}
        for name, value in vars(self).items():
            whole = value is None or name == "target_variance"
            dim = _WINDOW_DIM.get(name, 0)
            taken[name] = value if whole else value.index_select(dim, index)
        return Signals(**taken)
