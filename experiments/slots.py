"""Slot shares of the static density-ratio policy on stores with freshly injected corruption.

    python experiments/slots.py RAW WORK 31 32 33 34 35

prepares the plant, smd, smd with one rare machine and 3w with injected corruption for every seed
(RAW holds the folders smd and 3w), and prints how often rare, corrupt and normal windows would be
drawn, natural against sampled. Nothing is trained: the policy knows its scores beforehand.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.data import Store, Windows, open_store, prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import build_sampler, build_windows, find, override

SETS = {
    "plant": ("plant", {"series": 12, "rows": 40_000, "failure_rate": 0.11, "corrupt": 0.02}),
    "smd": ("smd", {"corrupt": 0.04}),
    "smd, a rare machine": ("smd", {"corrupt": 0.04, "rare": "machine-3-4", "rare_share": 0.02}),
    "3w": ("3w", {"corrupt": 0.04}),
}
ARMS = {
    "no gate": ["policy=static", "bucket=none"],
    "gate": ["policy=static", "bucket=none", "gate=true"],
}


def stored(name: str, seed: int, raw: Path, work: Path) -> Store:
    """The store of a set and seed, prepared if it is not there."""
    source, options = SETS[name]
    path = work / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
    if path.exists():
        return open_store(path)
    seeds = {"corrupt_seed": seed} | ({"seed": seed} if source == "plant" else {})
    return prepare(SOURCES[source], raw / source, path, **options, **seeds)


def shares(windows: Windows, changes: list[str]) -> dict[str, float]:
    """Natural and sampled share of every slice."""
    p = build_sampler(override(find("series"), changes), windows).probabilities()
    found: dict[str, float] = {"ess": 1 / (len(p) * float((p**2).sum()))}
    for name, where in windows.slices().items():
        found |= {f"{name}_natural": float(where.mean()), f"{name}_slots": float(p[where].sum())}
    return found


def main() -> None:
    """Print and save one row per set, seed and arm."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("raw", type=Path, help="folder that holds the raw folders smd and 3w")
    parser.add_argument("work", type=Path, help="folder for the stores")
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--out", type=Path, help="Parquet file for the rows")
    arguments = parser.parse_args()
    rows = []
    for name in SETS:
        for seed in arguments.seeds:
            store = stored(name, seed, arguments.raw, arguments.work)
            windows = build_windows(find("series"), store, "train")
            for arm, changes in ARMS.items():
                rows.append({"set": name, "seed": seed, "arm": arm} | shares(windows, changes))
        for arm in ARMS:
            here = [row for row in rows if row["set"] == name and row["arm"] == arm]
            ratios = {
                slice_: np.array(
                    [row[f"{slice_}_slots"] / row[f"{slice_}_natural"] for row in here]
                )
                for slice_ in ("rare", "corrupt", "normal")
            }
            text = "; ".join(
                f"{slice_} {ratio.mean():.2f} ({', '.join(f'{r:.2f}' for r in ratio)})"
                for slice_, ratio in ratios.items()
            )
            print(f"{name}, {arm}: {text}", flush=True)
    if arguments.out:
        pq.write_table(pa.Table.from_pylist(rows), arguments.out)


if __name__ == "__main__":
    main()
