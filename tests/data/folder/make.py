"""Write a user's folder: CSV, gzip and Parquet files of several series each."""

import gzip
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

ROWS = 300


def make(raw: Path, seed: int = 0) -> dict[str, str]:
    generator = np.random.default_rng(seed)
    (raw / "north").mkdir(parents=True)
    first, second, third = (table(generator) for _ in range(3))
    csv.write_csv(first, raw / "a.csv")
    buffer = BytesIO()
    csv.write_csv(second, buffer)
    (raw / "north" / "b.csv.gz").write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    parquet.write_table(third, raw / "north" / "c.parquet")
    return {
        "timestamp": "when",
        "label": "alarm",
        "regime": "mode",
        "series": "batch",
        "entity": "machine",
        "ignore": "comment",
    }


def table(generator: np.random.Generator) -> pa.Table:
    """Two batches, interleaved row by row, of two machines."""
    batch = np.arange(ROWS) % 2
    flow = generator.standard_normal(ROWS).cumsum()
    flow[40:50] = np.nan
    return pa.table(
        {
            "when": np.datetime64("2024-01-01T00:00:00", "ms") + 60_000 * np.arange(ROWS),
            "batch": [f"run-{i}" for i in batch],
            "machine": [f"press-{i}" for i in batch],
            "flow": pa.array(flow, mask=np.isnan(flow)),
            "heat": generator.standard_normal(ROWS).astype(np.float32),
            "count": generator.integers(0, 9, ROWS),
            "mode": [("idle", "run", None)[i] for i in generator.integers(0, 3, ROWS)],
            "alarm": [(0, 0, 1, None)[i] for i in generator.integers(0, 4, ROWS)],
            "comment": ["ok"] * ROWS,
        }
    )
