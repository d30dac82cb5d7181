"""The shadow log: every score of one sample of windows at every kept checkpoint of a run.

It holds all that a report on scores, or a replay of a policy, needs: no model is asked again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data import Corpus
from bandpass.data.ingest import WEAK_REGIMES, Ingest, describe
from bandpass.evaluation import block_groups
from bandpass.recipes import build_jepa, build_windows
from bandpass.runs.run import Run, RunError
from bandpass.runs.scored import SCORED, Scorer
from bandpass.training import checkpoint
from bandpass.training.atomic import write_whole

LOG = "shadow.parquet"
SAMPLE = 8000
"""Windows at most that are scored, drawn once per run."""

BLOCK = 8
"""Window lengths in one block of the bootstrap: overlapping windows are dependent."""

FEWEST = 5
"""Windows that a slice must have in the sample to be shown."""

CONTROLS = ("max-abs-z", "motion")
"""Scores that need neither model nor neighbours."""

Progress = Callable[[int, int], None]
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Shadow:
    """A shadow log: s checkpoints by n windows, in the order of the windows in the store.

    Attributes:
        steps: (s,) steps of the checkpoints, ascending; 0 is the untrained model.
        ids: (n,) windows.
        total: Training windows in all, of which ``ids`` are a sample.
        blocks: (n,) blocks for the bootstrap.
        faults: (n,) suspicion of a fault by input-side rules, in [0, 1].
        prototypes: (n,) cluster of windows that looked alike at ingest.
        scores: (s, n) by name of the score; NaN where it could not be told.
        slices: (n,) membership by name.
        buckets: (n,) codes by what surprise may be normalised within.
        embeddings: (s, n, d) mean and deviation over the teacher's tokens.
    """

    steps: np.ndarray
    ids: np.ndarray
    total: int
    blocks: np.ndarray
    faults: np.ndarray
    prototypes: np.ndarray
    scores: Columns
    slices: Columns
    buckets: Columns
    embeddings: np.ndarray


def write_shadow(run: Run, out: Path, on_windows: Progress) -> Shadow:
    """Score the sample at every checkpoint; checkpoints that the log has already are passed over.

    Args:
        run: A uniform run.
        out: Directory of the log, which is written anew, whole, after every checkpoint.
        on_windows: Told how many scorings of how many are done.

    Raises:
        RunError: If a checkpoint does not fit the run.
    """
    store = run.open_store()
    windows = build_windows(run.recipe, store, "train")
    known = _known(windows, _sample(len(windows), run.recipe.train.seed))
    fresh = build_jepa(run.recipe, store.shape).state_dict
    weights = {0: fresh} | {
        checkpoint.step_of(path): lambda path=path: checkpoint.load_weights(path)
        for path in sorted((run.path / "checkpoints").glob("step-*"))
    }
    done = _read(out, known)
    if done:
        _write(out, done)  # with what is known by now
    scorer = Scorer(run, windows, weights)
    total = len(weights) * len(known["id"])
    for place, step in enumerate(weights):
        before = place * len(known["id"])
        if step not in done:
            columns = scorer.score(step, known["id"], lambda n, b=before: on_windows(b + n, total))
            vectors = columns.pop("embedding")
            listed = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1])
            done[step] = _table(known, step, columns | {"embedding": listed})
            _write(out, done)
        on_windows(before + len(known["id"]), total)
    return read_shadow(out)


def read_shadow(out: Path) -> Shadow:
    """Read the log in a directory.

    Raises:
        RunError: If there is none.
    """
    if not (out / LOG).exists():
        raise RunError(f"{out} has no {LOG}: `bandpass enrich {out}` writes it")
    table = pq.read_table(out / LOG)
    steps = np.unique(table["step"].to_numpy())
    one = table.slice(0, len(table) // len(steps))

    def named(prefix: str) -> list[str]:
        return [name for name in table.column_names if name.startswith(prefix)]

    flat = table["embedding"].combine_chunks().flatten().to_numpy()
    return Shadow(
        steps=steps,
        ids=one["id"].to_numpy(),
        total=one["total"][0].as_py(),
        blocks=one["block"].to_numpy(),
        faults=one["faults"].to_numpy(),
        prototypes=one["prototype"].to_numpy(),
        scores={
            name.removeprefix("score:"): table[name].to_numpy().reshape(len(steps), -1)
            for name in named("score:")
        },
        slices={name.removeprefix("slice:"): one[name].to_numpy() for name in named("slice:")},
        buckets={name.removeprefix("bucket:"): one[name].to_numpy() for name in named("bucket:")},
        embeddings=flat.reshape(len(steps), len(one), -1),
    )


def _sample(total: int, seed: int) -> np.ndarray:
    """At most ``SAMPLE`` ids, ascending, as scattered over the store as chance makes them."""
    if total <= SAMPLE:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, SAMPLE, replace=False))


def _known(windows: Corpus, ids: np.ndarray) -> Columns:
    """Columns that no checkpoint changes."""
    ingest = describe(windows)
    series, starts = windows.locate(ids)
    found = {
        "id": ids,
        "total": np.full(len(ids), len(windows)),
        "block": block_groups(series, starts, BLOCK * windows.length),
        "faults": ingest.faults[ids],
        "prototype": ingest.prototype[ids],
        "score:max-abs-z": ingest.max_abs_z[ids],
        "score:motion": ingest.motion[ids],
        "score:density": ingest.density[ids],
        "score:density-ratio": ingest.density_ratio[ids],
    }
    return (
        found
        | {f"bucket:{name}": codes.astype(np.int32) for name, codes in _buckets(windows, ids)}
        | {f"slice:{name}": inside for name, inside in _slices(windows, ingest, ids).items()}
    )


def _buckets(windows: Corpus, ids: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Every way to group the sample, but those that group it as one before does."""
    seen: list[np.ndarray] = []
    for kind in windows.bucket_kinds:
        if kind == "none" or (kind == "regime" and "regime" not in windows.classes(ids)):
            continue
        codes = windows.buckets(kind)[0][ids]
        groups = np.unique(codes, return_inverse=True)[1]
        if not any(np.array_equal(groups, other) for other in seen):  # one series an entity
            seen.append(groups)
            yield kind, codes


def _slices(windows: Corpus, ingest: Ingest, ids: np.ndarray) -> Columns:
    """Every named slice that the sample holds: as judged, by regime, by fault, by weak regime."""
    found = {name: inside[ids] for name, inside in windows.slices().items()}
    classes = windows.classes(ids)
    for kind, ordinary in (("regime", "unknown"), ("corrupt", "clean")):
        codes, names = classes.get(kind, (np.empty(0), {}))
        found |= {f"{kind}: {n}": codes == code for code, n in names.items() if n != ordinary}
    found |= {f"weak: {n}": ingest.regime[ids] == i for i, n in enumerate(WEAK_REGIMES)}
    return {name: inside for name, inside in found.items() if inside.sum() >= FEWEST}


def _table(known: Columns, step: int, columns: Mapping[str, Any]) -> pa.Table:
    return pa.table({"step": np.full(len(known["id"]), step), **known, **columns})


def _read(out: Path, known: Columns) -> dict[int, pa.Table]:
    """Checkpoints that are logged already, of this very sample and of no other set of scores.

    What no checkpoint changes is taken from ``known``: it may be told better by now.
    """
    if not (out / LOG).exists():
        return {}
    table = pq.read_table(out / LOG)
    scored = [f"score:{name}" for name in SCORED]
    if not {"step", "id", "embedding", *scored} <= set(table.column_names):
        return {}
    rows, done = len(known["id"]), dict[int, pa.Table]()
    for first in range(0, len(table), rows):
        part = table.slice(first, rows)
        if not np.array_equal(part["id"].to_numpy(), known["id"]):
            return {}
        columns = {name: part[name] for name in (*scored, "embedding")}
        done[part["step"][0].as_py()] = _table(known, part["step"][0].as_py(), columns)
    return done


def _write(out: Path, done: dict[int, pa.Table]) -> None:
    table = pa.concat_tables([done[step] for step in sorted(done)])
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / LOG, lambda partial: pq.write_table(table, partial))
