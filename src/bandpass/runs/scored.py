"""Score windows at a checkpoint: the model, what the scores need beside it, every score."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bandpass.curriculum.scores import SCORES
from bandpass.curriculum.signals import Signals
from bandpass.data import Batch, Corpus
from bandpass.evaluation import fit_ridge
from bandpass.models import JEPA
from bandpass.recipes import build_jepa
from bandpass.runs.run import Run, RunError
from bandpass.scoring.collect import Aids, ScoringSettings, collect, teacher_embedding
from bandpass.scoring.frozen import batches
from bandpass.scoring.heads import fit_heads
from bandpass.scoring.slow import SlowStudent
from bandpass.training import pick_device

ELSEWHERE = frozenset(("density", "density_ratio"))
"""Signals that the ingest knows, and no checkpoint changes."""

PROBE = frozenset(("probe_losses",))
VARIANCE = 512
"""Windows that the variance of the teacher's latents is taken over."""

HEAD_STEPS, HEAD_BATCH = 200, 64
"""Budget of the heads that are fitted on each checkpoint."""

FEW = 64
"""Labelled windows of a class that a downstream probe is fitted on."""

SCORED = tuple(name for name, score in SCORES.items() if not ELSEWHERE & set(score.needs))
"""Scores that a checkpoint gives."""

Weights = Mapping[int, Callable[[], dict[str, Tensor]]]


class Scorer:
    """Scores windows at the checkpoints of one run.

    Args:
        run: The run; its last checkpoint is the reference of the reducible score.
        windows: Its training windows.
        weights: Loads the weights of each step. The checkpoint before one is its slow student.
    """

    def __init__(self, run: Run, windows: Corpus, weights: Weights) -> None:
        self._run, self._windows, self._weights = run, windows, weights
        train = run.recipe.train
        self._settings = ScoringSettings(
            mask=train.masks[0],
            mask_ratio=train.mask_ratio,
            prediction=train.prediction,
            grounding=max(train.grounding, train.final_grounding),
            seed=train.seed,
        )
        self._reference = self._load(max(weights))

    def score(
        self, step: int, ids: np.ndarray, on_windows: Callable[[int], None]
    ) -> dict[str, np.ndarray]:
        """Give every score of ``SCORED``, (n,) float32 as ``score:NAME``, and ``embedding``.

        Args:
            step: The checkpoint.
            ids: (n,) windows.
            on_windows: Told how many are done.

        Raises:
            RunError: If the weights do not fit the recipe.
        """
        jepa = self._load(step)
        earlier = [other for other in self._weights if other < step]
        slow = self._load(max(earlier)) if earlier else jepa  # untrained: no progress, score 0
        heads = fit_heads(
            jepa, self._random(ids), mask_ratio=self._settings.mask_ratio, seed=self._settings.seed
        )
        aids = Aids(slow=SlowStudent(slow), heads=heads, reference=self._reference)
        variance = self._variance(jepa, ids)
        free = [name for name in SCORED if not PROBE & set(SCORES[name].needs)]
        needs = {need for name in free for need in SCORES[name].needs} - {"target_variance"}
        scores: dict[str, list[Tensor]] = {name: [] for name in free}
        embeddings: list[Tensor] = []
        done = 0
        for batch in batches(self._windows, ids):
            signals = collect(jepa, batch, needs, self._settings, aids)
            signals = replace(signals, target_variance=variance)
            for name in free:
                scores[name].append(SCORES[name](signals).float().cpu())
            embeddings.append(teacher_embedding(jepa, batch.values, batch.observed).cpu())
            done += len(batch.values)
            on_windows(done)
        known, vectors = {n: torch.cat(parts) for n, parts in scores.items()}, torch.cat(embeddings)
        probe = torch.from_numpy(_probe_losses(vectors.numpy(), self._windows.labels(ids)))
        signals = Signals(losses=known["loss"].exp(), probe_losses=probe)
        known |= {name: SCORES[name](signals).float() for name in SCORED if name not in free}
        columns = {f"score:{name}": values.numpy() for name, values in known.items()}
        return columns | {"embedding": vectors.half().numpy()}

    def _load(self, step: int) -> JEPA:
        jepa = build_jepa(self._run.recipe, self._windows.store.shape)
        try:
            jepa.load_state_dict(self._weights[step]())
        except RuntimeError as error:
            raise RunError(
                f"the checkpoint of step {step} does not fit {self._run.path / 'recipe.json'}: "
                "one of them was changed by hand; start a new run"
            ) from error
        return jepa.to(pick_device(self._run.recipe.train.device)).eval()

    def _random(self, ids: np.ndarray) -> Iterator[Batch]:
        """Batches to fit the heads on."""
        generator = np.random.default_rng(self._settings.seed)
        for _ in range(HEAD_STEPS):
            yield self._windows[generator.choice(ids, HEAD_BATCH)]

    def _variance(self, jepa: JEPA, ids: np.ndarray) -> Tensor:
        """(D,) variance of the teacher's latents over some of the windows."""
        some = ids[np.linspace(0, len(ids) - 1, min(len(ids), VARIANCE)).astype(np.int64)]
        targets = [
            collect(jepa, batch, ("target",), self._settings).get("target")
            for batch in batches(self._windows, some)
        ]
        return torch.cat(targets).flatten(0, 1).var(dim=0, correction=0)


def _probe_losses(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) squared error of a linear probe for events fitted on a few labelled windows.

    Halves of the store take turns in fitting and in being scored, so no window is scored by a
    probe that saw it. NaN where a window has no label, or the other half lacks one of the classes.
    """
    losses = np.full(len(labels), np.nan)
    half = np.arange(len(labels)) < len(labels) // 2
    for fit in (half, ~half):
        classes = [np.flatnonzero(fit & (labels == label)) for label in (0, 1)]
        if min(map(len, classes)) == 0:
            continue
        few = np.concatenate(
            [of[np.linspace(0, len(of) - 1, min(len(of), FEW)).astype(int)] for of in classes]
        )
        few.sort()  # the probe picks its penalty on the last of its windows
        probe = fit_ridge(embeddings[few], labels[few, None].astype(np.float64))
        scored = np.flatnonzero(~fit & (labels >= 0))
        losses[scored] = (probe.predict(embeddings[scored])[:, 0] - labels[scored]) ** 2
    return losses
