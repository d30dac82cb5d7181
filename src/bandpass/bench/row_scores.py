"""Scores of windows carried over to the rows of series, where every row is labelled by itself."""

import numpy as np

from bandpass.bench.asked import Side
from bandpass.data import Windows
from bandpass.data.subset import Subset
from bandpass.evaluation import auc_pr, vus_pr


def stream_anomalies(side: Side, score: np.ndarray) -> dict[str, float]:
    """Say how well scores of windows find the rows of events.

    A row has the mean score of the windows that cover it. Corrupt windows and those without a
    score cover nothing, as broken rows are neither normal nor an event; rows that nothing covers,
    or without a label, are left out.

    Args:
        side: The windows; as many of its rows are of events as the choice of windows makes it.
        score: (n,) of them, higher is more suspicious.

    Returns:
        "auc_pr", and "vus_pr" with buffers up to the length of a window, see `vus_pr`. Nothing
        where windows are not of series, or their rows lack events or normal operation.
    """
    windows = side.windows.corpus if isinstance(side.windows, Subset) else side.windows
    if not isinstance(windows, Windows):
        return {}
    length, store = windows.length, windows.store
    scored = np.isfinite(score) & ~side.corrupt
    within = side.windows.places(side.ids[scored])[:, None] + np.arange(length)
    rows, which = np.unique(within, return_inverse=True)
    total = np.bincount(which.ravel(), np.repeat(score[scored], length), len(rows))
    mean = total / np.bincount(which.ravel(), minlength=len(rows))
    labels = store.column("label")[rows]
    known = labels >= 0
    rows, mean, labels = rows[known], mean[known], labels[known]
    if len(np.unique(labels)) < 2:
        return {}
    series, start = (store.segments[name].to_numpy() for name in ("series", "start"))
    begins = np.sort(store.series["offset"].to_numpy()[series] + start)
    run = np.searchsorted(begins, rows, side="right")
    apart = (np.diff(rows) != 1) | (np.diff(run) != 0)  # holes, other series, gaps of the clock
    streams = np.append(0, np.cumsum(apart))
    return {"auc_pr": auc_pr(labels, mean), "vus_pr": vus_pr(labels, mean, length, streams)}
