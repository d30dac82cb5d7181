"""Server Machine Dataset: telemetry of servers, 38 metrics a minute, incidents labelled."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from bandpass.data.series import UNKNOWN_REGIME, UNLABELLED, DataError, Series, Source, Split
from bandpass.data.sources import _columns, _tables

# The publishers do not name the metrics; interpretation_label counts them from 1 as well.
CHANNELS = tuple(f"dim-{i:02d}" for i in range(1, 39))
REGIMES = ("normal", "incident")
LAYOUT = """RAW/train/machine-1-1.txt[.gz]       38 comma-separated numbers a row, no header
RAW/test/machine-1-1.txt[.gz]        the second half of the same record
RAW/test_label/machine-1-1.txt[.gz]  0 or 1 a row of test"""


def read(raw: Path) -> Iterator[Series]:
    """Yield ``machine-X-Y/train`` and ``machine-X-Y/test`` of every machine.

    The publishers presume the train half normal but do not label it, so it stays unlabelled and
    without a regime.

    Raises:
        DataError: If a file is missing or malformed, or labels do not match the rows of test.
    """
    raw = Path(raw)
    for machine, path in _tables.listing(raw / "train", ".txt", layout=LAYOUT).items():
        values = _numbers(path)
        label = np.full(len(values), UNLABELLED, np.int8)
        regime = np.full(len(values), UNKNOWN_REGIME, np.int16)
        yield Series(f"{machine}/train", machine, values, label, regime, split="train")

        path = _tables.plain_or_gzip(raw / "test" / f"{machine}.txt", LAYOUT)
        values = _numbers(path)
        regime = _labels(raw, machine)
        if len(regime) != len(values):
            raise DataError(
                f"{raw / 'test_label' / machine}: {len(regime)} labels for the {len(values)} rows "
                f"of {path}; download both again"
            )
        yield Series(f"{machine}/test", machine, values, regime.astype(np.int8), regime)


def _numbers(path: Path) -> np.ndarray:
    types = dict.fromkeys(CHANNELS, pa.float32())
    return _columns.matrix(_tables.read_csv(path, names=CHANNELS, types=types), CHANNELS, path)


def _labels(raw: Path, machine: str) -> np.ndarray:
    path = _tables.plain_or_gzip(raw / "test_label" / f"{machine}.txt", LAYOUT)
    table = _tables.read_csv(path, names=["label"], types={"label": pa.float32()})
    return _columns.codes(table, "label", path, (0, 1))


SOURCE = Source(
    name="smd",
    title="Server telemetry, 38 metrics a minute, incidents labelled by domain experts",
    licence="MIT",
    home="https://github.com/NetManAIOps/OmniAnomaly (folder ServerMachineDataset)",
    layout=LAYOUT,
    channels=CHANNELS,
    regimes=REGIMES,
    read=read,
    split=Split(by="time", test_share=0.5, embargo=128),
)
