"""Confirm on fresh seeds what pilots suggested: does the pretrained encoder beat random init?

Usage: python experiments/confirm.py SLICE.json --raw DIR --work DIR [--seeds 0,1] [--set k=v ...]

Each seed trains the slice's recipe with its raw-patch control, evaluates it, and leaves a run
directory under --work; finished seeds are skipped, so the command can be repeated after a kill. The
pairs are then compared as the slice file declares, and all metrics are kept in a Parquet file.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from bandpass import runs
from bandpass.data import Store, StoreError, open_store, prepare
from bandpass.data.sources import find as find_source
from bandpass.evaluation import paired_difference
from bandpass.recipes import find, override
from bandpass.training.atomic import write_table

OTHERS = ("random-init", "raw-features", "raw-patch")


def main() -> None:
    """Train what is missing, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slice", type=Path)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", help="pilot seeds instead of the declared ones")
    parser.add_argument("--set", nargs="*", default=[], help="more recipe overrides")
    parser.add_argument("--out", type=Path, help="where to keep every metric of every seed")
    given = parser.parse_args()
    torch.set_num_threads(1)

    declared = json.loads(given.slice.read_text())
    seeds = declared["seeds"] if given.seeds is None else [int(s) for s in given.seeds.split(",")]
    store = _store(declared["source"], given.raw, given.work / f"store-{declared['name']}")
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        changes = [*declared["recipe_overrides"], *given.set, f"seed={seed}"]
        rows += _one(declared, store, given.work / f"{declared['name']}-{seed}", changes, seed)
    if given.out is not None:
        write_table(given.out, rows)
    for primary in declared["primary"]:
        for other in OTHERS:
            print(_compare(rows, primary, other, seeds))


def _store(source: str, raw: Path, path: Path) -> Store:
    try:
        return open_store(path)
    except StoreError:
        return prepare(find_source(source), raw, path)


def _one(
    declared: dict[str, Any], store: Store, path: Path, changes: list[str], seed: int
) -> list[dict[str, Any]]:
    if not (path / "evaluation.parquet").exists():
        runs.train(override(find(declared["recipe"]), changes), store, path)
        runs.evaluate(path)
        print(f"seed {seed} done", flush=True)
    return [{"seed": seed} | row for row in pq.read_table(path / "evaluation.parquet").to_pylist()]


def _compare(
    rows: list[dict[str, Any]], primary: dict[str, str], other: str, seeds: list[int]
) -> str:
    mine = _values(rows, "pretrained", primary["pooling"], primary, seeds)
    pooling = "summary" if other == "raw-features" else primary["pooling"]
    theirs = _values(rows, other, pooling, primary, seeds)
    found = paired_difference(mine, theirs)
    what = f"{primary['task']}, {primary['metric']}, {primary['pooling']}"
    return (
        f"{what}: pretrained {mine.mean():.3f} | {other} {theirs.mean():.3f} | difference "
        f"{found.mean:+.3f} (95% {found.t_low:+.3f} to {found.t_high:+.3f}, n {found.count})"
    )


def _values(
    rows: list[dict[str, Any]],
    encoder: str,
    pooling: str,
    primary: dict[str, str],
    seeds: list[int],
) -> np.ndarray:
    found = {
        row["seed"]: row["value"]
        for row in rows
        if (row["encoder"], row["pooling"]) == (encoder, pooling)
        and (row["task"], row["metric"]) == (primary["task"], primary["metric"])
    }
    return np.array([found.get(seed, np.nan) for seed in seeds])


if __name__ == "__main__":
    main()
