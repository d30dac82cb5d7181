"""Evaluate a finished schedule run: held-out losses, then probes of the frozen encoder."""

from collections.abc import Callable
from dataclasses import replace

from bandpass.data.schedule.store import MODALITY, ScheduleStore
from bandpass.data.schedule.windows import ScheduleWindows
from bandpass.evaluation.schedules import HOURLY, PRETRAINED, RANDOM, RAW, RAW_PATCH
from bandpass.recipes import build_jepa
from bandpass.runs.run import CONTROL, Run, open_run
from bandpass.runs.schedule.encoders import frozen
from bandpass.runs.schedule.losses import held_out_losses
from bandpass.runs.schedule.probes import probe_table
from bandpass.scoring.frozen import default_pooling
from bandpass.training.atomic import write_table

Row = dict[str, object]

POOLING = default_pooling(MODALITY)

INITS = 3
"""Random initialisations that the control is averaged over: one alone is a matter of luck."""


def evaluate_schedule(
    run: Run, store: ScheduleStore, on_task: Callable[[str], None], batches: int = 0
) -> list[Row]:
    """Write ``losses.parquet`` and ``evaluation.parquet`` of a run; nothing is retrained.

    Probes are asked on both kinds of windows, whichever the run was trained on, of its own split.
    The raw-patch control is asked too if the run trained one.

    Args:
        run: Has spent its budget.
        store: Its store.
        on_task: Told what is being measured.
        batches: See `held_out_losses`.

    Returns:
        The rows of ``evaluation.parquet``.
    """
    recipe = run.recipe
    if recipe.model.latent:
        on_task("held-out losses")
        write_table(run.path / "losses.parquet", held_out_losses(run, batches))
    cut = replace(recipe.schedule, kind="all")
    train, test = (ScheduleWindows(store, side, cut) for side in ("train", "test"))
    trained = run.load_jepa(store)
    encoders = {PRETRAINED: [frozen(trained, POOLING)], RANDOM: []}
    for seed in range(recipe.train.seed, recipe.train.seed + INITS):
        other = replace(recipe, train=replace(recipe.train, seed=seed))
        jepa = build_jepa(other, store.shape).eval()
        encoders[RANDOM].append(frozen(jepa.to(trained.device), POOLING))
    control = run.path / CONTROL
    if control.is_dir() and open_run(control).finished:  # else it had a smaller budget
        encoders[RAW_PATCH] = [frozen(open_run(control).load_jepa(store), POOLING)]
    found = probe_table(encoders, train, test, recipe.train.seed, on_task)
    pooled = dict.fromkeys((RAW, HOURLY), "summary")
    rows = [
        {"encoder": row["encoder"], "pooling": pooled.get(str(row["encoder"]), POOLING)} | row
        for row in found
    ]
    write_table(run.path / "evaluation.parquet", rows)
    return rows
