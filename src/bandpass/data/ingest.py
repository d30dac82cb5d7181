"""What can be known about windows before any model: cheap features and what follows from them."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from bandpass.data.atomic import replacing
from bandpass.data.clusters import prototypes
from bandpass.data.corpus import Corpus
from bandpass.data.density import densities
from bandpass.data.features import Glance, Projection, glance
from bandpass.data.weak import WEAK_REGIMES, weak_regimes

__all__ = ["WEAK_REGIMES", "Ingest", "describe"]

VERSION = 2
"""Of the numbers; a cache of another version is not read."""

CHUNK_VALUES = 1 << 18
"""Values looked at together: 1 MB, so that every pass after the first finds them in cache."""

SAMPLE = 4096
"""Windows that the scale of the features is taken from."""

Progress = Callable[[float], None]
"""Told the share that is done, from 0 to 1."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ingest:
    """Every window of a cut, described without a model or a label; row i is window id i.

    Attributes:
        features: (n, F) float16, robustly standardised over all entities together; see
            `features.glance` for what they are and `features.Projection` for F, 32 to 256.
        faults: (n,) float32 in [0, 1], suspicion of a sensor fault by input-side rules.
        fault: (n,) uint8 index of the strongest rule, into ``faults.RULES``.
        regime: (n,) uint8 index into ``WEAK_REGIMES``; see `weak.weak_regimes`.
        prototype: (n,) int32 cluster of the features, from 0.
        density: (n,) float32, high where windows are sparse; see `density.Densities`.
        density_ratio: (n,) float32, high where windows are sparse among all and dense among the
            sparse.
        max_abs_z: (n,) float32 largest absolute normalised value, a control without a model.
        motion: (n,) float32 mean absolute step from row to row, another.
    """

    features: np.ndarray
    faults: np.ndarray
    fault: np.ndarray
    regime: np.ndarray
    prototype: np.ndarray
    density: np.ndarray
    density_ratio: np.ndarray
    max_abs_z: np.ndarray
    motion: np.ndarray


def describe(
    windows: Corpus, *, seed: int = 0, progress: Progress | None = None, fresh: bool = False
) -> Ingest:
    """Describe every window of a cut, or read what was found when it was first asked for.

    Kept in one file in STORE/derived, written whole or not at all. Where the store cannot be
    written to, everything is computed at each call; a file that cannot be read is computed again.

    Args:
        windows: The cut.
        seed: Of the banks and of the clusters.
        progress: Told of the share done; never called if the file is there.
        fresh: Whether to compute all again, file or not: to find out what it costs.
    """
    if windows.parts:
        return _joined(
            [describe(p, seed=seed, progress=progress, fresh=fresh) for p in windows.parts]
        )
    path = windows.store.path / "derived" / f"ingest-{_key(windows, seed)}.npz"
    found = None if fresh else _read(path, len(windows))
    if found is None:
        found = _compute(windows, seed, progress or (lambda share: None))
        _write(path, found)
    return found


def _joined(found: list[Ingest]) -> Ingest:
    """Ingests of the parts of a mixed corpus as one: no prototype is shared by two of them.

    Every part is compared with itself alone, so densities are comparable within a part; features
    of a narrower part have zeros behind them.
    """
    width = max(each.features.shape[1] for each in found)
    first = np.cumsum([0, *(int(each.prototype.max()) + 1 for each in found[:-1])])
    columns = {
        field.name: np.concatenate([getattr(each, field.name) for each in found])
        for field in fields(Ingest)
        if field.name not in ("features", "prototype")
    }
    rows = [np.pad(e.features, ((0, 0), (0, width - e.features.shape[1]))) for e in found]
    kinds = [e.prototype + np.int32(start) for e, start in zip(found, first, strict=True)]
    return Ingest(features=np.concatenate(rows), prototype=np.concatenate(kinds), **columns)


def _key(windows: Corpus, seed: int) -> str:
    text = json.dumps([VERSION, windows.store.hash, windows.cut, seed])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path, count: int) -> Ingest | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            # Every array has a checksum in the file.
            found = Ingest(**{field.name: arrays[field.name] for field in fields(Ingest)})
    except FileNotFoundError:
        return None
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        _log.debug("%s cannot be read, computing again: %s", path, error)
        return None
    return found if all(len(array) == count for array in asdict(found).values()) else None


def _write(path: Path, found: Ingest) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, **asdict(found))
    except OSError as error:
        _log.debug("%s cannot be written, computing at each call: %s", path, error)


def _compute(windows: Corpus, seed: int, progress: Progress) -> Ingest:
    count = len(windows)
    entity, sample = windows.entities(), _drawn(count, seed)
    project = Projection(
        _sample(windows, sample), entity[sample], len(windows.store.entity_names), count
    )
    features = np.empty((count, project.width), np.float16)
    marks: dict[str, np.ndarray] = {}
    step = max(CHUNK_VALUES // windows.sketch([0]).values.numel(), 1)
    for first in range(0, count, step):
        ids = np.arange(first, min(first + step, count))
        seen = _look(windows, ids)
        features[ids] = project(seen.raw, entity[ids])
        for name, some in seen.marks.items():
            marks.setdefault(name, np.empty(count, np.float32))[ids] = some.numpy()
        progress(0.5 * (first + len(ids)) / count)
    place = windows.places()
    found = densities(
        features,
        place,
        2 * windows.length,
        seed=seed,
        progress=lambda done, total: progress(0.5 + 0.4 * done / total),
    )
    faults, fault = windows.judge()
    return Ingest(
        features=features,
        faults=faults,
        fault=fault,
        regime=weak_regimes(marks, faults, found.ratio, entity),
        prototype=prototypes(
            features, seed=seed, progress=lambda done: progress(0.9 + 0.1 * done / count)
        ),
        density=found.density,
        density_ratio=found.ratio,
        max_abs_z=marks["max_abs_z"],
        motion=marks["motion"],
    )


def _look(windows: Corpus, ids: np.ndarray) -> Glance:
    batch = windows.sketch(ids)
    return glance(batch.values, batch.observed)


def _drawn(count: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng([seed, count]).permutation(count)[:SAMPLE])


def _sample(windows: Corpus, ids: np.ndarray) -> Glance:
    parts = [_look(windows, some) for some in np.array_split(ids, -(-len(ids) // 64))]
    return Glance(torch.cat([part.raw for part in parts]), parts[0].weight, {})
