"""A run directory as the training, curriculum and evaluation parts write it, from a seed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandpass.data.series import Split
from bandpass.data.video.recording import Decoded, Event, Frames, Recording, VideoSource
from bandpass.data.video.signals import signals
from bandpass.data.video.store import ClipStore
from bandpass.data.video.writer import ClipWriter

STEPS = np.arange(20, 2001, 20)
REGIMES = {"normal": 0.86, "load-change": 0.08, "recovery": 0.03, "build-up": 0.02, "failure": 0.01}
PULL = {"load-change": 1.4, "recovery": 2.0, "build-up": 3.0, "failure": 4.0}
FAULTS = {"clean": 0.95, "spike": 0.02, "stuck": 0.02, "dropout": 0.01}
CONTROLS = (("pretrained", 0.12), ("random-init", 0.0), ("raw-features", 0.05), ("raw-patch", 0.13))


def _metrics(rng: np.random.Generator, banded: bool) -> dict:
    """Curves that fall and settle, with one collapse warning early on."""
    n, t = len(STEPS), STEPS / STEPS[-1]
    prediction = 0.35 + 0.6 * np.exp(-5 * t) + 0.02 * rng.standard_normal(n)
    grounding = 0.2 + 0.5 * np.exp(-4 * t) + 0.01 * rng.standard_normal(n)
    position = 0.05 + 0.55 * np.exp(-((t - 0.1) ** 2) / 0.002) + 0.01 * rng.standard_normal(n)
    table = {
        "step": STEPS,
        "fraction": t,
        "loss": prediction + grounding,
        "prediction": prediction,
        "grounding": grounding,
        "regulariser": np.zeros(n),
        "lr": 2e-3 * np.cos(1.5 * t),
        "momentum": 0.996 + 0.004 * t,
        "grad_norm": 0.6 + 0.2 * rng.random(n),
        "windows_per_s": 1800 + 100 * rng.standard_normal(n),
        "seconds": 1.4 * np.arange(1, n + 1),
        "collapse_position": position,
        "collapse_sample": 0.3 + 0.02 * rng.standard_normal(n),
        "collapse_scale": 0.4 * t,
        "rank": 20 - 6 * np.exp(-6 * t) + 0.3 * rng.standard_normal(n),
        "warning": [
            f"collapse: tokens are nearly the same (position {p:.2f})" if p > 0.5 else None
            for p in position
        ],
    }
    if banded:
        ess = np.where((t < 0.1) | (t > 0.9), 1.0, 0.5)
        table |= {"lambda_": 4 * (1 - ess), "ess": ess, "quarantined": np.floor(9 * t)}
    return table


def _slots(rng: np.random.Generator, banded: bool) -> dict:
    table = {"step": [], "kind": [], "name": [], "drawn": [], "natural": []}
    for kind, natural in (
        ("regime", REGIMES),
        ("label", {"normal": 0.9, "event": 0.03, "unlabelled": 0.07}),
        ("corrupt", FAULTS),
    ):
        pull = np.array([PULL.get(name, 1.0) if banded else 1.0 for name in natural])
        p = np.array(list(natural.values())) * pull
        drawn = rng.multinomial(64 * 20, p / p.sum(), size=len(STEPS)).cumsum(axis=0)
        for step, counts in zip(STEPS, drawn, strict=True):
            table["step"] += [step] * len(natural)
            table["kind"] += [kind] * len(natural)
            table["name"] += list(natural)
            table["drawn"] += counts.tolist()
            table["natural"] += list(natural.values())
    return table


def _band(buckets: int) -> dict:
    """Scores sink with training; the upper half but for the extreme tail is selected."""
    scores = np.linspace(-6, 4, 90)
    parts = []
    for bucket in range(buckets):
        for step in STEPS[::4]:
            centre = -0.5 - 2.5 * (1 - np.exp(-3 * step / STEPS[-1])) + 0.4 * bucket
            mass = np.exp(-0.5 * ((scores - centre) / 0.7) ** 2)
            mass += 0.04 * np.exp(-0.5 * ((scores - centre - 3) / 0.5) ** 2)
            mass /= mass.sum()
            u = np.cumsum(mass)
            weight = np.where(u < 0.5, 0.2, np.exp(3 * (u - 0.5)))
            weight[scores > centre + 4] = 0.05
            n = len(scores)
            parts.append((np.full(n, step), np.full(n, bucket), scores, mass, weight))
    names = ("step", "bucket", "score", "mass", "weight")
    columns = (np.concatenate(part) for part in zip(*parts, strict=True))
    return dict(zip(names, columns, strict=True))


def _quarantine(rng: np.random.Generator) -> dict:
    n, t = 21, np.arange(64)
    values = []
    for i in range(n):
        signal = np.sin(t / (4 + i % 5))[None] + 0.1 * rng.standard_normal((3, 64))
        signal[0, 20 + i : 26 + i] += 9
        signal = signal.tolist()
        signal[1][10:14] = [None] * 4  # missing values stay missing
        values.append(signal)
    return {
        "id": rng.integers(0, 90_000, n),
        "series": [f"plant-{i % 4}/run-{i}" for i in range(n)],
        "start": rng.integers(0, 5000, n) * 16,
        "reason": ["extreme", "repeated-extreme", "not finite"] * 7,
        "z": np.where(np.arange(n) % 3 == 2, np.nan, 8 + 10 * rng.random(n)),
        "visits": rng.integers(1, 6, n),
        "channels": [["pressure", "flow", "temperature-at-the-outlet"]] * n,
        "values": values,
    }


def _evaluation() -> dict:
    tasks = {
        "events": {"average_precision": 0.55, "auroc": 0.8, "brier": 0.1},
        "regimes": {"macro_f1": 0.6, "accuracy": 0.75},
        "geometry": {"effective_rank": 18.0},
    }
    table = {k: [] for k in ("encoder pooling task metric value low high count".split())}
    for task, metrics in tasks.items():
        for metric, base in metrics.items():
            for encoder, gain in CONTROLS:
                for pooling in ("mean", "mean+std"):
                    value = base + (gain if task == "regimes" else gain / 6)
                    value -= 0.02 * (pooling == "mean")
                    wide = np.nan if task == "geometry" else 0.02
                    row = (encoder, pooling, task, metric, value, value - wide, value + wide, 4096)
                    for column, entry in zip(table.values(), row, strict=True):
                        column.append(entry)
    return table


def _map(rng: np.random.Generator) -> dict:
    parts = {"encoder": [], "id": [], "x": [], "y": [], "regime": []}
    n = 2400
    regime = rng.choice(list(REGIMES), n, p=list(REGIMES.values()))
    place = {name: 5 * np.array([np.cos(i), np.sin(i)]) for i, name in enumerate(REGIMES)}
    for encoder, spread in (("pretrained", 1.2), ("random-init", 4.0)):
        xy = np.stack([place[name] for name in regime]) + spread * rng.standard_normal((n, 2))
        parts["encoder"] += [encoder] * n
        parts["id"] += list(range(n))
        parts["x"] += xy[:, 0].tolist()
        parts["y"] += xy[:, 1].tolist()
        parts["regime"] += regime.tolist()
    return parts


def _enrichment(rng: np.random.Generator) -> dict:
    """Two model scores and a control over three checkpoints; the last score finds the rare."""
    names = "step score normalisation slice natural count auroc low high".split()
    tops = ["top10", "top20", "top30", "top10_low", "top10_high"]
    table: dict[str, list] = {name: [] for name in [*names, *tops]}
    natural = {"rare": 0.02, "corrupt": 0.04, "normal": 0.94, "weak: transition": 0.1}
    for step in (0, 1000, 2000):
        for score, gain in (("loss", 0.05), ("residual-max", 0.3), ("max-abs-z", 0.2)):
            for within in ("none", "entity"):
                for slice_, share in natural.items():
                    auroc = 0.5 + gain * (slice_ in ("rare", "corrupt")) * step / 2000
                    top = 1 + 20 * (auroc - 0.5) - 0.5 * (within == "entity") + 0.01 * rng.random()
                    row = (
                        step,
                        score,
                        within,
                        slice_,
                        share,
                        40,
                        auroc,
                        auroc - 0.08,
                        auroc + 0.08,
                    )
                    row += (top, 0.8 * top, 0.7 * top, 0.7 * top, 1.3 * top)
                    for column, entry in zip(table.values(), row, strict=True):
                        column.append(entry)
    return table


def _shares() -> dict:
    """The gate keeps corrupt windows out, and `two-level` on one score brings rare ones in."""
    natural = {"rare": 0.02, "corrupt": 0.04, "normal": 0.94}
    lifts = {("uniform", False): 1.0, ("hard-only", False): 3.5, ("two-level", False): 4.5}
    lifts[("two-level", True)] = 4.2
    rows = []
    for (policy, gate), lift in lifts.items():
        for score in ("none",) if policy == "uniform" else ("loss", "residual-max"):
            rare = lift if score == "residual-max" else min(lift, 1.05)
            share = {"rare": rare, "corrupt": 0.5 if gate else lift, "normal": 0.9}
            about = {"policy": policy, "gate": gate, "score": score, "normalisation": "none"}
            rows += [
                about
                | {"group": group, "natural": of, "share": of * share[group], "ess": 0.3}
                | {"shuffled_low": 0.5 * of, "shuffled_high": 1.5 * of}
                for group, of in natural.items()
            ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _write_table(run: Path, name: str, columns: dict) -> None:
    pq.write_table(pa.table(columns), run / f"{name}.parquet")


@pytest.fixture(scope="session")
def write_table() -> Callable[[Path, str, dict], None]:
    """``write_table(run, name, columns)`` puts a table in place of the run's own."""
    return _write_table


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    """``make_run(path, banded=True, buckets=1)`` writes a finished, evaluated, enriched run."""

    def make(path: Path, *, banded: bool = True, buckets: int = 1, seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        path.mkdir(parents=True)
        recipe = {
            "name": path.name,
            "store": "stores/plant",
            "store_hash": "9f2c41d0",
            "train": {"steps": 2000, "batch": 64, "lr": 2e-3, "masks": ["span", "future"]},
            "curriculum": {"kind": "band" if banded else "uniform", "floor": 0.25},
        }
        environment = {
            "python": "3.11.9",
            "torch": "2.13.0",
            "threads": 2,
            "flops_per_step": 5_000_000,
        }
        (path / "recipe.json").write_text(json.dumps(recipe))
        (path / "environment.json").write_text(json.dumps(environment))
        _write_table(path, "metrics", _metrics(rng, banded))
        _write_table(path, "slots", _slots(rng, banded))
        _write_table(path, "evaluation", _evaluation())
        _write_table(path, "map", _map(rng))
        _write_table(path, "enrichment", _enrichment(rng))
        _write_table(path, "shares", _shares())
        if banded:
            _write_table(path, "band", _band(buckets))
            _write_table(path, "quarantine", _quarantine(rng))
        return path

    return make


FPS, SIZE, ROWS = 8.0, (16, 24), 240
FROZEN, GONE = (96, 128), (160, 163)
"""Rows of the first recording that repeat a frame, and that could not be decoded."""

CLIPS = 118
HELD = (26, 40)


def _recording(number: int, writer: ClipWriter) -> None:
    """A square that walks along a wall, and falls at the 10th and the 20th second."""
    rng = np.random.default_rng(number)
    frames = rng.normal(100, 3, (ROWS, *SIZE, 1))
    for row in range(ROWS):
        down = 8 if row % 80 >= 72 else 2
        frames[row, down : down + 5, row % 18 : row % 18 + 5] = 220
    frames = frames.clip(0, 255).astype(np.uint8)
    missing = np.zeros(ROWS, bool)
    notes = []
    if number == 0:
        frames[slice(*FROZEN)] = frames[FROZEN[0]]
        missing[slice(*GONE)] = True
        notes = ["3 frames could not be decoded"]
    frames[missing] = 0
    events = [Event(start, start + 9, "walk") for start in (0, 10, 20)]
    events += [Event(start - 1, start, "fall") for start in (10, 20, 30)]
    split = "test" if number > 1 else "train"
    media = Frames(lambda: np.empty(0, np.uint8), FPS)
    recording = Recording(f"take-{number}", "wall", media, tuple(events), split=split)
    decoded = Decoded(frames, missing, np.arange(ROWS), FPS, {"notes": notes})
    writer.add(recording, decoded, signals(frames, missing, FPS))


@pytest.fixture(scope="session")
def video_store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """Two recordings to train on, the first of them damaged, and one to test on."""
    path = tmp_path_factory.mktemp("video") / "store"
    path.mkdir()
    words = ("wall", "A wall.", "none", "none", "none")
    own = {"size": SIZE, "fps": FPS, "rare": frozenset({"fall"}), "split": Split(by="series")}
    writer = ClipWriter(path, VideoSource(*words, lambda raw: iter(()), **own), FPS, (*SIZE, 1))
    for number in range(3):
        _recording(number, writer)
    writer.finish({}, [])
    return ClipStore(path, json.loads((path / "manifest.json").read_text()))


def _video_probes() -> dict:
    """Two questions; on actions the pretrained encoder beats all, on states the grid is better."""
    names = "encoder pooling task metric value low high count".split()
    table: dict[str, list] = {name: [] for name in names}
    values = {
        ("pretrained", "mean+std"): (0.8, 0.5),
        ("pretrained", "place"): (0.6, 0.4),
        ("random-init", "mean+std"): (0.5, 0.3),
        ("raw-patch", "mean+std"): (0.6, 0.4),
        ("motion-energy", "summary"): (0.3, 0.2),
        ("mean-frame", "pixels"): (0.4, 0.1),
        ("grid", "tubelets"): (0.4, 0.6),
        ("grid", "pixels"): (0.6, 0.7),
    }
    for task, metric, place in (("state", "r2", 1), ("action", "macro_f1", 0)):
        for (encoder, pooling), found in values.items():
            value = found[place]
            row = (encoder, pooling, task, metric, value, value - 0.05, value + 0.05, 400)
            for column, entry in zip(table.values(), row, strict=True):
                column.append(entry)
    return table


def _curve() -> dict:
    """Surprise along the test recording, twice as high where it falls; the other has no event."""
    row = np.tile(np.arange(ROWS), 2)
    series = np.repeat(["take-2", "take-3"], ROWS)
    label = ((row % 80 >= 72) & (series == "take-2")).astype(int)
    return {
        "series": series.tolist(),
        "row": row,
        "surprise": np.where(row < 4, np.nan, 1.0 + label),
        "motion": 5.0 + 0.01 * row,
        "label": label,
        "regime": np.where(label == 1, "fall", np.where(series == "take-2", "walk", "")).tolist(),
    }


def _clips(count: int) -> dict:
    """Motion grows with the id; every tenth clip is rare."""
    ids = np.arange(count)
    return {
        "motion": 0.1 * ids,
        "decile": 10 * ids // count,
        "rare": ids % 10 == 3,
        "corrupt": np.zeros(count, bool),
    }


@pytest.fixture(scope="session")
def make_video_run(make_run: Callable[..., Path], video_store: ClipStore) -> Callable[..., Path]:
    """``make_video_run(path)`` writes an evaluated run on ``video_store``, clips of 8 frames.

    Clip i was drawn i times; one that is frozen and one that is partly missing are held back.
    """

    def make(path: Path, *, seed: int = 0) -> Path:
        make_run(path, seed=seed)
        recipe = json.loads((path / "recipe.json").read_text())
        recipe |= {"store": str(video_store.path), "store_hash": video_store.hash}
        recipe["windows"] = {"length": 8, "stride": 4, "normalize": "entity"}
        recipe["clips"] = {"spacing": 1}
        (path / "recipe.json").write_text(json.dumps(recipe))
        environment = json.loads((path / "environment.json").read_text())
        (path / "environment.json").write_text(json.dumps(environment | {"modality": "video"}))
        score = np.linspace(-1, 1, CLIPS).astype(np.float32)
        windows = {"drawn": np.arange(CLIPS, dtype=np.int32), "score": score}
        _write_table(path, "windows", windows)
        _write_table(path, "clips", _clips(CLIPS))
        _write_table(path, "surprise", _curve())
        _write_table(path, "evaluation", _video_probes())
        held = _quarantine(np.random.default_rng(seed))
        held = {name: column[:2] for name, column in held.items()} | {"id": list(HELD)}
        _write_table(path, "quarantine", held)
        (path / "map.parquet").unlink()
        return path

    return make
