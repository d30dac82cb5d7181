"""Where the slots go when a camera shakes: half of a steady video, and one that always does.

    python experiments/video_jitter.py WORK 10 11 12 --raw VIDEO --out FILE.parquet

prepares the simulated world and the thirteen fir sessions with jitter injected into half of their
frames, and cdnet_traffic, whose camera shakes in every frame, for every seed (VIDEO holds the raw
folders; without it the world alone). The surprise band is trained on latent loss, with the gate and
without, and the static density-ratio policy is asked for its probabilities, which need no training.
Prints the share of the slots of jittered background, steady background and steady events over their
natural shares, and how many clips the input rules convict.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data import Corpus, open_store
from bandpass.data.ingest import describe
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import find as find_source
from bandpass.data.video.store import ClipStore
from bandpass.recipes import build_sampler, build_windows, find, override
from bandpass.runs.train import train

JITTER = {"corrupt": 0.5, "corrupt_kinds": "jitter"}
WORLD = {"corrupt": 0.0, "recordings": 6, "seconds": 200, "rare": 0.05}
ARMS = {
    "loss": ["score=loss"],
    "loss, gate": ["score=loss", "gate=true"],
    "density-ratio": ["policy=static"],
    "density-ratio, gate": ["policy=static", "gate=true"],
}
CONVICTED = 0.9


def stored(source: str, seed: int, raw: Path, work: Path, **world: object) -> ClipStore:
    """The store of a source and seed, prepared if it is not there."""
    path = work / f"{source}-{seed}"
    if not path.exists():
        own = {"world": WORLD | {"seed": seed} | world}.get(source, {})
        shaken = {} if source == "cdnet_traffic" else JITTER | {"corrupt_seed": seed}
        options = Options(workers=1, of_source=own, **shaken)
        return prepare_video(find_source(source), raw / source, path, options)
    store = open_store(path)
    assert isinstance(store, ClipStore)
    return store


def groups(clips: Corpus) -> dict[str, np.ndarray]:
    """(n,) bool each: jittered and steady background, steady events.

    A camera that always shakes has no steady clip: its background is jittered throughout, and its
    events are those that are labelled.
    """
    slices = clips.slices()
    event = clips.labels() == 1
    jittered = slices["corrupt"] if slices["corrupt"].any() else np.ones(len(event), bool)
    steady = slices["normal"] if slices["corrupt"].any() else ~jittered
    found = {"jittered": jittered & ~event, "steady": steady, "events": slices["rare"]}
    return {name: inside for name, inside in found.items() if inside.any()}


def drawn(store: ClipStore, clips: Corpus, arm: str, settings: list[str], work: Path) -> np.ndarray:
    """(n,) slots of every clip: drawn by a run where it learns, else its probability."""
    recipe = override(find("video"), [*settings, *ARMS[arm]])
    if recipe.policy == "static":
        return build_sampler(recipe, clips).probabilities()
    run = work / f"{store.path.name}-{recipe.train.seed}-{arm.replace(', ', '-')}"
    train(recipe, store, run, with_control=False)
    return pq.read_table(run / "windows.parquet")["drawn"].to_numpy()


def shares(store: ClipStore, settings: list[str], work: Path) -> list[dict[str, str | float]]:
    """One row per arm: natural share, slots and share convicted of every group."""
    clips = build_windows(find("video"), store, "train")
    convicted = describe(clips).faults >= CONVICTED
    rows = []
    for arm in ARMS:
        slots = drawn(store, clips, arm, settings, work)
        row: dict[str, str | float] = {"store": store.path.name, "arm": arm, "clips": len(clips)}
        for name, inside in groups(clips).items():
            row |= {
                f"{name}_natural": float(inside.mean()),
                f"{name}_slots": float(slots[inside].sum() / slots.sum()),
                f"{name}_convicted": float(convicted[inside].mean()),
            }
        rows.append(row)
        print(told(row), flush=True)
    return rows


def told(row: dict[str, str | float]) -> str:
    """A row as a line."""
    found = [f"{row['store']}, {row['arm']}:"]
    for name in ("jittered", "steady", "events"):
        if f"{name}_slots" in row:
            natural, slots, convicted = (
                float(row[f"{name}_{what}"]) for what in ("natural", "slots", "convicted")
            )
            found.append(
                f"{name} {slots / natural:.2f} ({natural:.3f} -> {slots:.3f}, {convicted:.2f} "
                "convicted);"
            )
    return " ".join(found)


def main() -> None:
    """Print and save one row per set, seed and arm."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("work", type=Path, help="folder for stores and runs")
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--raw", type=Path, help="folder of the raw sets; the world alone without")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--out", type=Path, help="Parquet file for the rows")
    arguments = parser.parse_args()
    sources = ["world"] + ["fir_actions_room01", "cdnet_traffic"] * (arguments.raw is not None)
    rows = []
    for seed in arguments.seeds:
        for source in sources:
            store = stored(source, seed, arguments.raw or Path(), arguments.work)
            settings = [f"seed={seed}", f"steps={arguments.steps}"]
            rows += shares(store, settings, arguments.work)
    if arguments.out:
        pq.write_table(pa.Table.from_pylist(rows), arguments.out)


if __name__ == "__main__":
    main()
