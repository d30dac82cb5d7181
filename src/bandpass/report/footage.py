"""The frames behind a video run: its store, if that is still there and still the same."""

from pathlib import Path

import numpy as np

from bandpass.data import Clips, ClipStore, DataError, StoreError, open_store
from bandpass.data.video.clips import ClipCut
from bandpass.data.video.marks import MARKS
from bandpass.report.blocks import Block, Cell, Folded, Table, Text
from bandpass.report.tables import Run

MOST_NOTES = 200


def footage(run: Run) -> Clips | str:
    """The training clips of a video run, or a sentence that says why they cannot be shown."""
    path = Path(str(run.recipe.get("store", "")))
    if not path.is_dir():
        return f"The store has gone from {path}, so no frame of it can be shown."
    try:
        store = open_store(path)
        if not isinstance(store, ClipStore) or store.hash != run.recipe.get("store_hash"):
            return f"The store at {path} has changed since this run, so its frames are not shown."
        cut, spacing = run.recipe["windows"], run.recipe["clips"]["spacing"]
        length, stride, normalize = (cut[name] for name in ("length", "stride", "normalize"))
        return Clips(store, length, stride, "train", normalize, ClipCut(spacing))
    except (StoreError, DataError, OSError) as error:
        return hidden(error)


def hidden(error: Exception) -> str:
    """The sentence for frames that are still known of but cannot be read."""
    return f"No frame of the store can be shown: {error}."


def clock(seconds: float) -> str:
    """Seconds as ``m:ss``; hours go on as minutes, as players show them."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def damage(clips: Clips | str) -> list[Block]:
    """Name damaged recordings, fold in what the store notes of its files, and count weak labels."""
    if isinstance(clips, str):
        return [Text(clips)]
    store = clips.store
    table = store.series
    missing, rows = (table[name].to_numpy() for name in ("missing", "rows"))
    worst = np.argsort(-missing / np.maximum(rows, 1), kind="stable")[: np.count_nonzero(missing)]
    blocks: list[Block] = []
    if len(worst):
        body = [
            [Cell(store.series_names[i]), Cell(f"{missing[i]:,}", f"{missing[i] / rows[i]:.1%}")]
            for i in worst.tolist()
        ]
        caption = "Damaged recordings: frames that could not be decoded"
        blocks.append(Table(caption, ("recording", "missing frames"), body))
    else:
        blocks.append(Text("No recording of the store lacks a frame."))
    notes = store.manifest["notes"]
    if notes:
        body = [[Cell(str(i + 1)), Cell(str(note))] for i, note in enumerate(notes[:MOST_NOTES])]
        more = len(notes) - len(body)
        said = f"{more:,} more are in the manifest of the store." if more else ""
        noted = Table("What preparation noted", ("", "note"), body, said)
        blocks.append(Folded(f"Notes of the store ({len(notes):,})", noted))
    return [*blocks, _marks(store)]


def _marks(store: ClipStore) -> Table:
    """How many frames rules mark, of their signals alone."""
    body = [
        [Cell(name), Cell(f"{count:,}", f"{count / store.rows:.1%}")]
        for name, count in zip(MARKS, store.marks.sum(axis=0).tolist(), strict=True)
    ]
    return Table("Frames marked by rule, without labels or a model", ("mark", "frames"), body)
