"""The enrichment report: what each score finds, and what each policy would draw, told beforehand.

A uniform run answers for all scores and policies: its checkpoints score one sample of windows
(``shadow.parquet``), every score is asked what it finds (``enrichment.parquet``), and every policy
is replayed on those scores (``shares.parquet``). Nothing is trained per score or policy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bandpass.data import AnyStore, open_store
from bandpass.data.atomic import alone
from bandpass.evaluation import enriched, rank_within
from bandpass.recipes import RECIPES, Recipe, build_windows, find, override
from bandpass.runs.replay import FREE, NONE, shares, ways
from bandpass.runs.run import Run, RunError, open_run
from bandpass.runs.shadow import Shadow, write_shadow
from bandpass.runs.tasks import Row
from bandpass.runs.train import OnLog, train
from bandpass.scoring.targets import target_agreement
from bandpass.training.atomic import write_table

REFERENCE = "reference"
KEPT = 5
"""Checkpoints, evenly over training, that a report needs at least."""

USUAL = {"series": "series", "schedule": "schedule-base", "video": "video"}
"""Recipe of a store whose source has none of its own, by modality."""

TARGETED = 2000
"""Windows at most that targets are compared on."""

OnPart = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Reference:
    """Where a report comes from and where it goes.

    Attributes:
        out: Directory of the tables.
        run: Directory of the uniform run whose checkpoints are asked.
        recipe: Its recipe.
        store: Its store.
        why: Why it is another run than the one in ``out``; empty if it is that one.
    """

    out: Path
    run: Path
    recipe: Recipe
    store: AnyStore
    why: str = ""


def reference_of(
    path: Path, changes: Sequence[str] = (), *, name: str | None = None, run: Path | None = None
) -> Reference:
    """Find the uniform run that answers for a store, or for a run.

    For a store it is a run of its own: the recipe of the store's source, or of its modality, with
    ``policy=uniform``. A finished uniform run with at least ``KEPT`` checkpoints answers for
    itself. For any other finished run it is the same recipe with ``policy=uniform``, in
    ``RUN/reference``.

    Args:
        path: A store or a run directory.
        changes: Changes of the recipe as ``key=value``; for a store only.
        name: Name of the recipe; for a store only.
        run: Where the reference run goes; for a store only, ``runs/STORE-reference`` if None.

    Raises:
        RunError: If it is neither, is a run that has not spent its budget, or is a run and
            changes are asked for.
    """
    if not (path / "recipe.json").exists():
        if not (path / "manifest.json").exists():
            raise RunError(
                f"{path} is neither a run nor a store: `bandpass train` makes runs, `bandpass "
                "prepare` makes stores"
            )
        store = open_store(path)
        source = store.manifest["source"]
        recipe = find(name or (source if source in RECIPES else USUAL[store.modality]))
        out = run or Path("runs") / f"{path.resolve().name}-{REFERENCE}"
        asked = [change for change in changes if change.startswith("policy=")]
        if asked and asked != ["policy=uniform"]:
            raise RunError(
                f"a reference is drawn uniformly, for all policies are replayed on it: leave out "
                f"{asked[-1]}"
            )
        return Reference(out, out, _uniform(override(recipe, changes)), store)
    if changes or name or run:
        raise RunError(
            f"{path} is a run and has its recipe and its place: give neither here, or give its "
            f"store, {open_run(path).store_path}"
        )
    return _of_run(open_run(path))


def _of_run(run: Run) -> Reference:
    if not run.finished:
        raise RunError(
            f"{run.path} has not spent its budget: repeat its `bandpass train` to finish it"
        )
    store, kept = run.open_store(), len(list((run.path / "checkpoints").glob("step-*")))
    apart = replace(
        Reference(run.path, run.path / REFERENCE, _uniform(run.recipe), store),
        why=f"{run.path} drew with policy {run.recipe.policy}, and scores are compared on a model "
        "that saw every window alike",
    )
    if run.recipe.policy != "uniform":
        return apart
    if kept < KEPT:
        return replace(apart, why=f"{run.path} kept {kept} checkpoints of at least {KEPT}")
    return Reference(run.path, run.path, run.recipe, store)


def _uniform(recipe: Recipe) -> Recipe:
    if recipe.train.steps < KEPT:
        raise RunError(
            f"train.steps is {recipe.train.steps}: a reference run needs at least {KEPT} steps for "
            f"{KEPT} checkpoints"
        )
    plain = {"pool": 1, "rescore_every": 0, "guard_every": 0}
    train = replace(recipe.train, keep=max(recipe.train.keep, KEPT), **plain)
    return replace(recipe, policy="uniform", score="loss", gate=False, train=train)


def train_reference(reference: Reference, on_log: OnLog = lambda name, row, log: None) -> bool:
    """Train the reference run, or continue it; nothing happens to one that is trained.

    Args:
        reference: See ``reference_of``.
        on_log: Told of every logged row.

    Returns:
        Whether its budget is spent; False after Ctrl-C.

    Raises:
        RunError: If its directory holds another run, or another process is training in it.
    """
    recipe, store = reference.recipe, reference.store
    return train(recipe, store, reference.run, with_control=False, on_log=on_log)


def enrich(reference: Reference, on_part: OnPart = lambda part, done, total: None) -> None:
    """Write the four tables from the trained reference run.

    A call that was stopped is continued by the next: checkpoints in the log are not scored again.

    Args:
        reference: See ``reference_of``; ``train_reference`` has to have finished.
        on_part: Told which part of the work is being done, and how much of how much of it.

    Raises:
        RunError: If the reference run is not trained, or another process is at it.
    """
    run, out = open_run(reference.run), reference.out
    if not run.finished:
        raise RunError(f"{run.path} has not spent its budget: repeat the command to finish it")

    def busy(pid: str) -> RunError:
        return RunError(f"process {pid} is enriching {out}: wait for it or stop it")

    with alone(out / ".enrich.lock", busy):
        shadow = write_shadow(run, out, lambda done, total: on_part("windows", done, total))
        write_table(out / "enrichment.parquet", _enrichment(shadow, run, on_part))
        write_table(out / "shares.parquet", _shares(shadow, run, on_part))
        targets = _targets(shadow, run)
        if targets:
            write_table(out / "targets.parquet", targets)


def _enrichment(shadow: Shadow, run: Run, on_part: OnPart) -> list[Row]:
    """Ask every score, under every normalisation and at every checkpoint, for every slice."""
    asked = [(score, within) for score in shadow.scores for within in (NONE, *shadow.buckets)]
    rows: list[Row] = []
    for place, (score, within) in enumerate(asked):
        found: list[Row] = []
        for values, step in zip(shadow.scores[score], shadow.steps.tolist(), strict=True):
            if score not in FREE or not found:
                found = _found(shadow, values, within, run.recipe.train.seed)
            rows += [{"step": step, "score": score, "normalisation": within, **r} for r in found]
        on_part("scores", place + 1, len(asked))
    return rows


def _found(shadow: Shadow, values: np.ndarray, within: str, seed: int) -> list[Row]:
    ranked = values if within == NONE else rank_within(values, shadow.buckets[within])
    found = enriched(ranked, shadow.slices, shadow.blocks, seed=seed)
    return [
        {
            "slice": name,
            "natural": each.natural,
            "count": each.auroc.count,
            "auroc": each.auroc.value,
            "low": each.auroc.low,
            "high": each.auroc.high,
            **{f"top{round(100 * q)}": top.value for q, top in each.tops.items()},
            "top10_low": each.tops[0.1].low,
            "top10_high": each.tops[0.1].high,
        }
        for name, each in found.items()
    ]


def _targets(shadow: Shadow, run: Run) -> list[Row]:
    """How alike windows rank under every pair of targets; nothing in a store of one block."""
    every = -(-len(shadow.ids) // TARGETED)
    if len(np.unique(shadow.blocks[::every])) < 2:
        return []
    store, train = run.open_store(), run.recipe.train
    agreed = target_agreement(
        run.load_jepa(store),
        build_windows(run.recipe, store, "train"),
        shadow.ids[::every],
        mask_ratio=train.mask_ratio,
        seed=train.seed,
    )
    return [
        {"target": one, "other": other, "measure": measure, **estimate._asdict()}
        for (one, other), measures in agreed.items()
        for measure, estimate in measures.items()
    ]


def _shares(shadow: Shadow, run: Run, on_part: OnPart) -> list[Row]:
    """Replay every way to draw."""
    asked, rows = ways(shadow, run.recipe), list[Row]()
    for place, way in enumerate(asked):
        rows += shares(shadow, run.recipe, way)
        on_part("policies", place + 1, len(asked))
    return rows
