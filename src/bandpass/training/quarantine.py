"""The quarantine list of a run, with the signals themselves, and what a person decided on it."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bandpass.curriculum import Quarantined, SurpriseBand
from bandpass.data import Corpus
from bandpass.training.atomic import write_json, write_table
from bandpass.training.feed import Sampler

DRAWN, CHANNELS = 24, 4
TABLE, REVIEW = "quarantine.parquet", "released.json"


class ReviewError(RuntimeError):
    """A review that cannot be read; the message names the file and the mend."""


@dataclass(frozen=True)
class Review:
    """What a person decided on quarantined windows; it lies in ``released.json`` of the run.

    Attributes:
        released: Ids that are never held back again.
        banned: Ids that are never drawn again.
    """

    released: frozenset[int] = frozenset()
    banned: frozenset[int] = frozenset()

    def decide(self, *, release: Iterable[int] = (), ban: Iterable[int] = ()) -> "Review":
        """Return the review with more decisions; a later one on a window replaces the earlier."""
        let_go, kept_out = frozenset(release), frozenset(ban)
        return Review((self.released - kept_out) | let_go, (self.banned - let_go) | kept_out)


def read_review(run: Path) -> Review:
    """Read the decisions on a run; none where nobody reviewed it.

    Raises:
        ReviewError: If the file is not as `write_review` leaves it.
    """
    file = run / REVIEW
    if not file.exists():
        return Review()
    try:
        content = json.loads(file.read_text())
        return Review(*(_ids(content[name]) for name in ("released", "banned")))
    except (ValueError, KeyError, TypeError) as error:
        raise ReviewError(
            f'{file} is not {{"released": [ids], "banned": [ids]}} ({error}): mend it, or delete '
            "it to forget every decision"
        ) from error


def write_review(run: Path, review: Review) -> None:
    """Write the decisions; a run that is started or continued in ``run`` follows them."""
    released, banned = sorted(review.released), sorted(review.banned)
    write_json(run / REVIEW, {"released": released, "banned": banned})


def write_quarantine(run: Path, windows: Corpus, sampler: Sampler) -> None:
    """Write ``quarantine.parquet``: every quarantined window, the first few with their signals.

    Args:
        run: The run directory.
        windows: The training windows.
        sampler: Only a surprise band has a quarantine; nothing is written for others.
    """
    held = sampler.quarantine() if isinstance(sampler, SurpriseBand) else []
    if not held:  # all that an interrupted part of this run held have been released
        (run / TABLE).unlink(missing_ok=True)
        return
    held.sort(key=_by_extremity)
    places, starts = windows.locate(np.array([entry.id for entry in held]))
    rows = [
        {
            "id": entry.id,
            "series": windows.store.series_names[series],
            "start": start,
            "reason": entry.reason,
            "z": entry.z,
            "visits": entry.visits,
            "step": entry.step,
            **_signals(windows, entry.id, drawn=place < DRAWN),
        }
        for place, (entry, series, start) in enumerate(
            zip(held, places.tolist(), starts.tolist(), strict=True)
        )
    ]
    write_table(run / TABLE, rows)


def _signals(windows: Corpus, window: int, *, drawn: bool) -> dict[str, Any]:
    """Loudest channel of a window; with its few loudest ones, whole, if it is to be drawn."""
    names, values = windows.look(window)
    most = np.argsort(-np.abs(values).max(axis=0), kind="stable")[:CHANNELS]
    shown = most if drawn else most[:0]
    return {
        "channel": names[most[0]],
        "channels": [names[channel] for channel in shown],
        "values": [values[:, channel].tolist() for channel in shown],
    }


def _ids(found: Any) -> frozenset[int]:
    if not isinstance(found, list) or not all(type(each) is int and each >= 0 for each in found):
        raise TypeError(f"{found!r} is no list of window ids")
    return frozenset(found)


def _by_extremity(entry: Quarantined) -> tuple[bool, float]:
    """Most extreme first; windows without a finite loss have no z and come last."""
    return math.isnan(entry.z), -entry.z
