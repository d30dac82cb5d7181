"""The tables a run keeps of itself, the part of a checkpoint that people read."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bandpass.curriculum import SurpriseBand
from bandpass.data import Corpus
from bandpass.training.atomic import write_table
from bandpass.training.feed import Sampler

NATURAL_SAMPLE = 20_000


class RunLog:
    """The rows of every table of a run, kept with the checkpoint and written whole.

    Args:
        windows: The training windows; their labels are read for the log only.
        seed: Seeds the uniform sample that natural shares are counted on.
    """

    def __init__(self, windows: Corpus, seed: int) -> None:
        self.windows = windows
        self.tables: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("metrics", "slots", "guards", "buckets")
        }
        self.band: list[dict[str, np.ndarray]] = []  # columns: a snapshot has thousands of rows
        sample = np.arange(len(windows))
        if len(sample) > NATURAL_SAMPLE:
            sample = np.random.default_rng(seed).choice(len(windows), NATURAL_SAMPLE, replace=False)
        self.natural = {name: float(count) / len(sample) for name, count in self._count(sample)}
        self.drawn = dict.fromkeys(self.natural, 0)
        self.times = np.zeros(len(windows), np.int32)
        self._uncounted: list[int] = []

    def count(self, draw: list[int]) -> None:
        """Add the windows of one batch to the slot counts, when these are next looked at."""
        self._uncounted += draw

    def _settle(self) -> None:
        """Look the classes of many batches up at once: one by one it would slow every step."""
        if self._uncounted:
            np.add.at(self.times, self._uncounted, 1)
            for name, count in self._count(np.asarray(self._uncounted)):
                self.drawn[name] = self.drawn.get(name, 0) + count
            self._uncounted = []

    def _count(self, ids: np.ndarray) -> list[tuple[tuple[str, str], int]]:
        counted: list[tuple[tuple[str, str], int]] = []
        for kind, (codes, names) in self.windows.classes(ids).items():
            values, counts = np.unique(codes, return_counts=True)
            counted += [
                ((kind, names[int(code)]), int(count))
                for code, count in zip(values, counts, strict=True)
            ]
        return counted

    def share(self, kind: str, name: str) -> float:
        """Return the share of the drawn windows that were of one class."""
        total = sum(count for (of, _), count in self.drawn.items() if of == kind)
        return self.drawn.get((kind, name), 0) / total if total else float("nan")

    @property
    def seconds(self) -> float:
        """Seconds of training up to the last logged row."""
        rows = self.tables["metrics"]
        return rows[-1]["seconds"] if rows else 0.0

    def add(self, row: dict[str, Any], band: dict[str, np.ndarray] | None) -> None:
        """Append one logged step; ``band`` is the curriculum's histogram at this step."""
        self._settle()
        step = row["step"]
        self.tables["metrics"].append(row)
        self.tables["slots"] += [
            {
                "step": step,
                "kind": kind,
                "name": name,
                "drawn": count,
                "natural": self.natural.get((kind, name), 0.0),
            }
            for (kind, name), count in self.drawn.items()
        ]
        if band is not None:
            self.band.append({"step": np.full(len(band["bucket"]), step), **band})

    def write(self, run: Path) -> None:
        """Write every table that has rows into the run directory."""
        run.mkdir(parents=True, exist_ok=True)
        for name, rows in self.tables.items():
            if rows:
                write_table(run / f"{name}.parquet", rows)
        if self.band:
            columns = {name: np.concatenate([b[name] for b in self.band]) for name in self.band[0]}
            write_table(run / "band.parquet", columns)

    def state_dict(self) -> dict[str, Any]:
        """Return rows and counts for the checkpoint."""
        self._settle()
        drawn = [[kind, name, count] for (kind, name), count in self.drawn.items()]
        band = [{name: torch.from_numpy(b[name]) for name in b} for b in self.band]
        times = torch.tensor(self.times)
        return {"tables": self.tables, "band": band, "drawn": drawn, "times": times}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue the tables of an interrupted run."""
        self.tables = state["tables"]
        self.band = [{name: b[name].numpy() for name in b} for b in state["band"]]
        self.drawn = {(kind, name): count for kind, name, count in state["drawn"]}
        times = state.get("times")  # checkpoints from before `windows.parquet` have none
        self.times = np.zeros_like(self.times) if times is None else times.numpy()


def write_windows(run: Path, times: np.ndarray, sampler: Sampler) -> None:
    """Write ``windows.parquet``: row i is window i, how often it was drawn and its last log-score.

    Args:
        run: The run directory.
        times: (n,) int32 draws of each window.
        sampler: Only a surprise band remembers scores; NaN for others, and where none was seen.
    """
    scores = np.full(len(times), np.nan, np.float32)
    if isinstance(sampler, SurpriseBand):
        scores = sampler.score(np.arange(len(times))).astype(np.float32)
    write_table(run / "windows.parquet", {"drawn": times, "score": scores})
