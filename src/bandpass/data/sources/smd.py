"""Server Machine Dataset: telemetry of servers, 38 metrics a minute, incidents labelled."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pyarrow as pa

from bandpass.data.series import UNKNOWN_REGIME, UNLABELLED, DataError, Series, Source, Split
from bandpass.data.sources import _columns, _options, _tables
from bandpass.data.splits import segments

# The publishers do not name the metrics; interpretation_label counts them from 1 as well.
CHANNELS = tuple(f"dim-{i:02d}" for i in range(1, 39))
REGIMES = ("normal", "incident")
LAYOUT = """RAW/train/machine-1-1.txt[.gz]       38 comma-separated numbers a row, no header
RAW/test/machine-1-1.txt[.gz]        the second half of the same record
RAW/test_label/machine-1-1.txt[.gz]  0 or 1 a row of test"""
SPLIT = Split(by="time", test_share=0.5, embargo=128)
STRETCH = 512
"""Rows of a stretch of the rare machine: a few windows that overlap, from one part of its days."""


@dataclass(frozen=True)
class Machines:
    """Which machines to read.

    Attributes:
        machines: Names, separated by commas; all that are there if empty.
        rare: A machine of which train gets just enough rows; it need not be among the others.
        rare_share: Share of the train rows that are of it.
    """

    machines: str = ""
    rare: str = ""
    rare_share: float = 0.02

    def __post_init__(self) -> None:
        if not 0 < self.rare_share < 1:
            raise DataError(f"option rare_share={self.rare_share}: must be between 0 and 1")

    def usual(self, there: list[str]) -> list[str]:
        """Those to read whole.

        Raises:
            DataError: If a named machine is not there; names the nearest that is.
        """
        named = [name for name in self.machines.split(",") if name]
        for name in (*named, *([self.rare] if self.rare else [])):
            if name not in there:
                near = get_close_matches(name, there, n=1, cutoff=0.0)[0]
                raise DataError(f"no machine {name!r}: the nearest of {len(there)} is {near!r}")
        return [name for name in named or there if name != self.rare]


def read(raw: Path, **options: object) -> Iterator[Series]:
    """Yield ``machine-X-Y/train`` and ``machine-X-Y/test`` of every machine.

    The publishers presume the train half normal but do not label it, so it stays unlabelled and
    without a regime.

    A rare machine comes last: of its train half only stretches of ``STRETCH`` rows, evenly spread,
    each a series ``machine-X-Y/train/0`` and so on; its test half whole, and all of it in test.

    Args:
        raw: Folder that holds ``train``, ``test`` and ``test_label``.
        **options: Fields of ``Machines``.

    Raises:
        DataError: If a file is missing or malformed, labels do not match the rows of test, or an
            option names a machine that is not there.
    """
    raw, chosen = Path(raw), _options.settings(Machines, options)
    paths = _tables.listing(raw / "train", ".txt", layout=LAYOUT)
    rows = 0
    for machine in chosen.usual(list(paths)):
        values = _numbers(paths[machine])
        yield _train(f"{machine}/train", machine, values)
        test = _test(raw, machine)
        yield test
        last_train = segments(len(test.values), SPLIT, test.name, machine)[0][2]
        rows += len(values) + last_train
    if chosen.rare:
        wanted = round(rows * chosen.rare_share / (1 - chosen.rare_share))
        values = _numbers(paths[chosen.rare])
        for i, some in enumerate(stretches(len(values), wanted)):
            part = _train(f"{chosen.rare}/train/{i}", chosen.rare, values[some])
            yield replace(part, rare=True)
        yield replace(_test(raw, chosen.rare), split="test", rare=True)


def stretches(rows: int, wanted: int) -> list[slice]:
    """Stretches of ``STRETCH`` rows, the last one shorter, that are spread evenly over ``rows``.

    Raises:
        DataError: If there are fewer rows than wanted.
    """
    if wanted > rows:
        raise DataError(f"option rare_share asks for {wanted} rows of a machine that has {rows}")
    starts = np.linspace(0, rows, -(-wanted // STRETCH), endpoint=False).astype(int).tolist()
    return [
        slice(start, start + min(STRETCH, wanted - i * STRETCH)) for i, start in enumerate(starts)
    ]


def _train(name: str, machine: str, values: np.ndarray) -> Series:
    label = np.full(len(values), UNLABELLED, np.int8)
    regime = np.full(len(values), UNKNOWN_REGIME, np.int16)
    return Series(name, machine, values, label, regime, split="train")


def _test(raw: Path, machine: str) -> Series:
    path = _tables.plain_or_gzip(raw / "test" / f"{machine}.txt", LAYOUT)
    values, regime = _numbers(path), _labels(raw, machine)
    if len(regime) != len(values):
        raise DataError(
            f"{raw / 'test_label' / machine}: {len(regime)} labels for the {len(values)} rows "
            f"of {path}; download both again"
        )
    return Series(f"{machine}/test", machine, values, regime.astype(np.int8), regime)


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
    split=SPLIT,
    options={
        "machines": "machines to read, separated by commas (all)",
        "rare": "machine of which train gets few rows, to be counted as rare (none)",
        "rare_share": "share of the train rows that are of the rare machine (0.02)",
    },
)
