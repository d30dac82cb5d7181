"""Frames of the test side: how well scores without labels find events, and the curve of it."""

from dataclasses import dataclass

import numpy as np

from bandpass.evaluation import block_groups, rare_slice, videos
from bandpass.runs.tasks import Found
from bandpass.runs.video.sample import ACTION, BLOCK, Sample, events_of

RESAMPLES = 300
"""Of the bootstrap: frames are many, and their blocks few."""


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames that the clips of a sample cover.

    Attributes:
        sample: The clips.
        rows: (r,) rows of the store, in order.
        series: (r,) recording of each.
        place: (r,) row relative to it.
        labels: (r,) 1 event, 0 normal, -1 unlabelled.
    """

    sample: Sample
    rows: np.ndarray
    series: np.ndarray
    place: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, sample: Sample) -> "Frames":
        """Look up what is known of them."""
        first, last = sample.rows[:, :1], sample.rows[:, -1:]
        rows = np.unique(first + np.arange(int((last - first).max()) + 1))
        offset = sample.store.series["offset"].to_numpy()
        series = np.searchsorted(offset, rows, side="right") - 1
        labels = sample.store.column("label")[rows].astype(np.int64)
        return cls(sample, rows, series, rows - offset[series], labels)

    def whole(self, scores: np.ndarray) -> np.ndarray:
        """(r,) scores of these frames, of (rows of the store,); gaps are filled from both sides.

        Published figures count every frame, also the first ones, which nothing comes before.
        """
        found = scores[self.rows].astype(np.float64)
        for one in np.unique(self.series):
            own = np.flatnonzero(self.series == one)
            said = own[np.isfinite(found[own])]
            if len(said):
                found[own] = np.interp(self.rows[own], self.rows[said], found[said])
        return found

    def judge(self, scores: np.ndarray, seed: int) -> Found:
        """Rank the frames of all recordings, end to end, by (rows of the store,) scores."""
        if len(np.unique(self.labels[self.labels >= 0])) < 2:
            return
        each = self.whole(scores)
        labels = np.where(np.isfinite(each), self.labels, -1)
        groups = block_groups(self.series, self.place, BLOCK * self.sample.span)
        each = np.nan_to_num(each)
        found = rare_slice(labels, each, groups, seed=seed, resamples=RESAMPLES)
        for metric in ("auroc", "average_precision", "prevalence"):
            yield videos.FRAMES, metric, found[metric]

    def curve(self, surprise: np.ndarray, motion: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of ``surprise.parquet``: all frames of recordings in which anything happens.

        Of all recordings, where nothing is labelled.

        Args:
            surprise: (rows of the store,) NaN where nothing is said.
            motion: (rows of the store,) likewise.
        """
        store = self.sample.store
        eventful = np.unique(self.series[self.labels == 1])
        eventful = np.union1d(eventful, events_of(store, ACTION)[0].recordings)
        inside = np.isin(self.series, eventful if len(eventful) else self.series)
        rows = self.rows[inside]
        return {
            "series": np.array(store.series_names)[self.series[inside]],
            "row": self.place[inside],
            "surprise": surprise[rows],
            "motion": motion[rows],
            "label": self.labels[inside],
            "regime": np.array([*store.regimes, ""])[store.column("regime")[rows]],
        }
