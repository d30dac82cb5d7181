"""What whoever measures a video run and whoever reports it must agree on."""

from collections.abc import Iterable, Mapping
from typing import Any

PRETRAINED, RANDOM, RAW_PATCH = "pretrained", "random-init", "raw-patch"
MOTION, MEAN_FRAME, GRID = "motion-energy", "mean-frame", "grid"
"""Encoders of the table: models, then features made by hand."""

TRIVIAL = "motion"
"""The encoder of scores that no probe has a part in: mean absolute frame difference."""

RIVALS = (RANDOM, MOTION, MEAN_FRAME, GRID)
"""Controls that an encoder has to beat; of ``GRID`` the pooling that scores higher."""

SPREAD, PLACE, ATTENTIVE = "mean+std", "place", "attentive"
"""Poolings of tokens: over the clip; cell by cell of the frame; by a learned query."""

PRIMARY = SPREAD
"""The pooling that counts, declared before any confirmation: the one that series are judged by."""

SURPRISE = "surprise"
"""In place of a pooling: frames ranked by latent prediction error, not by an embedding."""

TUBELETS, PIXELS, SUMMARY = "tubelets", "pixels", "summary"
"""Poolings of features made by hand: on the grid of the tokens, on that of pixels, or neither."""

ACTION, SEGMENT = "action", "segment"
SEARCH, WHERE = "segment retrieval", "localisation"
ORDER, ARROW = "event order", "arrow of time"
FRAMES, STATE, TRACK = "frames", "state", "track"
EVENTS = "rare slice, logistic"
"""Tasks; some are followed by ", NAME" of a class or a number, ``TRACK`` by the track."""

_JUDGED_BY = (
    *("macro_f1", "segment_ap", "mean_average_precision", "average_precision"),
    *("accuracy", "auroc", "r2"),
)

Row = Mapping[str, Any]


def headline(task: str, metrics: Iterable[str]) -> str | None:
    """The metric that a task is judged by, of those measured; None if it only describes."""
    measured = set(metrics)
    if task == FRAMES or task.startswith(f"{TRACK} "):
        return "auroc"  # as others report them
    return next((metric for metric in _JUDGED_BY if metric in measured), None)


def counted(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """The rows that count, by task and encoder: in its headline metric, in one pooling of each.

    Models count in the pooling ``PRIMARY``, and by their surprise where frames are ranked;
    features made by hand in the pooling that scores highest.
    """
    by_task: dict[str, list[Row]] = {}
    for row in rows:
        by_task.setdefault(row["task"], []).append(row)
    found: dict[str, dict[str, Row]] = {}
    for task, own in by_task.items():
        metric = headline(task, (row["metric"] for row in own))
        models = SURPRISE if task == FRAMES else PRIMARY
        for row in own:
            hand_made = row["encoder"] not in (PRETRAINED, RANDOM, RAW_PATCH)
            if row["metric"] != metric or not (hand_made or row["pooling"] == models):
                continue
            best = found.setdefault(task, {}).setdefault(row["encoder"], row)
            if row["value"] > best["value"]:
                found[task][row["encoder"]] = row
    return found
