"""Evaluate a finished run with frozen encoders, beside its controls; nothing is retrained."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bandpass.data import Windows
from bandpass.evaluation import Estimate, block_groups, r2
from bandpass.models import JEPA
from bandpass.recipes import build_jepa, build_windows
from bandpass.runs import tasks
from bandpass.runs.run import CONTROL, Run, open_run
from bandpass.runs.tasks import Found, Row, Side
from bandpass.training import checkpoint, frozen
from bandpass.training.atomic import write_table

FIT, TEST = 4000, 4000
"""Windows at most that probes are fitted on and scored on, drawn evenly over the split."""

MAP = 1500
BLOCK = 8
"""Window lengths in one block of the bootstrap: overlapping windows are dependent."""

Encode = Callable[[Windows, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Encoder:
    """A way to turn windows into vectors.

    Attributes:
        name: How the encoder is called in the tables.
        pooling: How tokens became one vector.
        embed: Vectors of whole windows.
        readouts: By task, vectors that have not seen the last quarter of the window.
    """

    name: str
    pooling: str
    embed: Encode
    readouts: dict[str, Encode]


def evaluate(path: Path, on_task: Callable[[str], None] = lambda name: None) -> list[Row]:
    """Probe the frozen encoder of a run beside its controls.

    Controls: the same recipe freshly initialised, raw features of the window, and the masked
    raw-patch regression of the same size and budget if the run trained one. All see the same
    windows, labels, seeds and bootstrap blocks.

    Args:
        path: The run directory.
        on_task: Told which encoder is being probed, for progress displays.

    Returns:
        The rows written to ``evaluation.parquet``.
    """
    run = open_run(path)
    store = run.open_store()
    seed = run.recipe.train.seed
    fit = _Split(build_windows(run.recipe, store, "train"), FIT)
    test = _Split(build_windows(run.recipe, store, "test"), TEST)
    rows: list[Row] = []
    points: list[Row] = []
    for encoder in _encoders(run, len(store.channels)):
        on_task(f"{encoder.name}, {encoder.pooling}")
        found = _probe(encoder, fit, test, list(store.regimes), seed)
        rows += [_row(encoder.name, encoder.pooling, *each) for each in found]
        if encoder.pooling != "mean":
            points += _map(encoder, test, list(store.regimes))
    rows += _persistence(test, seed)
    write_table(path / "evaluation.parquet", rows)
    write_table(path / "map.parquet", points)
    return rows


class _Split:
    """Windows of one split, chosen once for all encoders, and what is known about them."""

    def __init__(self, windows: Windows, most: int) -> None:
        self.windows = windows
        self.ids = _evenly(len(windows), most)
        series, starts = windows.locate(self.ids)
        self.visible = round(windows.length * (1 - frozen.FUTURE))
        batches = list(frozen.batches(windows, self.ids))
        self.side = Side(
            labels=windows.labels(self.ids),
            regimes=windows.regimes(self.ids),
            series=series,
            starts=starts,
            groups=block_groups(series, starts, BLOCK * windows.length),
            targets=np.concatenate(
                [
                    frozen.mean_rows(b.values[:, self.visible :], b.observed[:, self.visible :])
                    for b in batches
                ]
            ),
            last=np.concatenate(
                [
                    frozen.last_rows(b.values[:, : self.visible], b.observed[:, : self.visible])
                    for b in batches
                ]
            ),
        )


def _evenly(total: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, total - 1, min(total, most)).astype(np.int64))


def _encoders(run: Run, channels: int) -> list[Encoder]:
    store = run.open_store()
    fresh = build_jepa(run.recipe, channels).eval()
    models = [("pretrained", run.load_jepa(store)), ("random-init", fresh)]
    if checkpoint.latest(run.path / CONTROL) is not None:
        models.append((CONTROL, open_run(run.path / CONTROL).load_jepa(store)))
    found = [_of_model(name, jepa, pooling) for name, jepa in models for pooling in frozen.POOLINGS]
    visible = slice(round(run.recipe.windows.length * (1 - frozen.FUTURE)))
    raw = Encoder(
        "raw-features",
        "summary",
        frozen.raw_windows,
        {"next-state readout": lambda windows, ids: frozen.raw_windows(windows, ids, visible)},
    )
    return [*found, raw]


def _of_model(name: str, jepa: JEPA, pooling: str) -> Encoder:
    def embed(windows: Windows, ids: np.ndarray) -> np.ndarray:
        return frozen.embed_windows(jepa, windows, ids, pooling)

    def embed_past(windows: Windows, ids: np.ndarray) -> np.ndarray:
        return frozen.embed_windows(jepa, windows, ids, pooling, past_only=True)

    def foresee(windows: Windows, ids: np.ndarray) -> np.ndarray:
        return frozen.foresee_windows(jepa, windows, ids)

    readouts = {"next-state readout": embed_past, "future readout": foresee}
    return Encoder(name, pooling, embed, readouts)


def _probe(encoder: Encoder, fit: _Split, test: _Split, names: list[str], seed: int) -> Found:
    of, on = fit.side, test.side
    known, scored = encoder.embed(fit.windows, fit.ids), encoder.embed(test.windows, test.ids)
    events = tasks.event_probes(known, scored, of, seed)
    yield from tasks.rare_events(events, on, seed)
    yield from tasks.regimes(known, scored, of, on, seed)
    if events:
        yield from tasks.retention(known, scored, of, on, events["logistic"], seed)
    for task, ahead in encoder.readouts.items():
        past = ahead(fit.windows, fit.ids), ahead(test.windows, test.ids)
        yield from tasks.readout(task, *past, of, on, seed)
    yield from tasks.geometry(scored, on, test.windows.length, names, seed)


def _row(encoder: str, pooling: str, task: str, metric: str, estimate: Estimate) -> Row:
    about = {"encoder": encoder, "pooling": pooling, "task": task, "metric": metric}
    return about | estimate._asdict()


def _persistence(test: _Split, seed: int) -> list[Row]:
    """Score the forecast that nothing changes."""
    found, _ = r2(test.side.last, test.side.targets, test.side.groups, seed=seed)
    names = ("next-state readout", "future readout")
    return [_row("persistence", "none", task, "r2", found) for task in names]


def _map(encoder: Encoder, test: _Split, names: list[str]) -> list[Row]:
    """Project test embeddings on their two leading principal axes."""
    chosen = _evenly(len(test.ids), MAP)
    cloud = encoder.embed(test.windows, test.ids[chosen]).astype(np.float64)
    cloud = (cloud - cloud.mean(axis=0)) / np.maximum(cloud.std(axis=0), 1e-9)
    axes = np.linalg.svd(cloud, full_matrices=False)[2][:2]
    regimes = test.side.regimes[chosen]
    return [
        {
            "encoder": encoder.name,
            "id": int(window),
            "x": float(x),
            "y": float(y),
            "regime": names[regime] if regime >= 0 else "unknown",
        }
        for window, (x, y), regime in zip(test.ids[chosen], cloud @ axes.T, regimes, strict=True)
    ]
