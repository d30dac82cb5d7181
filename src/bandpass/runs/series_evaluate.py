"""Evaluate a finished run on series: probes of the frozen encoder, beside its controls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bandpass.data import Corpus, Store, Windows
from bandpass.evaluation import Estimate, block_groups, r2
from bandpass.models import JEPA
from bandpass.recipes import build_jepa
from bandpass.runs import tasks
from bandpass.runs.run import CONTROL, Run, open_run
from bandpass.runs.tasks import Found, Row, Side
from bandpass.scoring import frozen
from bandpass.training.atomic import write_table

FIT, TEST = 4000, 4000
"""Windows at most that probes are fitted on and scored on, drawn evenly over the split."""

MAP = 1500
BLOCK = 8
"""Window lengths in one block of the bootstrap: overlapping windows are dependent."""

NEXT_STATE, FUTURE = "next-state readout", "future readout"

Pair = tuple[np.ndarray, np.ndarray]
"""Vectors of the fit windows and of the test windows."""


@dataclass(frozen=True)
class View:
    """The windows as one encoder sees them.

    Attributes:
        encoder: How the encoder is called in the tables.
        pooling: How tokens became one vector.
        whole: Vectors of whole windows.
        past: By readout task, vectors that have not seen the last quarter of the window.
    """

    encoder: str
    pooling: str
    whole: Pair
    past: dict[str, Pair]


def evaluate_series(run: Run, store: Store, on_task: Callable[[str], None]) -> list[Row]:
    """Write ``evaluation.parquet`` and ``map.parquet`` of a run.

    Controls: the same recipe freshly initialised, raw features of the window, and the masked
    raw-patch regression of the same size and budget if the run trained one. All see the same
    windows, labels, seeds and bootstrap blocks.

    Args:
        run: Has spent its budget.
        store: Its store.
        on_task: Told which encoder is being probed.

    Returns:
        The rows of ``evaluation.parquet``.
    """
    seed, names = run.recipe.train.seed, list(store.regimes)
    past = frozen.past_rows(run.recipe.windows.length, run.recipe.model.encoder.patch)
    fit = _Split(_windows(run, store, "train"), FIT, past)
    test = _Split(_windows(run, store, "test"), TEST, past)
    rows, points = _persistence(test, seed), list[Row]()
    for view in _views(run, store, fit, test):
        on_task(f"{view.encoder}, {view.pooling}")
        found = _probe(view, fit, test, names, seed)
        rows += [_row(view.encoder, view.pooling, *each) for each in found]
        if view.pooling != "mean":
            points += _map(view, test, names)
    write_table(run.path / "evaluation.parquet", rows)
    write_table(run.path / "map.parquet", points)
    return rows


def _windows(run: Run, store: Store, split: str) -> Windows:
    cut = run.recipe.windows
    return Windows(store, cut.length, cut.stride, split, normalize=cut.normalize)


class _Split:
    """Windows of one split, chosen once for all encoders, and what is known about them."""

    def __init__(self, windows: Windows, most: int, past: int) -> None:
        self.windows = windows
        self.ids = _evenly(len(windows), most)
        self.past = slice(past)
        series, starts = windows.locate(self.ids)
        ahead: list[np.ndarray] = []
        last: list[np.ndarray] = []
        for batch in frozen.batches(windows, self.ids):
            hidden = slice(past, None)
            ahead.append(frozen.mean_rows(batch.values[:, hidden], batch.observed[:, hidden]))
            last.append(frozen.last_rows(batch.values[:, self.past], batch.observed[:, self.past]))
        self.side = Side(
            labels=windows.labels(self.ids),
            regimes=windows.regimes(self.ids),
            series=series,
            starts=starts,
            groups=block_groups(series, starts, BLOCK * windows.length),
            targets=np.concatenate(ahead),
            last=np.concatenate(last),
        )


def _views(run: Run, store: Store, fit: _Split, test: _Split) -> Iterator[View]:
    """Encode all windows once per model; mean pooling is the first half of mean+std."""
    pretrained = run.load_jepa(store)
    fresh = build_jepa(run.recipe, store.shape).eval()
    models = {"pretrained": pretrained, "random-init": fresh.to(pretrained.device)}
    control = run.path / CONTROL
    if control.is_dir() and open_run(control).finished:  # else it had a smaller budget
        models[CONTROL] = open_run(control).load_jepa(store)
    for name, jepa in models.items():
        whole = _of_both(fit, test, jepa, frozen.embed_windows)
        past = _of_both(fit, test, jepa, frozen.embed_past)
        ahead = _of_both(fit, test, jepa, frozen.foresee_windows)
        dim = jepa.settings.encoder.dim
        mean, past_mean = ((a[:, :dim], b[:, :dim]) for a, b in (whole, past))
        yield View(name, "mean", mean, {NEXT_STATE: past_mean, FUTURE: ahead})
        yield View(name, "mean+std", whole, {NEXT_STATE: past})
    sides = (fit, test)
    fit_raw, test_raw = (frozen.raw_windows(s.windows, s.ids) for s in sides)
    fit_past, test_past = (frozen.raw_windows(s.windows, s.ids, s.past) for s in sides)
    yield View("raw-features", "summary", (fit_raw, test_raw), {NEXT_STATE: (fit_past, test_past)})


def _of_both(
    fit: _Split,
    test: _Split,
    jepa: JEPA,
    encode: Callable[[JEPA, Corpus, np.ndarray], np.ndarray],
) -> Pair:
    return encode(jepa, fit.windows, fit.ids), encode(jepa, test.windows, test.ids)


def _probe(view: View, fit: _Split, test: _Split, names: list[str], seed: int) -> Found:
    of, on = fit.side, test.side
    known, scored = view.whole
    events = tasks.event_probes(known, scored, of, seed)
    yield from tasks.rare_events(events, on, seed)
    yield from tasks.regimes(known, scored, of, on, seed)
    if events:
        yield from tasks.retention(known, scored, of, on, events["logistic"], seed)
    for task, past in view.past.items():
        yield from tasks.readout(task, *past, of, on, seed)
    yield from tasks.geometry(scored, on, test.windows.length, names, seed)


def _row(encoder: str, pooling: str, task: str, metric: str, estimate: Estimate) -> Row:
    about = {"encoder": encoder, "pooling": pooling, "task": task, "metric": metric}
    return about | estimate._asdict()


def _persistence(test: _Split, seed: int) -> list[Row]:
    """Score the forecast that nothing changes."""
    found, _ = r2(test.side.last, test.side.targets, test.side.groups, seed=seed)
    return [_row("persistence", "none", task, "r2", found) for task in (NEXT_STATE, FUTURE)]


def _map(view: View, test: _Split, names: list[str]) -> list[Row]:
    """Project test embeddings on their two leading principal axes."""
    chosen = _evenly(len(test.ids), MAP)
    cloud = view.whole[1][chosen].astype(np.float64)
    cloud = (cloud - cloud.mean(axis=0)) / np.maximum(cloud.std(axis=0), 1e-9)
    axes = np.linalg.svd(cloud, full_matrices=False)[2][:2]
    regimes = test.side.regimes[chosen]
    return [
        {
            "encoder": view.encoder,
            "id": int(window),
            "x": float(x),
            "y": float(y),
            "regime": names[regime] if regime >= 0 else "unknown",
        }
        for window, (x, y), regime in zip(test.ids[chosen], cloud @ axes.T, regimes, strict=True)
    ]


def _evenly(total: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, total - 1, min(total, most)).astype(np.int64))
