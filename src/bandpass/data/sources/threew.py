"""3W (2019 edition): oil wells, 8 sensors a second, normal, transient and fault regimes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from bandpass.data.series import EVENT, NORMAL, UNLABELLED, Series, Source, Split
from bandpass.data.sources import _columns, _options, _tables

CHANNELS = (
    "P-PDG",
    "P-TPT",
    "T-TPT",
    "P-MON-CKP",
    "T-JUS-CKP",
    "P-JUS-CKGL",
    "T-JUS-CKGL",
    "QGL",
)
# `class` in the files: 0 normal, k the steady fault of event type k, 100 + k its transient.
# Types 3 and 4 have no transient.
CLASSES = (0, 101, 1, 102, 2, 3, 4, 105, 5, 106, 6, 107, 7, 108, 8)
REGIMES = tuple(
    "normal" if c == 0 else f"transient {c - 100}" if c > 100 else f"fault {c}" for c in CLASSES
)
TYPES = dict.fromkeys((*CHANNELS, "class"), pa.float32()) | {"timestamp": pa.timestamp("ns")}
LAYOUT = """RAW/data/2/WELL-00011_20140515110134.csv[.gz] ...  folder: event type; file: episode
  timestamp,P-PDG,P-TPT,T-TPT,P-MON-CKP,T-JUS-CKP,P-JUS-CKGL,T-JUS-CKGL,QGL,class"""

# No split is published. Whole wells, because files of one well are near-duplicates; these five
# leave train a well of every event type that has more than one.
TEST = frozenset({"WELL-00001", "WELL-00002", "WELL-00003", "WELL-00009", "WELL-00012"})


def read(raw: Path, *, augment: bool | str = True) -> Iterator[Series]:
    """Yield one series per episode, such as ``2/WELL-00011_20140515110134``.

    The event of this source is the regime change: see ``regime_changes``.

    Args:
        raw: Folder that holds ``data``.
        augment: Include ``SIMULATED`` and ``DRAWN`` episodes, always in train.

    Raises:
        DataError: If files are missing or malformed, or a class is unknown.
    """
    augment = _options.flag("augment", augment)
    for name, path in _tables.listing(Path(raw) / "data", ".csv", layout=LAYOUT).items():
        entity = name.split("/")[-1].split("_")[0]
        real = entity.startswith("WELL-")
        if not (real or augment):
            continue
        table = _tables.read_csv(path, types=TYPES)
        regime = _regimes(_columns.codes(table, "class", path, CLASSES))
        yield Series(
            name,
            entity,
            _columns.matrix(table, CHANNELS, path),
            regime_changes(regime),
            regime,
            time=_columns.clock(table, "timestamp", path),
            split=None if real else "train",
        )


def _regimes(classes: np.ndarray) -> np.ndarray:
    code = np.full(max(CLASSES) + 2, -1, np.int16)  # the last slot is that of class -1, unknown
    code[list(CLASSES)] = np.arange(len(CLASSES))
    return code[classes]


def regime_changes(regime: np.ndarray) -> np.ndarray:
    """Label the rows where one known regime gives way to another.

    The publishers leave ``class`` empty between two regimes: those rows are the event, not missing
    data. Where two regimes meet without a gap, the first row of the second is the event. Empty
    rows that lie between equal regimes, or at an end of the file, stay unlabelled.

    Args:
        regime: (rows,) int16, -1 where the class is empty.

    Returns:
        (rows,) int8 label.
    """
    label = np.where(regime < 0, UNLABELLED, NORMAL).astype(np.int8)
    known = np.flatnonzero(regime >= 0)
    changed = np.flatnonzero(np.diff(regime[known]))
    for before, after in zip(known[changed], known[changed + 1], strict=True):
        label[before + 1 : max(before + 2, after)] = EVENT
    return label


SOURCE = Source(
    name="3w",
    title="Oil wells, 8 sensors a second, normal, transient and fault regimes, many missing values",
    licence="MIT",
    home="https://github.com/ricardovvargas/3w_dataset",
    layout=LAYOUT,
    channels=CHANNELS,
    regimes=REGIMES,
    read=read,
    split=Split(by="entity", test=TEST),
    options={"augment": "true (default) adds the SIMULATED and DRAWN episodes to train"},
)
