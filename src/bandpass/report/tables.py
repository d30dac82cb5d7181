"""Read the tables a run logged."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.models.text import TEXT

Columns = dict[str, np.ndarray]

COLUMNS: dict[str, tuple[str, ...]] = {
    "metrics": (
        *("step", "fraction", "loss", "prediction", "grounding", "regulariser", "lr", "momentum"),
        *("grad_norm", "windows_per_s", "seconds", "collapse_position", "collapse_sample"),
        *("collapse_scale", "rank"),
    ),
    "slots": ("step", "kind", "name", "drawn", "natural"),
    "band": ("step", "bucket", "score", "mass", "weight"),
    "quarantine": ("id", "series", "start", "reason", "z", "visits", "channels", "values"),
    "evaluation": (*("encoder", "pooling", "task", "metric", "value", "low", "high", "count"),),
    "map": ("encoder", "id", "x", "y", "regime"),
    "enrichment": (
        *("step", "score", "normalisation", "slice", "natural", "count", "auroc", "low", "high"),
        *("top10", "top20", "top30", "top10_low", "top10_high"),
    ),
    "shares": (
        *("policy", "gate", "score", "normalisation", "group", "natural", "share", "ess"),
        *("shuffled_low", "shuffled_high"),
    ),
    "targets": ("target", "other", "measure", "value", "low", "high", "count"),
    "losses": ("what", "dataset", "metric", "value"),
    "windows": ("drawn", "score"),
    "clips": ("motion", "decile", "rare", "corrupt"),
    "surprise": ("series", "row", "surprise", "motion", "label", "regime"),
}
# Logged by some samplers only; a run without them gets NaN, or "" for words.
OPTIONAL: dict[str, tuple[str, ...]] = {
    "metrics": ("lambda_", "ess", "quarantined", "warning", "validation"),
    "evaluation": ("note",),
}
WORDS = frozenset(
    (
        "kind",
        "name",
        "series",
        "reason",
        "encoder",
        "pooling",
        "task",
        "metric",
        "regime",
        "warning",
        "note",
    )
)
WRITTEN_BY = {
    "evaluation": "bandpass evaluate",
    "map": "bandpass evaluate",
    "losses": "bandpass evaluate",
    "clips": "bandpass evaluate",
    "surprise": "bandpass evaluate",
    "enrichment": "bandpass enrich",
    "shares": "bandpass enrich",
    "targets": "bandpass enrich",
}


class ReportError(ValueError):
    """A run directory that cannot be reported; the message names the file and the mend."""


@dataclass(frozen=True)
class Run:
    """The logged tables of one run; a table the run never wrote is empty.

    Attributes:
        path: The run directory.
        name: What the page calls it.
        recipe: The resolved recipe, nested.
        environment: Versions and machine; empty if not logged.
        metrics: A row per logged step.
        slots: Cumulative draws per class and step.
        band: Score histogram and selection weight per bucket and step.
        quarantine: One row per quarantined window.
        evaluation: One row per encoder, pooling, task and metric.
        map: Two-dimensional embedding of evaluated windows.
        enrichment: What each score finds: a row per step, score, normalisation and slice.
        shares: Slots of each slice under each policy, score and normalisation, foretold.
        targets: How alike windows rank by surprise under every pair of targets.
        losses: Held-out losses of a schedule run and of its controls, and their targets.
        windows: How often each training window was drawn, and its last log-score, in id order.
        clips: What is known of each training clip of a video run, in id order.
        surprise: Surprise and motion of every frame of the eventful test recordings of such a run.
    """

    path: Path
    name: str
    recipe: dict[str, Any]
    environment: dict[str, Any]
    metrics: Columns
    slots: Columns
    band: Columns
    quarantine: Columns
    evaluation: Columns
    map: Columns
    enrichment: Columns
    shares: Columns
    targets: Columns
    losses: Columns
    windows: Columns
    clips: Columns
    surprise: Columns

    @property
    def of_schedules(self) -> bool:
        """Whether it trained on schedules."""
        return self.recipe.get("source") == "schedule" or rows(self.losses) > 0

    @property
    def supervised(self) -> bool:
        """Whether labels were its training targets."""
        return self.recipe.get("model", {}).get("target") == TEXT

    @property
    def of_videos(self) -> bool:
        """Whether it trained on clips of videos."""
        return self.environment.get("modality") == "video" or rows(self.clips) > 0


def rows(table: Columns) -> int:
    """Number of rows of a table; 0 for one that was never written."""
    return len(next(iter(table.values()))) if table else 0


def read_run(path: Path) -> Run:
    """Read every table that ``path`` holds.

    Raises:
        ReportError: ``path`` is no run directory, or a file in it is damaged.
    """
    if not path.is_dir():
        raise ReportError(
            f"there is no run directory at {path}: pass the directory that `bandpass train` wrote"
        )
    recipe = _read_json(path / "recipe.json")
    if not recipe:
        raise ReportError(
            f"{path} holds no recipe.json, so it is no run directory: pass the directory that "
            "`bandpass train` wrote, not its parent or its checkpoints"
        )
    tables = {name: _read_table(path, name) for name in COLUMNS}
    return Run(path, path.resolve().name, recipe, _read_json(path / "environment.json"), **tables)


def read_runs(run: Path, beside: Sequence[Path]) -> list[Run]:
    """Read the reported run, then its comparisons, giving equal names a number apart."""
    runs: list[Run] = []
    for path in (run, *beside):
        read = read_run(path)
        taken = sum(other.path.resolve().name == read.name for other in runs)
        runs.append(replace(read, name=f"{read.name} ({taken + 1})") if taken else read)
    return runs


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReportError(
            f"{path} is not valid JSON ({error}): it was cut short or edited; restore it, or "
            "train again into a new directory"
        ) from error
    if not isinstance(content, dict):
        raise ReportError(
            f"{path} holds a {type(content).__name__}, expected an object: restore the file that "
            "`bandpass train` wrote"
        )
    return content


def _read_table(run: Path, name: str) -> Columns:
    path = run / f"{name}.parquet"
    if not path.exists():
        return {}
    command = WRITTEN_BY.get(name, "bandpass train")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ReportError(
            f"{path} cannot be read as Parquet ({error}): it was cut short or overwritten; "
            f"delete it and write it again with `{command}`"
        ) from error
    missing = [column for column in COLUMNS[name] if column not in table.column_names]
    if missing:
        raise ReportError(
            f"{path} lacks the columns {missing} (it has {table.column_names}): it comes from "
            f"another version of bandpass; write it again with `{command}`"
        )
    columns = {column: _to_numpy(column, table[column]) for column in COLUMNS[name]}
    for column in OPTIONAL.get(name, ()):
        logged = column in table.column_names
        columns[column] = _to_numpy(
            column, table[column] if logged else pa.chunked_array([pa.nulls(len(table))])
        )
    return columns


def _to_numpy(name: str, column: pa.ChunkedArray) -> np.ndarray:
    if name in WORDS or pa.types.is_string(column.type):
        return np.array(["" if value is None else str(value) for value in column.to_pylist()])
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        nested = np.empty(len(column), dtype=object)
        nested[:] = column.to_pylist()
        return nested
    if pa.types.is_null(column.type):  # a column that was None in every row
        return np.full(len(column), np.nan)
    return column.to_numpy()
