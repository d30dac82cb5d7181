"""Embed every window of a store with the frozen encoder of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data import AnyStore, Clips, ClipStore, Corpus, ScheduleStore, ScheduleWindows
from bandpass.data.schedule.record import UNDATED
from bandpass.data.schedule.store import KINDS
from bandpass.data.schedule.windows import ScheduleCut
from bandpass.models import JEPA
from bandpass.recipes import Recipe, build_windows
from bandpass.runs.run import RunError, open_run
from bandpass.scoring import SlotEncoder
from bandpass.scoring.frozen import POOLINGS, default_pooling, embed_windows
from bandpass.training.atomic import write_whole

CHUNK = 2048

_SERIES = {"series": pa.string(), "start": pa.int64(), "split": pa.string(), "label": pa.int8()}
_CLIPS = {"recording": pa.string(), "start": pa.int64(), "seconds": pa.float64()}
_CLIPS |= {"split": pa.string(), "label": pa.int8(), "class": pa.string()}
_SCHEDULE = dict.fromkeys(("dataset", "kind", "source_id", "actor"), pa.string())
_SCHEDULE |= {"day": pa.date32(), "events": pa.uint16()}


def embed(
    path: Path,
    store: AnyStore,
    out: Path,
    *,
    pooling: str | None = None,
    on_windows: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write a Parquet file with a row per window, its embedding last.

    Of series: series, start, split and label. Of videos: recording, start as a row of the store's
    rate and in seconds, split, label and class, which is null where none is known. Of schedules, of
    which all windows are embedded whatever the cut of the run: dataset, kind, source_id and actor
    (the keyed hashes of the store, as hex), day and events; actor and day are null where there is
    none.

    Args:
        path: The run directory.
        store: Any store with the channels, or the frames, that the run was trained on.
        out: The file to write; it appears when everything is in it.
        pooling: What is taken over the tokens of a window, a name in ``POOLINGS``; if None, what
            `default_pooling` says of the store.
        on_windows: Told how many windows of how many are done.

    Returns:
        The number of rows.

    Raises:
        RunError: If the channels or frames of the store are not those of the run.
    """
    taken = default_pooling(store.modality) if pooling is None else pooling
    if taken not in POOLINGS:
        raise RunError(f"pooling {taken!r} is none of {sorted(POOLINGS)}")
    run = open_run(path)
    trained_on = run.open_store()
    if store.channels != trained_on.channels:
        raise RunError(
            f"{store.path} has {_seen(store)}, {path} was trained on {_seen(trained_on)}: prepare "
            "a store with the same"
        )
    jepa = run.load_jepa(trained_on)
    corpora = _corpora(run.recipe, store)
    width = jepa.settings.encoder.dim * len(taken.split("+"))
    total = sum(len(windows) for windows in corpora)

    def write(partial: Path) -> None:
        done = 0
        with pq.ParquetWriter(partial, _schema(store, width)) as writer:
            for windows in corpora:
                for first in range(0, len(windows), CHUNK):
                    ids = np.arange(first, min(first + CHUNK, len(windows)))
                    writer.write_table(_rows(jepa, windows, ids, taken))
                    done += len(ids)
                    on_windows(done, total)

    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, write)
    return total


def slot_encoder(path: Path) -> SlotEncoder:
    """Open the model of a schedule run for a scheduler.

    Raises:
        RunError: If it is no run, not one on schedules, or has no checkpoint yet.
    """
    run = open_run(path)
    store = run.open_store()
    if not isinstance(store, ScheduleStore):
        raise RunError(f"{path} was trained on {store.modality}: train a schedule recipe instead")
    return SlotEncoder(run.load_jepa(store))


def _seen(store: AnyStore) -> str:
    """What a model sees of a store, for an error."""
    if isinstance(store, ClipStore):
        height, width, colours = store.shape
        return f"frames of {height} x {width} x {colours}"
    return f"the channels {store.channels}"


def _corpora(recipe: Recipe, store: AnyStore) -> list[Corpus]:
    if isinstance(store, ScheduleStore):
        return [ScheduleWindows(store, None, ScheduleCut(timeless=1.0))]
    present = set(store.segments["split"].to_pylist())
    return [build_windows(recipe, store, split) for split in ("train", "test") if split in present]


def _schema(store: AnyStore, width: int) -> pa.Schema:
    known = {"series": _SERIES, "video": _CLIPS, "schedule": _SCHEDULE}[store.modality]
    return pa.schema([*known.items(), ("embedding", pa.list_(pa.float32(), width))])


def _rows(jepa: JEPA, windows: Corpus, ids: np.ndarray, pooling: str) -> pa.Table:
    embeddings = embed_windows(jepa, windows, ids, pooling)
    if isinstance(windows, ScheduleWindows):
        columns = _of_schedule(windows, ids)
    elif isinstance(windows, Clips):
        columns = _of_clips(windows, ids)
    else:
        columns = _of_series(windows, ids)
    flat = pa.array(embeddings.reshape(-1))
    columns["embedding"] = pa.FixedSizeListArray.from_arrays(flat, embeddings.shape[1])
    return pa.table(columns, schema=_schema(windows.store, embeddings.shape[1]))


def _of_series(windows: Corpus, ids: np.ndarray) -> dict[str, Any]:
    series, starts = windows.locate(ids)
    return {
        "series": [windows.store.series_names[place] for place in series],
        "start": starts,
        "split": [windows.split] * len(ids),
        "label": windows.labels(ids),
    }


def _of_clips(clips: Clips, ids: np.ndarray) -> dict[str, Any]:
    columns = _of_series(clips, ids)
    names = [*clips.store.regimes, None]  # -1 is the last
    columns["recording"] = columns.pop("series")
    columns["seconds"] = columns["start"] / clips.store.fps
    columns["class"] = [names[code] for code in clips.regimes(ids)]
    return columns


def _of_schedule(windows: ScheduleWindows, ids: np.ndarray) -> dict[str, Any]:
    about, names = windows.about(ids), windows.store.datasets
    day = pa.array(about["day"], pa.int32(), mask=about["day"] == UNDATED)
    return {
        "dataset": [names[dataset] for dataset in about["dataset"]],
        "kind": [KINDS[kind] for kind in about["kind"]],
        "source_id": [f"{source:016x}" for source in about["id"]],
        "actor": [f"{actor:016x}" if actor else None for actor in about["actor"]],
        "day": day.cast(pa.date32()),
        "events": about["events"],
    }
