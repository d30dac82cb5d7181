"""Evaluate a finished run with frozen encoders, beside its controls; nothing is retrained."""

from collections.abc import Callable
from pathlib import Path

from bandpass.data.schedule.store import ScheduleStore
from bandpass.data.video.store import ClipStore
from bandpass.runs.run import RunError, open_run
from bandpass.runs.schedule.evaluate import evaluate_schedule
from bandpass.runs.series_evaluate import evaluate_series
from bandpass.runs.tasks import Row
from bandpass.runs.video import evaluate_video


def evaluate(
    path: Path, on_task: Callable[[str], None] = lambda name: None, *, batches: int = 0
) -> list[Row]:
    """Probe the frozen encoder of a run beside its controls, as its kind of store allows.

    Args:
        path: The run directory.
        on_task: Told what is being measured, for progress displays.
        batches: Of a schedule run: batches of 32 windows that the held-out loss is measured on,
            100 in the reference procedure; 0 for all held-out windows.

    Raises:
        RunError: If it is no run, has not spent its budget, its store has changed, or ``batches``
            is asked of a run that is not on schedules.

    Returns:
        The rows written to ``evaluation.parquet``.
    """
    run = open_run(path)
    if not run.finished:
        raise RunError(f"{path} has not spent its budget: repeat its `bandpass train` to finish it")
    if batches < 0:
        raise RunError(f"batches must be at least 0, got {batches}")
    store = run.open_store()
    if isinstance(store, ScheduleStore):
        return evaluate_schedule(run, store, on_task, batches)
    if batches:
        raise RunError(f"{path} is no run on schedules: batches are for their held-out loss")
    if isinstance(store, ClipStore):
        return evaluate_video(run, store, on_task)
    return evaluate_series(run, store, on_task)
