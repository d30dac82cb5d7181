"""Embed every window of a store with the frozen encoder of a run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data import Store, Windows
from bandpass.models import JEPA
from bandpass.recipes import Recipe
from bandpass.runs.run import RunError, open_run
from bandpass.scoring.frozen import POOLINGS, embed_windows
from bandpass.training.atomic import write_whole

CHUNK = 2048


def embed(
    path: Path,
    store: Store,
    out: Path,
    *,
    pooling: str = "mean+std",
    on_windows: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write a Parquet file with a row per window: series, start, split, label, embedding.

    Args:
        path: The run directory.
        store: Any store with the channels the run was trained on.
        out: The file to write; it appears when everything is in it.
        pooling: "mean" or "mean+std" over the tokens of a window.
        on_windows: Told how many windows of how many are done.

    Returns:
        The number of rows.

    Raises:
        RunError: If the channels of the store are not those of the run.
    """
    if pooling not in POOLINGS:
        raise RunError(f"pooling {pooling!r} is none of {sorted(POOLINGS)}")
    run = open_run(path)
    trained_on = run.open_store()
    if store.channels != trained_on.channels:
        raise RunError(
            f"{store.path} has the channels {store.channels}, {path} was trained on "
            f"{trained_on.channels}: prepare a store with the same channels"
        )
    jepa = run.load_jepa(trained_on)
    corpora = _splits(run.recipe, store)
    total = sum(len(windows) for windows in corpora)

    def write(partial: Path) -> None:
        done = 0
        with pq.ParquetWriter(partial, _schema(jepa, pooling)) as writer:
            for windows in corpora:
                for first in range(0, len(windows), CHUNK):
                    ids = np.arange(first, min(first + CHUNK, len(windows)))
                    writer.write_table(_rows(jepa, windows, ids, pooling))
                    done += len(ids)
                    on_windows(done, total)

    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, write)
    return total


def _splits(recipe: Recipe, store: Store) -> list[Windows]:
    present = set(store.segments["split"].to_pylist())
    cut = recipe.windows
    return [
        Windows(store, cut.length, cut.stride, split, normalize=cut.normalize)
        for split in ("train", "test")
        if split in present
    ]


def _schema(jepa: JEPA, pooling: str) -> pa.Schema:
    width = jepa.settings.encoder.dim * (2 if pooling == "mean+std" else 1)
    return pa.schema(
        [
            ("series", pa.string()),
            ("start", pa.int64()),
            ("split", pa.string()),
            ("label", pa.int8()),
            ("embedding", pa.list_(pa.float32(), width)),
        ]
    )


def _rows(jepa: JEPA, windows: Windows, ids: np.ndarray, pooling: str) -> pa.Table:
    series, starts = windows.locate(ids)
    embeddings = embed_windows(jepa, windows, ids, pooling)
    flat = pa.array(embeddings.reshape(-1))
    return pa.table(
        {
            "series": [windows.store.series_names[place] for place in series],
            "start": starts,
            "split": [windows.split] * len(ids),
            "label": windows.labels(ids),
            "embedding": pa.FixedSizeListArray.from_arrays(flat, embeddings.shape[1]),
        },
        schema=_schema(jepa, pooling),
    )
