"""The training loop: draws from the sampler, steps, logs, checkpoints; resumes exactly."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from bandpass.curriculum import SurpriseBand
from bandpass.data import Windows, as_is
from bandpass.evaluation import rankme
from bandpass.losses import collapse_terms, collapse_warning
from bandpass.models import JEPA
from bandpass.training import checkpoint
from bandpass.training.log import RunLog
from bandpass.training.settings import TrainSettings
from bandpass.training.step import Sampler, StepResult, parameter_groups, train_step

BAND_SNAPSHOTS = 24


class DeviceError(RuntimeError):
    """A device that is not there; the message names the mend."""


class Diverged(RuntimeError):
    """Losses or gradients are no longer finite; the run stands at its last checkpoint."""


def fit(
    jepa: JEPA,
    windows: Windows,
    sampler: Sampler,
    settings: TrainSettings,
    run: Path,
    on_log: Callable[[dict[str, Any], RunLog], None] = lambda row, log: None,
) -> bool:
    """Train until the budget is spent; continue from the newest checkpoint of ``run``.

    Args:
        jepa: The model, freshly initialised; a checkpoint overwrites it.
        windows: The training windows.
        sampler: Draws batches of window ids and is told every window's loss.
        settings: Budget and optimiser.
        run: The run directory.
        on_log: Called with every logged row, for progress displays.

    Returns:
        Whether the budget is spent; False after Ctrl-C, which leaves a checkpoint.

    Raises:
        Diverged: If losses or gradients are no longer finite.
        CheckpointError: If a checkpoint cannot be read or written.
    """
    device = pick_device(settings.device)
    jepa.to(device).train()
    groups = parameter_groups(jepa, settings.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.95))
    log = RunLog(windows, settings.seed)
    step = _resume(run, jepa, optimizer, sampler, log)

    loader = DataLoader(
        windows, batch_sampler=sampler, num_workers=settings.workers, collate_fn=as_is
    )
    meter = _Meter(log.seconds)
    with _interruptible() as interrupted:
        for batch in loader:
            with _divergence_named(step + 1, settings):
                result = train_step(jepa, batch, sampler, optimizer, settings, step)
            log.count(batch.draw)
            step += 1
            meter.windows += len(batch.draw)
            done = step == settings.steps
            if done or step % settings.log_every == 0:
                row = _row(step, settings, result, sampler, meter)
                log.add(row, _snapshot(step, settings, sampler))
                on_log(row, log)
            if done or interrupted() or step % settings.checkpoint_every == 0:
                with _divergence_named(step, settings):
                    _check_finite(result)  # such weights shall never become a checkpoint
                _save(run, step, jepa, optimizer, sampler, log)
            if done or interrupted():
                break
    return step == settings.steps


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
    step: int, settings: TrainSettings, result: StepResult, sampler: Sampler, meter: _Meter
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
        **_band_row(sampler),
    }


def _band_row(sampler: Sampler) -> dict[str, float]:
    if not isinstance(sampler, SurpriseBand):
        return {"lambda_": math.nan, "ess": math.nan, "quarantined": math.nan}
    held = float(len(sampler.quarantine()))
    return {"lambda_": sampler.lambda_, "ess": sampler.ess, "quarantined": held}


def _snapshot(step: int, settings: TrainSettings, sampler: Sampler) -> dict[str, np.ndarray] | None:
    logged = math.ceil(settings.steps / settings.log_every)
    every = max(1, logged // BAND_SNAPSHOTS)
    due = step == settings.steps or (step // settings.log_every) % every == 0
    return sampler.snapshot() if due and isinstance(sampler, SurpriseBand) else None


def _save(
    run: Path,
    step: int,
    jepa: JEPA,
    optimizer: torch.optim.Optimizer,
    sampler: Sampler,
    log: RunLog,
) -> None:
    state = {
        "step": step,
        "optimizer": optimizer.state_dict(),
        "sampler": sampler.state_dict(),
        "log": log.state_dict(),
    }
    log.write(run)  # first: a kill before the last checkpoint repeats it, one after it would not
    checkpoint.save(run, step, jepa.state_dict(), state)


def _resume(
    run: Path, jepa: JEPA, optimizer: torch.optim.Optimizer, sampler: Sampler, log: RunLog
) -> int:
    newest = checkpoint.latest(run)
    if newest is None:
        return 0
    jepa.load_state_dict(checkpoint.load_weights(newest))
    state = checkpoint.load_state(newest)
    optimizer.load_state_dict(state["optimizer"])
    sampler.load_state_dict(state["sampler"])
    log.load_state_dict(state["log"])
    return int(state["step"])


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


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or SIGTERM) into a flag; a second one stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread may handle signals
        return
    seen: list[int] = []

    def note(signum: int, frame: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(signum)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
