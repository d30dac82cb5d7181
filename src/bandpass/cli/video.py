"""`bandpass prepare video`: with progress, and a table of the recordings."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bandpass.cli.commands import console, say
from bandpass.cli.stages import Stages, stages
from bandpass.data.video import ClipStore, VideoSource
from bandpass.data.video.marks import MARKS
from bandpass.data.video.options import parse
from bandpass.data.video.prepare import Seen, prepare_video
from bandpass.data.video.sources import find, folder

NEEDS_NOTHING = "world"
"""The source that reads no files."""

WIDTH = 132
"""Of the table where there is no terminal to fit into."""

FASTER = 1.05
"""Times the rate of a source that rows may come before frames are held: rates are often rounded."""

LINES = 40
"""Recordings in the table; the store has them all."""


def prepare(
    raw: Path | None,
    store: Path,
    names: Sequence[str],
    pairs: dict[str, str],
    how: tuple[int | None, bool],
) -> None:
    """Decode a source's recordings and print what became of each.

    Args:
        raw: Where its files are.
        store: The store to write.
        names: Of the source: one, or none for a folder of one's own.
        pairs: Options by name, as text.
        how: Number of processes, and whether a store that is there is replaced.
    """
    if len(names) > 1:
        raise typer.BadParameter("prepare video reads one source: give --dataset once")
    source = find(names[0] if names else folder.SOURCE.name)
    if raw is None:
        if source.name != NEEDS_NOTHING:
            raise typer.BadParameter(f"{source.name} reads raw files: say where with --raw DIR")
        raw = store
    workers, overwrite = how
    options = parse(source, pairs, workers=workers, overwrite=overwrite)
    with stages(console) as shown:
        made = prepare_video(source, raw, store, options, lambda seen: show(shown, seen))
    wide = console if console.is_terminal else Console(width=WIDTH)
    wide.print(summary(made))
    seen = folder.remarks(raw, **options.of_source) if source is folder.SOURCE else []
    for note in (*made.manifest["notes"], *seen, *_held(made), *_split_notes(made, source)):
        say(note)
    say(_marked(made))


def _marked(store: ClipStore) -> str:
    """Frames that rules mark, of their signals alone."""
    counts = zip(MARKS, store.marks.sum(axis=0).tolist(), strict=True)
    found = ", ".join(f"{count:,} {name}" for name, count in counts if count)
    return f"frames marked by rule, without labels or a model: {found or 'none'}"


def _held(store: ClipStore) -> list[str]:
    """A note if the rows come faster than the frames of a source do."""
    rates = dict(
        zip(*(store.series[name].to_pylist() for name in ("name", "source_fps")), strict=True)
    )
    slow = {name: rate for name, rate in rates.items() if store.fps > FASTER * rate}
    if not slow:
        return []
    name = min(slow, key=slow.__getitem__)
    more = f" and {len(slow) - 1:,} more" if len(slow) > 1 else ""
    times = f"fps={store.fps:.4g} is {store.fps / slow[name]:.3g} times the source's"
    return [f"{times} {slow[name]:.4g} ({name}{more}): frames are held"]


def _split_notes(store: ClipStore, source: VideoSource) -> list[str]:
    """What the split leaves out, and what to do if nothing is left to train on."""
    by_split = store.manifest["rows_by_split"]
    unused = store.rows - sum(by_split.values())
    between = f"{unused:,} of {store.rows:,} rows lie between the sides of the split or in gaps"
    if by_split.get("train"):
        return [between] if unused else []
    if not unused:
        return ["no row is left to train on: every recording is test; let one of them train"]
    mend = "test=NAMES or longer recordings" if "test" in source.options else "longer recordings"
    return [f"no row is left to train on: {between}; give {mend}"]


def summary(store: ClipStore) -> Table:
    """A line a recording: how long it is, what it was made of and how much of it is missing."""
    height, width, colours = store.shape
    frames = f"{store.rows:,} frames of {height} x {width} x {colours}, {store.fps:.4g} a second"
    table = Table("recording", "split", title=f"store {store.path}: {frames}", box=None)
    table.title_justify = "left"
    for column in ("rows", "seconds", "source fps", "source size", "missing", "events"):
        table.add_column(column, justify="right")
    splits = _splits(store)
    events = Counter(store.events["series"].to_pylist())
    for number, one in enumerate(store.series.slice(0, LINES).to_pylist()):
        size = "-" if one["width"] is None else f"{one['width']} x {one['height']}"
        table.add_row(
            Text(one["name"]),
            "+".join(splits[number]) or "-",
            f"{one['rows']:,}",
            f"{one['rows'] / store.fps:,.1f}",
            f"{one['source_fps']:.4g}",
            size,
            f"{one['missing'] / one['rows']:.1%}" if one["missing"] else "-",
            f"{events[number]:,}",
        )
    if store.series.num_rows > LINES:
        table.add_row(f"... and {store.series.num_rows - LINES:,} more")
    return table


def _splits(store: ClipStore) -> list[list[str]]:
    """Of each recording the splits that it has rows in."""
    found: list[list[str]] = [[] for _ in range(store.series.num_rows)]
    for run in store.segments.to_pylist():
        if run["split"] not in found[run["series"]]:
            found[run["series"]].append(run["split"])
    return found


def show(shown: Stages, seen: Seen) -> None:
    """Show how far the preparation is."""
    shown.note(seen.note)
    name = f"of {seen.total:,} frames" if seen.total else "frames"
    shown.show("decoding", seen.done, seen.total, {name: seen.done})
