"""The table of a confirmation, written whole after every run, and what it comes to."""

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from bandpass.evaluation.schedules import LEAST_BEYOND, LEAST_RANK
from bandpass.runs.confirm.cells import COLUMNS
from bandpass.runs.confirm.datasets import COMBINED
from bandpass.runs.confirm.plan import Plan, write_summary
from bandpass.runs.tasks import Row
from bandpass.training.atomic import write_table, write_whole


def write_tables(plan: Plan, rows: Sequence[Row], failed: dict[str, str]) -> None:
    """Write ``confirm.parquet``, ``confirm.csv`` and ``confirm.json``.

    Args:
        plan: What was asked for.
        rows: What is known so far, in any order.
        failed: Why runs failed, by run.
    """
    ordered = sorted(rows, key=lambda row: (cast(int, row["pass"]), cast(int, row["order"])))
    if ordered:
        write_table(plan.out / "confirm.parquet", ordered)
        write_whole(plan.out / "confirm.csv", lambda partial: _write_csv(partial, ordered))
    progress = {"done": len(ordered), "of": len(plan.cells), "failed": failed}
    write_summary(plan, progress | {"combined": summary(ordered)})


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Mean of every measure of the combined runs over the passes; empty without such a run.

    Returns:
        The measures, ``passes``, ``lowest`` and ``highest`` held-out loss of the trained model, and
        ``warning``, a sentence where the losses are near-collapse; else empty.
    """
    combined = [row for row in rows if row["dataset"] == COMBINED]
    if not combined:
        return {}
    found: dict[str, Any] = {
        name: statistics.fmean(cast(float, row[name]) for row in combined)
        for name in COLUMNS
        if isinstance(combined[0][name], float)
    }
    losses = [cast(float, row["loss_trained"]) for row in combined]
    return found | {
        "passes": len(combined),
        "lowest": min(losses),
        "highest": max(losses),
        "warning": collapse(found),
    }


def collapse(row: Row) -> str:
    """Say what makes a low loss worth little; empty if nothing does."""
    rank, beyond = cast(float, row["effective_rank"]), cast(float, row["explained_beyond"])
    found: list[str] = []
    if not rank >= LEAST_RANK:  # of targets without any variance both are NaN
        found.append(f"the targets have an effective rank of {rank:.2f}")
    if not beyond >= LEAST_BEYOND:
        explained = f"{beyond:.1%}" if beyond > 0 else "nothing"
        found.append(f"{explained} of their variance beyond each position's mean is explained")
    if not found:
        return ""
    return f"near-collapse: {' and '.join(found)}, so the low loss is no sign of a good model"


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
