"""Numenta Anomaly Benchmark: univariate cloud, IT and other metrics."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bandpass.data.series import DataError, Series, Source, Split
from bandpass.data.sources import _columns, _options, _tables

LAYOUT = """RAW/data/realKnownCause/nyc_taxi.csv[.gz] ...  timestamp,value
RAW/labels/combined_windows.json               {"realKnownCause/nyc_taxi.csv": [[from, to], ...]}
RAW/labels/combined_labels.json                {"realKnownCause/nyc_taxi.csv": [instant, ...]}"""
TYPES = {"timestamp": pa.timestamp("ns"), "value": pa.float32()}
LABEL_FILES = {"windows": "combined_windows.json", "points": "combined_labels.json"}


def read(raw: Path, *, labels: str = "windows") -> Iterator[Series]:
    """Yield one series per file, such as ``realKnownCause/nyc_taxi``, its own entity.

    Args:
        raw: Folder that holds ``data`` and ``labels``.
        labels: ``windows`` labels every row inside the publishers' windows (about 10% of an
            anomalous file, by construction), ``points`` only the labelled instants (true rarity).

    Raises:
        DataError: If files are missing or malformed, or a file has no entry among the labels.
    """
    raw = Path(raw)
    label_path = raw / "labels" / _options.choice("labels", labels, LABEL_FILES)
    spans = _spans(label_path)
    for name, path in _tables.listing(raw / "data", ".csv", layout=LAYOUT).items():
        table = _tables.read_csv(path, types=TYPES)
        values = _columns.matrix(table, ["value"], path)
        time = _columns.clock(table, "timestamp", path)
        if f"{name}.csv" not in spans:
            raise DataError(
                f"{label_path}: no entry {name + '.csv'!r} for {path}; add [] if normal"
            )
        label = np.zeros(len(time), np.int8)
        for start, stop in spans[f"{name}.csv"]:
            inside = (time >= start) & (time <= stop)
            if not inside.any():
                raise DataError(f"{label_path}: a label of {name + '.csv'!r} lies outside {path}")
            label |= inside
        yield Series(name, name, values, label, time=time)


def _spans(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Labelled spans of every file, first and last instant, in ns; an instant spans itself."""
    try:
        entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: [(_ns(s[0]), _ns(s[1])) if isinstance(s, list) else (_ns(s),) * 2 for s in spans]
            for name, spans in entries.items()
        }
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected the layout\n{LAYOUT}") from error
    except (ValueError, AttributeError, TypeError, IndexError) as error:
        raise DataError(f"{path}: not NAB's label format: {error}; download it again") from error


def _ns(instant: str) -> int:
    return int(np.datetime64(instant, "ns").astype(np.int64))


SOURCE = Source(
    name="nab",
    title="Univariate cloud, IT, traffic and other metrics with labelled anomalies",
    licence="MIT",
    home="https://github.com/numenta/NAB",
    layout=LAYOUT,
    channels=("value",),
    regimes=(),
    read=read,
    split=Split(by="time", test_share=0.5, embargo=128),
    options={"labels": "windows (tolerant, default) or points (the labelled instants)"},
)
