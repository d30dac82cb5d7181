"""What stands between the sampler and the model: candidates, scores, evidence, refreshes."""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from bandpass.curriculum import SCORES, Draw, Evidence, Fixed, Signals, SurpriseBand, Uniform
from bandpass.curriculum.pool import CandidatePool
from bandpass.data import Batch, Corpus
from bandpass.data.batch import Ids
from bandpass.data.ingest import Ingest
from bandpass.models import JEPA, AnyJEPA, Output, pool
from bandpass.models.targets import SameEncoder
from bandpass.scoring.collect import Aids, collect, of_output
from bandpass.scoring.cost import Cost
from bandpass.scoring.flops import slow_update
from bandpass.scoring.heads import Heads
from bandpass.scoring.novelty import Novelty
from bandpass.scoring.operations import heads_step
from bandpass.scoring.slow import SlowStudent
from bandpass.training.passes import autocast, scoring, shared_mask, window_losses
from bandpass.training.settings import TrainSettings

Sampler = SurpriseBand | Uniform | Fixed

FREE = {"prediction", "target", "losses", "token_losses"}
BY_ID = {"density", "density_ratio"}
BY_HEADS = {"head_predictions", "log_variance"}
SCORABLE = FREE | BY_ID | BY_HEADS | {"slow_losses", "mask_losses"}
"""Signals that a training run has; a reference and a downstream probe it has not."""

SLOW_MOMENTUM = 0.99
HEADS_LR = 1e-3


@dataclass(frozen=True, eq=False)
class Plan:
    """How a run scores its windows.

    Attributes:
        score: A name in ``curriculum.SCORES`` whose needs are in ``SCORABLE``.
        gate: Whether the sampler judges windows: it is then given [mean | std] embeddings, input
            faults and, at refreshes, progress and mask variation.
        buckets: int (n,), regimes for the guards; one for all if None.
        names: Of the buckets.
        ingest: What is known of the windows without a model; needed by the gate and by scores of
            density.
    """

    score: str = "loss"
    gate: bool = False
    buckets: np.ndarray | None = None
    names: tuple[str, ...] = ("all",)
    ingest: Ingest | None = None


class Feed:
    """Takes batches from a sampler to the model and their results back.

    Args:
        sampler: Draws windows, ``settings.pool`` times a batch of them, and is told their scores.
        jepa: The model, on the device it is trained on.
        windows: The training windows.
        settings: Of the training.
        plan: How windows are scored.
    """

    def __init__(
        self,
        sampler: Sampler,
        jepa: AnyJEPA,
        windows: Corpus,
        settings: TrainSettings,
        plan: Plan = Plan(),
    ) -> None:
        self.sampler, self.windows = sampler, windows
        self.settings, self.plan = settings, plan
        self.score = SCORES[plan.score]
        self.cost = Cost()
        needs = set(self.score.needs)
        slow = "slow_losses" in needs or plan.gate
        self._aids = [
            Aids(
                slow=SlowStudent(member) if slow else None,
                heads=Heads(member, seed=settings.seed) if needs & BY_HEADS else None,
                cost=self.cost,
            )
            for member in jepa.members
        ]
        heads = [weight for aids in self._aids if aids.heads for weight in aids.heads.parameters()]
        self._optimizer = torch.optim.AdamW(heads, lr=HEADS_LR) if heads else None
        self._pool: CandidatePool | None = None
        if settings.pool > 1:
            self._pool = CandidatePool(settings.batch, settings.pool, seed=settings.seed)
        self._novelty = Novelty()

    @torch.no_grad()
    def narrow(self, jepa: JEPA, batch: Batch) -> tuple[Batch, Tensor | None]:
        """Keep the candidates to train on, and the target's tokens of them if these can be used.

        The candidates are scored by the target alone; a target that does not learn need not see
        the kept ones again.
        """
        if self._pool is None:
            return batch, None
        draw = cast(Draw, batch.draw)  # the loader hands on what the sampler drew
        values, observed = batch.values.to(jepa.device), batch.observed.to(jepa.device)
        with autocast(jepa, self.settings):
            tokens = jepa.target(jepa.encoder, values, observed)
        reusable = not isinstance(jepa.target, SameEncoder)  # which needs the gradient
        more = len(draw) - self.settings.batch if reusable else len(draw)
        self.cost.windows += len(draw)
        self.cost.teacher(jepa, more, jepa.tokens)
        vectors = pool(jepa.target.normalise(tokens))
        self.cost.neighbours(len(draw), len(self._novelty), vectors.shape[1])
        scores = self._novelty(vectors)
        kept, places = self._pool.keep(draw, scores.numpy(), factor=self._factor(draw.number))
        self.sampler.narrow(kept)
        chosen = torch.from_numpy(places)
        return batch.chosen(chosen, kept), tokens[chosen.to(tokens.device)] if reusable else None

    def weigh(self, jepa: JEPA, batch: Batch, losses: Tensor, output: Output) -> Tensor:
        """Report a batch to the sampler; returns its weighted loss, a scalar in the graph."""
        draw = cast(Draw, batch.draw)
        signals = self._signals(jepa, batch, output, losses, set(self.score.needs))
        return self.sampler.step(
            draw,
            losses,
            self._embedding(output),
            scores=self.score(signals),
            evidence=self._evidence(draw),
        )

    def buckets(self, ids: Ids) -> np.ndarray:
        """Bucket of each window, (B,); all 0 if there is one."""
        codes, given = self.plan.buckets, np.asarray(ids)
        return np.zeros(len(given), np.int64) if codes is None else codes[given]

    def follow(self, jepa: JEPA, batch: Batch, output: Output) -> None:
        """Let the slow student and the heads learn from the step that was just made."""
        aids = self._aids[batch.part]
        if aids.slow is not None:
            aids.slow.update(jepa, SLOW_MOMENTUM)
            self.cost.spend("slow", slow_update(jepa))
        if aids.heads is not None and self._optimizer is not None:
            ids = torch.as_tensor(list(batch.draw), device=jepa.device)
            self._optimizer.zero_grad(set_to_none=True)
            aids.heads.loss(output, ids).backward()
            self._optimizer.step()
            rows, learnt = output.features.shape[0] * output.features.shape[1], aids.heads.weights
            self.cost.spend("heads", heads_step(rows, learnt))

    @torch.no_grad()
    def refresh(self, mixed: AnyJEPA, step: int) -> None:
        """Every ``rescore_every`` steps, score a batch of the windows that need it most."""
        every = self.settings.rescore_every
        if not every or step % every or not isinstance(self.sampler, SurpriseBand):
            return
        ids = self.sampler.stale(self.settings.batch)
        batch = self.windows[ids]
        jepa = mixed.members[batch.part]
        mask = shared_mask(jepa, len(ids), self.settings, step)
        self.cost.windows += len(ids)
        self.cost.teacher(jepa, len(ids), jepa.tokens)
        self.cost.student(jepa, mask, context=batch.context)
        with autocast(jepa, self.settings):
            batch = batch.to(jepa.device)
            output = jepa(batch.values, batch.observed, mask, context=batch.context)
        needs = set(self.score.needs)
        if self.plan.gate:
            needs |= {"slow_losses", "mask_losses"}
        losses = window_losses(output, self.settings, step)
        signals = self._signals(jepa, batch, output, losses, needs)
        self.sampler.record(
            ids,
            self.score(signals),
            self._embedding(output),
            evidence=self._evidence(ids, signals),
            sample=False,
        )

    @property
    def spent(self) -> dict[str, float]:
        """Floating-point operations of scoring so far by kind, those of the gate among them."""
        gate = self.sampler.gate if isinstance(self.sampler, SurpriseBand) else None
        return self.cost.spent | ({} if gate is None else {"gate": gate.flops})

    def state_dict(self) -> dict[str, Any]:
        """Sampler, pool, slow student, heads and what they have cost."""
        parts = {"sampler": self.sampler, "novelty": self._novelty, **self._learners()}
        if self._pool is not None:
            parts["pool"] = self._pool
        cost = [self.cost.windows, self.cost.forwards]
        told = {"cost": cost, "spent": dict(self.cost.spent)}
        return told | {name: part.state_dict() for name, part in parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the saved feed stood."""
        self.sampler.load_state_dict(state["sampler"])
        self._novelty.load_state_dict(state["novelty"])
        for name, part in self._learners().items():
            part.load_state_dict(state[name])
        if self._pool is not None:
            self._pool.load_state_dict(state["pool"])
        self.cost.windows, self.cost.forwards = state["cost"]
        # Checkpoints from before operations were counted have none.
        self.cost.spent = dict(state.get("spent", {}))

    def _learners(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for number, aids in enumerate(self._aids):
            own = str(number or "")  # the first has the names of a run of one corpus
            found |= {f"slow{own}": aids.slow, f"heads{own}": aids.heads}
        found["optimizer"] = self._optimizer
        return {name: part for name, part in found.items() if part is not None}

    def _factor(self, number: int) -> float:
        """Whether the pool chooses at draw ``number``, and how strongly the guards let it."""
        if not isinstance(self.sampler, SurpriseBand):
            return 1.0
        active = self.sampler.settings.active(number, self.settings.steps)
        return self.sampler.restraint[0] if active else 0.0

    def _signals(
        self, jepa: JEPA, batch: Batch, output: Output, losses: Tensor, needs: set[str]
    ) -> Signals:
        ids = np.asarray(batch.draw)
        if needs <= FREE | BY_ID:
            signals = of_output(output, losses)
        else:
            aids = self._aids[batch.part]
            signals = collect(jepa, batch, needs - BY_ID, scoring(self.settings), aids, output)
            signals = replace(signals, losses=losses)  # on the scale of today's schedule
        ingest = self.plan.ingest
        if ingest is not None and needs & BY_ID:
            density, ratio = (
                torch.from_numpy(a[ids]) for a in (ingest.density, ingest.density_ratio)
            )
            signals = replace(signals, density=density, density_ratio=ratio)
        return signals

    def _embedding(self, output: Output) -> Tensor:
        return output.pooled if self.plan.gate else output.embedding

    def _evidence(self, ids: list[int], signals: Signals | None = None) -> Evidence | None:
        if not self.plan.gate or self.plan.ingest is None:
            return None
        found = Evidence(faults=self.plan.ingest.faults[ids])
        if signals is None:
            return found
        progress = SCORES["progress"](signals).double().cpu().numpy()
        variation = SCORES["mask-variation"](signals).exp().double().cpu().numpy()
        return replace(found, progress=progress, variation=variation)
