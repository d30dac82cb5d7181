"""Retrieval: do the nearest items of other recordings show the same thing?"""

from typing import NamedTuple

import numpy as np

from bandpass.evaluation._arrays import Booleans, Doubles, Floats, Integers, as_features, check_rows
from bandpass.evaluation.statistics import RESAMPLES, Estimate, interval, missing

CUTS = (1, 5)
"""Ranks that recall is given at."""


class Items(NamedTuple):
    """What is searched for, or in.

    Attributes:
        features: Embeddings, (n, d).
        labels: Class of each, (n,); negative ones are unknown and left out.
        recordings: Recording of each, (n,).
    """

    features: Floats
    labels: Integers
    recordings: Integers


def retrieval(
    queries: Items,
    gallery: Items,
    groups: Integers | None = None,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Rank the gallery by cosine similarity to each query; items of the same class are relevant.

    Items of the query's own recording are left out: to know a camera again is no merit. So are
    queries to which nothing in the gallery is relevant. Among equal similarities the irrelevant
    items stand first, so that an encoder which embeds everything alike gains nothing.

    Args:
        queries: What is searched for.
        gallery: What is searched in.
        groups: Of the queries, resampled as wholes, (q,); their recordings if None.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        Estimates ``recall_at_1`` and ``recall_at_5`` (share of queries with a relevant item among
        the first k), ``mean_average_precision`` (precision at each relevant item, averaged over
        these, then over queries) and ``chance``, the mean share of relevant items. NaN with
        count 0 and a note when no query has anything to find.

    Raises:
        ValueError: On shapes that do not match.
    """
    for name, items in (("queries", queries), ("gallery", gallery)):
        check_rows(len(items.features), **{f"{name}.labels": items.labels})
        check_rows(len(items.features), **{f"{name}.recordings": items.recordings})
    check_rows(len(queries.features), groups=groups)
    asked, found = _asked(queries, gallery)
    names = (*(f"recall_at_{k}" for k in CUTS), "mean_average_precision", "chance")
    if not len(found):
        return dict.fromkeys(names, missing("no query has a relevant item in another recording"))
    member = (queries.recordings if groups is None else groups)[asked]

    def statistic(weights: Doubles) -> Doubles:
        return weights @ found / weights.sum(axis=1, keepdims=True)

    low, high = interval(statistic, member, resamples=resamples, seed=seed)
    note = "" if len(np.unique(member)) > 1 else "1 group: no interval"
    value = found.mean(axis=0)
    return {
        name: Estimate(float(value[k]), float(low[k]), float(high[k]), len(found), note)
        for k, name in enumerate(names)
    }


def _asked(queries: Items, gallery: Items) -> tuple[Integers, Doubles]:
    """Rows of the queries that can be answered, and their recalls, average precision, chance."""
    one, other = _unit(queries.features, "queries"), _unit(gallery.features, "gallery")
    if one.shape[1] != other.shape[1]:
        raise ValueError(f"gallery must have {one.shape[1]} columns, got {other.shape}")
    known = gallery.labels >= 0
    asked: list[int] = []
    rows: list[list[float]] = []
    for row in np.flatnonzero(queries.labels >= 0):
        shown = known & (gallery.recordings != queries.recordings[row])
        relevant = gallery.labels[shown] == queries.labels[row]
        if relevant.any():
            asked.append(int(row))
            rows.append(_score(other[shown] @ one[row], relevant))
    return np.array(asked, np.int64), np.array(rows).reshape(len(rows), len(CUTS) + 2)


def _score(similarity: Doubles, relevant: Booleans) -> list[float]:
    # Rounded: equal vectors may differ in the last bit, by where they stand in the product.
    ranked = relevant[np.lexsort((relevant, -similarity.round(12)))]
    at = np.flatnonzero(ranked) + 1
    precision = np.arange(1, len(at) + 1) / at
    recalls = [float(at[0] <= k) for k in CUTS]
    return [*recalls, float(precision.mean()), float(relevant.mean())]


def _unit(features: Floats, name: str) -> Doubles:
    cloud = as_features(features, name)
    length = np.linalg.norm(cloud, axis=1, keepdims=True)
    return cloud / np.where(length > 0, length, 1)
