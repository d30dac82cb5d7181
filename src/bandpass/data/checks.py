"""What a series must be before it is written; the message names the series and the mend."""

from collections.abc import Sequence

import numpy as np

from bandpass.data.corruption import KINDS
from bandpass.data.series import UNKNOWN_REGIME, UNLABELLED, DataError, Schema, Series

NO_TIME = np.iinfo(np.int64).min
"""Numpy's not-a-time; a store holds it where a series has no clock."""


def check_series(series: Series, schema: Schema) -> None:
    """Check that the arrays of a series fit each other and the names of its source.

    Raises:
        DataError: If they do not.
    """
    where, values = f"series {series.name!r}", series.values
    if values.ndim != 2:
        raise DataError(f"{where}: values must be (rows, channels), got shape {values.shape}")
    if values.shape[1] != len(schema.channels):
        raise DataError(
            f"{where} has {values.shape[1]} channels, its source names {len(schema.channels)}: "
            f"{', '.join(schema.channels)}"
        )
    _check_rows(where, series)
    _check_codes(where, "label", series.label, UNLABELLED, ["normal", "event"])
    _check_codes(where, "regime", series.regime, UNKNOWN_REGIME, schema.regimes)
    _check_codes(where, "corrupt", series.corrupt, 0, ["clean", *KINDS])
    if series.time is not None and (series.time == NO_TIME).any():
        row = int(np.argmax(series.time == NO_TIME))
        raise DataError(f"{where}: row {row} has no timestamp: drop the row or give it one")


def _check_rows(where: str, series: Series) -> None:
    columns = {
        "label": series.label,
        "regime": series.regime,
        "corrupt": series.corrupt,
        "time": series.time,
        "state": series.state,
    }
    for name, column in columns.items():
        if column is not None and len(column) != len(series.values):
            raise DataError(
                f"{where}: {name} has {len(column)} rows, values has {len(series.values)}"
            )


def _check_codes(
    where: str, name: str, codes: np.ndarray | None, lowest: int, names: Sequence[str]
) -> None:
    if codes is None or not len(codes):
        return
    if codes.min() < lowest or codes.max() >= len(names):
        bad = codes[(codes < lowest) | (codes >= len(names))][0]
        raise DataError(
            f"{where}: {name} code {bad} is not in {lowest} .. {len(names) - 1} "
            f"({', '.join(names) or 'no names given'})"
        )
