"""The training loop: draws from the sampler, steps, logs, checkpoints; resumes exactly."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from bandpass.curriculum import SurpriseBand
from bandpass.data import Batch, Corpus, as_is
from bandpass.evaluation import rankme
from bandpass.losses import collapse_terms, collapse_warning
from bandpass.models import AnyJEPA
from bandpass.training import checkpoint
from bandpass.training.feed import Feed, Plan, Sampler
from bandpass.training.guards import Watch
from bandpass.training.interrupt import interruptible
from bandpass.training.log import RunLog, write_windows
from bandpass.training.quarantine import read_review, write_quarantine
from bandpass.training.settings import TrainSettings
from bandpass.training.step import StepResult, adamw, train_step
from bandpass.training.validation import Validation

BAND_SNAPSHOTS = 24


class DeviceError(RuntimeError):
    """A device that is not there; the message names the mend."""


class Diverged(RuntimeError):
    """Losses or gradients are no longer finite; the run stands at its last checkpoint."""


@dataclass(frozen=True, eq=False)
class Curriculum:
    """What decides which windows are trained on.

    Attributes:
        sampler: Draws batches of window ids and is told every window's score.
        plan: How windows are scored.
        held_out: Windows that are never trained on, for ``train.validate_every``.
    """

    sampler: Sampler
    plan: Plan = field(default_factory=Plan)
    held_out: Corpus | None = None


def fit(
    jepa: AnyJEPA,
    windows: Corpus,
    curriculum: Curriculum,
    settings: TrainSettings,
    run: Path,
    on_log: Callable[[dict[str, Any], RunLog], None] = lambda row, log: None,
) -> bool:
    """Train until the budget is spent; continue from the newest checkpoint of ``run``.

    Args:
        jepa: The model, freshly initialised; a checkpoint overwrites it.
        windows: The training windows.
        curriculum: Which windows are trained on.
        settings: Budget and optimiser.
        run: The run directory; decisions in its ``released.json`` are followed from here on.
        on_log: Called with every logged row, for progress displays.

    Returns:
        Whether the budget is spent; False after Ctrl-C, which leaves a checkpoint.

    Raises:
        Diverged: If losses or gradients are no longer finite.
        CheckpointError: If a checkpoint cannot be read or written.
        ReviewError: If ``released.json`` cannot be read.
    """
    state = _State(jepa, windows, curriculum, settings)
    step = state.resume(run)
    _follow_review(run, state.feed.sampler)
    loader = DataLoader(
        cast(Dataset[Batch], windows),
        batch_sampler=state.feed.sampler,
        num_workers=settings.workers,
        collate_fn=as_is,
    )
    meter = _Meter(state.log.seconds)
    with interruptible() as interrupted:
        for batch in loader:
            with _divergence_named(step + 1, settings):
                result = train_step(jepa, batch, state.feed, state.optimizer, settings, step)
                step += 1
                state.look_after(step, result)
            meter.windows += len(result.draw)
            done = step == settings.steps
            validated = state.validate(step)
            if done or step % settings.log_every == 0 or validated is not None:
                row = _row(step, settings, result, state.feed, meter)
                row["scoring_flops"] = state.scoring_flops
                row["validation"] = math.nan if validated is None else validated
                state.log.add(row, _snapshot(step, settings, state.feed.sampler))
                on_log(row, state.log)
            due = step % settings.checkpoint_every == 0 or step in settings.milestones
            if done or interrupted() or due:
                with _divergence_named(step, settings):
                    _check_finite(result)  # such weights shall never become a checkpoint
                state.save(run, step)
            if done or interrupted():
                break
    return step == settings.steps


class _State:
    """Everything that a run changes and a checkpoint holds."""

    def __init__(
        self, jepa: AnyJEPA, windows: Corpus, curriculum: Curriculum, settings: TrainSettings
    ) -> None:
        self.jepa = jepa.to(pick_device(settings.device)).train()
        self.settings = settings
        self.optimizer = adamw(jepa, settings)
        sampler, plan = curriculum.sampler, curriculum.plan
        self.feed = Feed(sampler, jepa, windows, settings, plan)
        self.watch = Watch(windows, sampler, settings, plan)
        held_out = curriculum.held_out
        self.validation = None if held_out is None else Validation(held_out, settings)
        self.log = RunLog(windows, settings.seed)

    def look_after(self, step: int, result: StepResult) -> None:
        """Count the slots of a step, refresh scores, and let the guards look, where due."""
        self.log.count(result.draw)
        self.watch.note(result.draw)
        self.feed.refresh(self.jepa, step)
        if self.watch.due(step):
            self.watch.act(step, self.jepa, self.log)

    @property
    def scoring_flops(self) -> float:
        """Floating-point operations of all but the steps themselves: scores, gate, guards."""
        return sum(self.feed.spent.values()) + self.watch.flops

    def validate(self, step: int) -> float | None:
        """Mean loss of the held-out windows, where due."""
        every = self.settings.validate_every
        if self.validation is None or not every:
            return None
        due = step % every == 0 or step == self.settings.steps
        return self.validation(self.jepa, step) if due else None

    def save(self, run: Path, step: int) -> None:
        """Write tables, then the checkpoint."""
        state = {"step": step} | {name: part.state_dict() for name, part in self._parts().items()}
        # Tables first: a kill before the last checkpoint repeats it, one after it would not.
        self.log.write(run)
        write_windows(run, self.log.times, self.feed.sampler)
        write_quarantine(run, self.log.windows, self.feed.sampler)
        checkpoint.save(run, step, self.jepa.state_dict(), state, self.settings.milestones)

    def resume(self, run: Path) -> int:
        """Continue from the newest checkpoint; returns the steps that are done."""
        newest = checkpoint.latest(run)
        if newest is None:
            return 0
        self.jepa.load_state_dict(checkpoint.load_weights(newest))
        state = checkpoint.load_state(newest)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        return int(state["step"])

    def _parts(self) -> dict[str, Any]:
        names = ("optimizer", "feed", "watch", "log")
        return {name: getattr(self, name) for name in names}


def _follow_review(run: Path, sampler: Sampler) -> None:
    """Let go and keep out what a person decided to."""
    if isinstance(sampler, SurpriseBand):
        review = read_review(run)
        sampler.release(sorted(review.released - sampler.released))  # once: a NaN may come later
        sampler.ban(sorted(review.banned))


def pick_device(name: str) -> torch.device:
    """Turn "auto" into the GPU where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(f"device {name!r} was asked for, but torch sees no GPU; use device=cpu")
    return torch.device(name)


class _Meter:
    """Windows a second since the last logged row, and seconds of training in all.

    Args:
        before: Seconds that the run took before it was resumed.
    """

    def __init__(self, before: float) -> None:
        self.windows, self.since = 0, time.perf_counter()
        self.start = self.since - before

    def read(self) -> tuple[float, float]:
        now = time.perf_counter()
        rate = self.windows / max(now - self.since, 1e-9)
        self.windows, self.since = 0, now
        return rate, now - self.start


def _row(
    step: int, settings: TrainSettings, result: StepResult, feed: Feed, meter: _Meter
) -> dict[str, Any]:
    terms = collapse_terms(result.tokens.float())
    rate, seconds = meter.read()
    return {
        "step": step,
        "fraction": step / settings.steps,
        "loss": float(result.loss),
        "prediction": float(result.prediction),
        "grounding": float(result.grounding) if settings.grounded else math.nan,
        "regulariser": float(result.regulariser),
        "lr": result.lr,
        "momentum": result.momentum,
        "grad_norm": float(result.grad_norm),
        "windows_per_s": rate,
        "seconds": seconds,
        "collapse_position": float(terms.position),
        "collapse_sample": float(terms.sample),
        "collapse_scale": float(terms.scale),
        "rank": rankme(result.tokens.float().mean(dim=1).cpu().numpy()),
        "warning": collapse_warning(terms),
        "scoring_forwards": feed.cost.forwards,
        **_band_row(feed.sampler),
    }


def _band_row(sampler: Sampler) -> dict[str, float]:
    if not isinstance(sampler, SurpriseBand):
        return dict.fromkeys(("lambda_", "ess", "quarantined", "restraint"), math.nan)
    return {
        "lambda_": sampler.lambda_,
        "ess": sampler.ess,
        "quarantined": float(len(sampler.quarantine())),
        "restraint": sampler.restraint[0],
    }


def _snapshot(step: int, settings: TrainSettings, sampler: Sampler) -> dict[str, np.ndarray] | None:
    logged = math.ceil(settings.steps / settings.log_every)
    every = max(1, logged // BAND_SNAPSHOTS)
    due = step == settings.steps or (step // settings.log_every) % every == 0
    return sampler.snapshot() if due and isinstance(sampler, SurpriseBand) else None


def _check_finite(result: StepResult) -> None:
    for name in ("loss", "regulariser", "grad_norm"):
        value = float(getattr(result, name))
        if not math.isfinite(value):
            raise FloatingPointError(f"{name} is {value}")


@contextmanager
def _divergence_named(step: int, settings: TrainSettings) -> Iterator[None]:
    """Say where the run stands and what a person can do about a step that was not finite."""
    try:
        yield
    except FloatingPointError as error:
        raise Diverged(
            f"training diverged at step {step}: {error}; the run stands at its last checkpoint: "
            f"start again with a lower lr (now {settings.lr}) or a longer warmup (now "
            f"{settings.warmup})"
        ) from error
