"""The quarantine list of a run, with the signals themselves, for a person to review."""

import math
from pathlib import Path

import numpy as np

from bandpass.curriculum import Quarantined, SurpriseBand
from bandpass.data import Windows
from bandpass.training.atomic import write_table
from bandpass.training.step import Sampler

DRAWN, CHANNELS = 24, 4


def write_quarantine(run: Path, windows: Windows, sampler: Sampler) -> None:
    """Write ``quarantine.parquet``: every quarantined window, the first few with their signals.

    Args:
        run: The run directory.
        windows: The training windows.
        sampler: Only a surprise band has a quarantine; nothing is written for others.
    """
    held = sampler.quarantine() if isinstance(sampler, SurpriseBand) else []
    rows = []
    for place, entry in enumerate(sorted(held, key=_by_extremity)):
        series, start = windows.locate([entry.id])
        names: list[str] = []
        signals: list[list[float]] = []
        if place < DRAWN:
            values = windows[[entry.id]].values[0].numpy()
            most = np.argsort(-np.abs(values).max(axis=0))[:CHANNELS]
            names = [windows.store.channels[channel] for channel in most]
            signals = [values[:, channel].tolist() for channel in most]
        rows.append(
            {
                "id": entry.id,
                "series": windows.store.series_names[int(series[0])],
                "start": int(start[0]),
                "reason": entry.reason,
                "z": entry.z,
                "visits": entry.visits,
                "channels": names,
                "values": signals,
            }
        )
    if rows:
        write_table(run / "quarantine.parquet", rows)
    else:  # all that an interrupted part of this run held have been released
        (run / "quarantine.parquet").unlink(missing_ok=True)


def _by_extremity(entry: Quarantined) -> tuple[bool, float]:
    """Most extreme first; windows without a finite loss have no z and come last."""
    return math.isnan(entry.z), -entry.z
