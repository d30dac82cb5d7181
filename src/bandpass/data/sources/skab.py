"""Skoltech Anomaly Benchmark: one water-circulation rig, 8 sensors a second."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from bandpass.data.series import NORMAL, DataError, Series, Source, Split
from bandpass.data.sources import _columns, _tables

CHANNELS = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
)
REGIMES = ("normal", "valve1", "valve2", "other")
FREE = "anomaly-free"
TYPES = dict.fromkeys(CHANNELS, pa.float32()) | {"datetime": pa.timestamp("ns")}
LAYOUT = """RAW/anomaly-free/anomaly-free.csv[.gz]  datetime;<8 sensors>, all normal
RAW/valve1/0.csv[.gz] ... RAW/valve2/ ... RAW/other/ ...
                                        datetime;<8 sensors>;anomaly;changepoint"""

# The publishers fix no split by file: two in five of every group, and of `other` one or more of
# the leaks (1-4), rotor imbalances (5-9), water levels (10-11) and cavitations (12-13). The one
# hot-water run (14) stays in train.
TEST = frozenset(
    {f"valve1/{i}" for i in (1, 4, 7, 10, 13, 15)}
    | {f"valve2/{i}" for i in (1, 3)}
    | {f"other/{i}" for i in (2, 4, 6, 8, 11, 13)}
)


def read(raw: Path) -> Iterator[Series]:
    """Yield one series per experiment, such as ``valve1/0``, each an entity of its own.

    All are of one rig, but its operating point differs from day to day far more than an anomaly
    moves it: an experiment is normalised by its own rows. The label is the publishers'
    ``anomaly``; the regime of an anomalous row is the group of its file. Gaps of the clock (up to
    minutes) are kept as read.

    Raises:
        DataError: If files are missing or malformed.
    """
    for name, path in _tables.listing(Path(raw), ".csv", layout=LAYOUT).items():
        group = name.split("/")[0]
        if group not in (FREE, *REGIMES[1:]):
            raise DataError(f"{path}: {group!r} is no group of SKAB; expected the layout\n{LAYOUT}")
        table = _tables.read_csv(path, delimiter=";", types=TYPES)
        values = _columns.matrix(table, CHANNELS, path)
        if group == FREE:
            label = np.full(len(values), NORMAL, np.int8)
            regime = np.zeros(len(values), np.int16)
        else:
            label = _columns.codes(table, "anomaly", path, (0, 1)).astype(np.int8)
            regime = np.where(label > 0, REGIMES.index(group), label).astype(np.int16)
        time = _columns.clock(table, "datetime", path)
        yield Series(name, name, values, label, regime, time=time)


SOURCE = Source(
    name="skab",
    title="Water-circulation testbed, 8 sensors a second, valve and other faults",
    licence="GPL-3.0",
    home="https://github.com/waico/SKAB (folder data)",
    layout=LAYOUT,
    channels=CHANNELS,
    regimes=REGIMES,
    read=read,
    split=Split(by="series", test=TEST),
)
