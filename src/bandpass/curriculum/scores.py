"""Named scores: how surprising, or how worth learning, each window of a batch is.

A score is a real number per window on a log scale: differences matter, zero does not, and more is
more surprising. It is a pure function of a `Signals` record. A window with a NaN in what the score
needs scores NaN, and no other window does; infinities and -inf (a loss of 0) are scores like any.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from bandpass.curriculum import score_functions as of
from bandpass.curriculum.signals import Signals


@dataclass(frozen=True)
class Score:
    """A named score.

    Attributes:
        name: Its name in ``SCORES``.
        function: ``Signals`` of B windows to (B,) log-scores.
        needs: The fields of ``Signals`` it reads.
        forwards: What the needed signals cost beyond the training forward, in forwards of the
            encoder over all tokens of a window; for a mask that hides .4 of the tokens, 4 masks,
            4 heads, a predictor as big as the encoder and a reference of the model's own size.
        about: One line for a table.
    """

    name: str
    function: Callable[[Signals], Tensor]
    needs: tuple[str, ...]
    forwards: float
    about: str

    def __call__(self, signals: Signals) -> Tensor:
        """Return (B,) log-scores.

        Raises:
            MissingSignal: If a needed signal is None; says how to get it.
            ValueError: If the signals do not determine the score (one mask, one head).
        """
        return self.function(signals)


_LATENTS = ("prediction", "target")

_ALL = (
    Score("loss", of.loss, ("losses",), 0.0, "log of the training loss"),
    Score(
        "residual",
        of.residual,
        _LATENTS,
        0.0,
        "log mean squared error in units of the variance of each latent dimension",
    ),
    Score("residual-max", of.residual_max, _LATENTS, 0.0, "the residual of the worst token"),
    Score(
        "energy", of.energy, _LATENTS, 0.0, "log of half the squared error, summed over all latents"
    ),
    Score("cosine", of.cosine, _LATENTS, 0.0, "log mean cosine distance, blind to magnitude"),
    Score("max-token", of.max_token, ("token_losses",), 0.0, "log loss of the worst token"),
    Score(
        "top-quarter",
        of.top_quarter,
        ("token_losses",),
        0.0,
        "log mean loss of the worst quarter of the tokens",
    ),
    Score(
        "mask-variation",
        of.mask_variation,
        ("mask_losses",),
        4.8,
        "log coefficient of variation of the loss across masks",
    ),
    Score(
        "disagreement",
        of.disagreement,
        ("head_predictions",),
        0.1,
        "log variance of the prediction over heads",
    ),
    Score(
        "progress",
        of.progress,
        ("losses", "slow_losses"),
        1.6,
        "log ratio of the slow weights' loss to the fast ones', same target",
    ),
    Score(
        "uncertainty",
        of.uncertainty,
        ("log_variance",),
        0.0,
        "log of the squared error that was foretold",
    ),
    Score(
        "surprisal",
        of.surprisal,
        ("prediction", "target", "log_variance"),
        0.0,
        "negative log-likelihood under the foretold variance",
    ),
    Score(
        "reducible",
        of.reducible,
        ("losses", "reference_losses"),
        2.6,
        "log ratio of the loss to that of a reference model",
    ),
    Score(
        "alignment",
        of.alignment,
        ("losses", "probe_losses"),
        0.0,
        "log geometric mean of the loss and a downstream probe's",
    ),
    Score("density", of.density, ("density",), 0.0, "log distance to other windows at ingest"),
    Score(
        "density-ratio",
        of.density_ratio,
        ("density_ratio",),
        0.0,
        "log distance to other windows over that among novel ones, at ingest",
    ),
)

SCORES: dict[str, Score] = {score.name: score for score in _ALL}
