"""Both sides of a split as JSON lines, for tools that read no store."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bandpass.data import AnyStore, ScheduleStore, ScheduleWindows
from bandpass.data.schedule.jsonl import write_windows
from bandpass.data.schedule.windows import ScheduleCut
from bandpass.recipes import Recipe, RecipeError, override
from bandpass.runs.run import RunError

FILES = {"train": "train.jsonl.gz", "test": "val.jsonl.gz"}
"""Of the sides of a split."""


def export_windows(
    store: AnyStore,
    out: Path,
    changes: Sequence[str] = (),
    on_windows: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Path, int]:
    """Write the windows for training and those held out, a gzip file of JSON lines each.

    Args:
        store: A store of schedules.
        out: The folder for ``FILES``, each of which appears when it is whole, in place of the one
            that was there.
        changes: Of `ScheduleCut`, as given on the command line: ``schedule.split=honest``. Unlike
            in training, ``schedule.timeless`` is 1: nothing is left out for being many.
        on_windows: Told how many windows of how many are written.

    Returns:
        The number of windows in each file.

    Raises:
        RunError: If it is a store of series.
        RecipeError: If a change is of anything else than the cut.
        DataError: If a side has no window.
        StoreError: If the disk does not take it.
    """
    if not isinstance(store, ScheduleStore):
        raise RunError(f"{store.path} holds series; only schedules have this form of JSON lines")
    cut = _cut(changes)
    sides = {out / name: ScheduleWindows(store, side, cut) for side, name in FILES.items()}
    total, done = sum(map(len, sides.values())), 0

    def progress(windows: int) -> None:
        nonlocal done
        done += windows
        on_windows(done, total)

    for file, windows in sides.items():
        write_windows(store, windows.rows, file, progress)
    return {file: len(windows) for file, windows in sides.items()}


def _cut(changes: Sequence[str]) -> ScheduleCut:
    plain = Recipe("export", schedule=ScheduleCut(timeless=1.0))
    for change in changes:
        changed = override(plain, [change])
        if replace(changed, schedule=plain.schedule) != plain:
            raise RecipeError(f"{change!r} has no part in an export: it takes schedule.* only")
    return override(plain, changes).schedule
