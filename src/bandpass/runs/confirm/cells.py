"""One run of a confirmation: trained, every checkpoint verified, measured on what it held out."""

import hashlib
import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import torch

from bandpass.data import open_store
from bandpass.recipes import build_windows
from bandpass.runs.confirm.held_out import held_out
from bandpass.runs.confirm.plan import Cell
from bandpass.runs.run import Run, RunError, create_run, open_run
from bandpass.runs.tasks import Row
from bandpass.runs.train import OnLog, train
from bandpass.training import CheckpointError, checkpoint
from bandpass.training.atomic import write_json

ROW = "confirm.json"
"""In a run directory: its row of the table."""

COLUMNS = (
    "pass",
    "order",
    "dataset",
    "train_windows",
    "validation_windows",
    "steps",
    "training_loss",
    "loss_trained",
    "loss_fresh",
    "lower",
    "loss_position",
    "loss_mean",
    "explained_beyond",
    "effective_rank",
    "target_variance",
    "checkpoint",
    "sha256",
    "seconds",
)
"""Of the table. ``training_loss`` is the latent loss of training, mean over the last tenth of the
budget; ``lower`` is ``1 - loss_trained / loss_fresh``; ``loss_position`` and ``loss_mean`` are of
controls that predict the mean target of each position, and one mean target everywhere;
``explained_beyond`` is the share of the target variance beyond each position's mean that is
predicted; ``seconds`` are of training."""


def run_cell(cell: Cell, store: Path, on_log: OnLog = lambda name, row, log: None) -> Row | None:
    """Train a run, or continue it, or leave it as it is if it is finished; then measure it.

    Args:
        cell: Which.
        store: Path of the store.
        on_log: Told of every logged row of its training.

    Returns:
        Its row of the table; None after Ctrl-C.

    Raises:
        RunError: If its directory holds another run.
        CheckpointError: If one of its checkpoints is damaged.
    """
    opened = open_store(store)
    begun = (cell.path / "recipe.json").exists()
    if not (begun and create_run(cell.path, cell.recipe, opened).finished):
        if not train(cell.recipe, opened, cell.path, with_control=False, on_log=on_log):
            return None
    return _measured(cell)


def known_row(cell: Cell) -> Row | None:
    """The row that an earlier command wrote for a run, if there is one."""
    try:
        row = json.loads((cell.path / ROW).read_text())
    except (OSError, ValueError):
        return None
    whole = isinstance(row, dict) and tuple(row) == COLUMNS
    return row if whole and math.isfinite(row["loss_trained"]) else None


def verify_checkpoints(run: Run) -> tuple[Path, str]:
    """Check that every checkpoint of a finished run can be read and holds what its name says.

    Returns:
        The last one, and the sha256 of its weights.

    Raises:
        CheckpointError: If one is damaged; names it and the mend.
    """
    newest = checkpoint.latest(run.path)
    if newest is None or checkpoint.step_of(newest) != run.recipe.train.steps:
        raise RunError(f"{run.path} has not spent its budget: repeat the command to finish it")
    for each in sorted(newest.parent.glob("step-*")):
        mend = f"delete {each} and repeat the command to train from the one before it"
        for name, value in checkpoint.load_weights(each).items():
            if not bool(torch.isfinite(value).all()):
                raise CheckpointError(f"{each}: {name} is not finite: {mend}")
        step = checkpoint.load_state(each)["step"]
        if step != checkpoint.step_of(each):
            raise CheckpointError(f"{each} holds step {step}: {mend}")
    with (newest / checkpoint.WEIGHTS).open("rb") as file:
        return newest, hashlib.file_digest(file, "sha256").hexdigest()


def _measured(cell: Cell) -> Row:
    """Verify and measure a finished run, once for the weights that it has."""
    run = open_run(cell.path)
    newest, sha256 = verify_checkpoints(run)
    known = known_row(cell)
    if known is not None and known["sha256"] == sha256:
        return known | {"pass": cell.number, "order": cell.order}
    store = run.open_store()
    loss, seconds = _training(run)
    found = held_out(run)
    fresh = found["loss_fresh"]
    row: Row = {
        "pass": cell.number,
        "order": cell.order,
        "dataset": cell.name,
        "train_windows": len(build_windows(run.recipe, store, "train")),
        "validation_windows": len(build_windows(run.recipe, store, "test")),
        "steps": run.recipe.train.steps,
        "training_loss": loss,
        "lower": 1 - found["loss_trained"] / fresh if fresh else math.nan,
        "checkpoint": str(newest.relative_to(cell.path.parent.parent)),
        "sha256": sha256,
        "seconds": seconds,
        **found,
    }
    row = {name: row[name] for name in COLUMNS}
    write_json(cell.path / ROW, row)
    return row


def _training(run: Run) -> tuple[float, float]:
    """Latent loss over the last tenth of the budget, and seconds of training."""
    table = pq.read_table(run.path / "metrics.parquet").to_pylist()
    late = [row for row in table if row["fraction"] > 0.9]
    return sum(row["prediction"] for row in late) / len(late), table[-1]["seconds"]
