"""Files that are either whole or absent: written aside, synced, renamed."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data.atomic import sync


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write`` on a temporary name beside ``path``, sync it, then rename it to ``path``."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        write(partial)
        sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync(path.parent)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` as indented JSON."""
    text = json.dumps(content, indent=2, allow_nan=True)
    write_whole(path, lambda partial: partial.write_text(text + "\n"))


def write_table(
    path: Path, content: Sequence[Mapping[str, Any]] | Mapping[str, np.ndarray]
) -> None:
    """Write rows (columns are the keys of the first) or whole columns as Parquet."""
    if isinstance(content, Mapping):
        table = pa.table(dict(content))
    else:
        table = pa.Table.from_pylist(list(content))
    write_whole(path, lambda partial: pq.write_table(table, partial))
