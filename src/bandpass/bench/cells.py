"""One cell of an ablation: an arm trained on a benchmark with a seed, and measured."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from bandpass.bench.arms import HAND_MADE
from bandpass.bench.asked import Asked, ask
from bandpass.bench.controls import measure_by_hand
from bandpass.bench.declared import Benchmark
from bandpass.bench.measures import Measure, measure
from bandpass.bench.stream import Corpora, build_corpora
from bandpass.curriculum import SurpriseBand
from bandpass.data import AnyStore, Corpus, open_store
from bandpass.models.text import TEXT
from bandpass.recipes import Recipe, build_curriculum, build_jepa
from bandpass.runs.run import create_run
from bandpass.runs.train import OnLog, fit_in
from bandpass.scoring import frozen
from bandpass.scoring.collect import ScoringSettings
from bandpass.training import Curriculum

if TYPE_CHECKING:
    from bandpass.bench.grid import Cell

SLICES = ("rare", "corrupt", "normal")


def run_cell(
    cell: "Cell", store: Path, on_log: OnLog = lambda name, row, log: None
) -> list[Measure] | None:
    """Train a cell, or continue it, then measure it.

    Its run directory stays until its measures are kept. A cell without steps is a control: the
    model as it is initialised, or none.

    Args:
        cell: Which.
        store: Path of the benchmark's store.
        on_log: Told of every logged row of its training.

    Returns:
        Its measures; None after Ctrl-C, which leaves a checkpoint to go on from.

    Raises:
        RecipeError: If the arm does not fit the benchmark.
        RunError: If its directory holds another run.
        Diverged: If losses are no longer finite.
    """
    opened = open_store(store)
    corpora, asked = prepared(cell.benchmark, cell.recipe, opened)
    if cell.arm == HAND_MADE:
        return measure_by_hand(asked, _past(cell.recipe), cell.seed)
    curriculum = build_curriculum(cell.recipe, corpora.train)
    jepa = build_jepa(cell.recipe, opened.shape)
    if cell.steps:
        run = create_run(cell.path, cell.recipe, opened)
        parts = (jepa, corpora.train, curriculum)
        if not fit_in(run.path, cell.recipe, parts, {}, on_log):
            return None
        spent = _spent(run.path, corpora.train, curriculum)
    else:
        spent = list[Measure]()
    return [*spent, *measure(jepa.eval(), asked, cell.seed, _scoring(cell.recipe))]


def _scoring(recipe: Recipe) -> ScoringSettings:
    train = recipe.train
    return ScoringSettings(mask=train.masks[0], mask_ratio=train.mask_ratio, seed=train.seed)


def _spent(path: Path, windows: Corpus, curriculum: Curriculum) -> list[Measure]:
    """Where the slots went, and how the scores stood at the end."""
    times = pq.read_table(path / "windows.parquet")["drawn"].to_numpy()
    slices = windows.slices()
    found = [("slots", name, float(times[slices[name]].sum() / times.sum())) for name in SLICES]
    found += [("natural", name, float(slices[name].mean())) for name in SLICES]
    seen = times / times.sum()
    found += [("slots", "ess", float(1 / (len(seen) * (seen @ seen))))]
    found += [("slots", "never drawn", float((times == 0).mean()))]
    if isinstance(curriculum.sampler, SurpriseBand):
        held = curriculum.sampler.quarantine()
        ids = np.array([entry.id for entry in held], np.int64)
        found += [("quarantine", "windows", float(len(ids)))]
        for name in SLICES if len(ids) else ():
            found += [("quarantine", name, float(slices[name][ids].mean()))]
    return found


MOST = 8
"""Benchmarks whose windows are kept at once: cells of one seed go through all of them."""

_kept: dict[str, tuple[Corpora, Asked]] = {}


def prepared(benchmark: Benchmark, recipe: Recipe, store: AnyStore) -> tuple[Corpora, Asked]:
    """The corpora of a benchmark and what probes are asked; kept, as all its cells share them."""
    key = json.dumps([asdict(benchmark), store.hash, asdict(_cut(recipe))])
    if key not in _kept:
        if len(_kept) == MOST:
            del _kept[next(iter(_kept))]
        corpora = build_corpora(benchmark, recipe, store)
        _kept[key] = corpora, ask(benchmark, corpora, _past(recipe))
    return _kept[key]


def _past(recipe: Recipe) -> int:
    """Rows of a window before the part that has to be foreseen."""
    return frozen.past_rows(recipe.windows.length, recipe.model.encoder.patch)


def _cut(recipe: Recipe) -> Recipe:
    """What of a recipe determines corpora and questions, so that arms share them."""
    encoder = replace(Recipe("").model.encoder, patch=recipe.model.encoder.patch)
    model = replace(Recipe("").model, encoder=encoder)
    if recipe.model.target == TEXT:  # the windows then carry captions
        model = replace(model, target=TEXT, text=recipe.model.text)
    cut = {name: getattr(recipe, name) for name in ("windows", "schedule", "clips", "embedder")}
    return replace(Recipe(""), model=model, **cut)
