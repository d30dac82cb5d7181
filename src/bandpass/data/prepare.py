"""Raw files to a store, one series in memory at a time."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bandpass.data.atomic import publishing
from bandpass.data.injection import OPTIONS, Injection
from bandpass.data.manifest import read_manifest
from bandpass.data.series import DataError, Source, Split
from bandpass.data.sources import _options
from bandpass.data.store import Store
from bandpass.data.writer import StoreWriter

Progress = Callable[[str, int], None]
"""Called after every series with its name and the rows written so far."""


def prepare(
    source: Source,
    raw: Path | str,
    store: Path | str,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    split: Split | None = None,
    **options: Any,
) -> Store:
    """Read a source and write its store, whole or not at all.

    Rules, each counted in the manifest and named in its ``notes``: infinite values become
    missing; a constant channel is centred, not scaled; a channel that was never observed has mean
    0 and standard deviation 1; rows with duplicate or backward timestamps stay in the order of
    the file; a jump of the clock of more than ``clocks.GAP_STEPS`` median steps ends a run, and no
    window lies across it.

    Args:
        source: What to read.
        raw: Where its raw files are.
        store: The directory to write; it appears when everything is in it.
        overwrite: Replace a store that is there.
        progress: Told of every series.
        split: Replaces the source's rule and the publishers' splits.
        **options: Those of ``source.options`` are passed to ``source.read``; those of
            ``injection.OPTIONS`` say what faults to inject, by default ``source.corrupt``.

    Returns:
        The opened store.

    Raises:
        DataError: If the raw data or an option cannot be used.
        StoreError: If the store cannot be written.
    """
    _check_options(source, options)
    given = {name: value for name, value in options.items() if name in OPTIONS}
    options = {name: value for name, value in options.items() if name not in OPTIONS}
    corrupted = _options.settings(Injection, {"corrupt": source.corrupt} | given)
    store = Path(store).absolute()
    with publishing(store, overwrite=overwrite) as partial:
        writer = StoreWriter(partial, source, source.schema(Path(raw), **options), split)
        try:
            for series in source.read(Path(raw), **options):
                writer.add(corrupted(series))
                if progress is not None:
                    progress(series.name, writer.rows)
            writer.finish(options | given, corrupted.entry())
        finally:
            writer.abandon()
    return Store(store, read_manifest(store))


def _check_options(source: Source, options: dict[str, Any]) -> None:
    known = {**source.options, **OPTIONS}
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {list(known)}"
            raise DataError(f"source {source.name!r} has no option {name!r}: {hint}")
