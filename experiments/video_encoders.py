"""Does a video encoder, trained on fresh seeds, beat random init and features made by hand?

Usage: python experiments/video_encoders.py RECIPE --store STORE --work DIR --seeds 100,101,102
       [--set k=v ...] [--out FILE.parquet]

Each seed trains the recipe, evaluates it beside its controls, and leaves a run directory under
--work; finished seeds are skipped, so the command can be repeated after a kill. What counts was
declared in bandpass.evaluation.videos: one metric a task, one pooling. Of the grid made by hand the
pooling that scores higher on average is the rival. Features made by hand know no seed but that of
the probes: there the spread over seeds is that of the encoder alone.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from bandpass import runs
from bandpass.data import AnyStore, open_store
from bandpass.evaluation import paired_difference, videos
from bandpass.recipes import Recipe, find, override
from bandpass.training.atomic import write_table

HEAD = "task | metric | pretrained | rival | difference (95% t-interval; bootstrap) | n"


def main() -> None:
    """Train what is missing, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", required=True, help="fresh ones, e.g. 100,101,102,103,104")
    parser.add_argument("--set", nargs="*", default=[], help="recipe overrides")
    parser.add_argument("--control", action="store_true", help="train the raw-patch control too")
    parser.add_argument("--out", type=Path, help="where to keep every metric of every seed")
    given = parser.parse_args()
    torch.set_num_threads(1)

    store = open_store(given.store)
    rows: list[dict[str, Any]] = []
    for seed in [int(text) for text in given.seeds.split(",")]:
        recipe = override(find(given.recipe), [*given.set, f"seed={seed}"])
        path = given.work / f"{given.recipe}-{seed}"
        rows += _one(recipe, store, path, with_control=given.control)
        print(f"seed {seed} done", flush=True)
    if given.out is not None:
        write_table(given.out, rows)
    print(HEAD)
    for line in compare(rows):
        print(line)


def _one(
    recipe: Recipe, store: AnyStore, path: Path, *, with_control: bool
) -> list[dict[str, Any]]:
    if not (path / "evaluation.parquet").exists():
        runs.train(recipe, store, path, with_control=with_control)
        runs.evaluate(path)
    seed = recipe.train.seed
    return [{"seed": seed} | row for row in pq.read_table(path / "evaluation.parquet").to_pylist()]


def compare(rows: list[dict[str, Any]]) -> list[str]:
    """A line for every task and rival."""
    seeds = sorted({row["seed"] for row in rows})
    lines = []
    for task, own in videos.counted(rows).items():
        mine = own.get(videos.PRETRAINED)
        if mine is None:
            continue
        metric, ours = mine["metric"], _values(rows, mine, seeds)
        for rival in (*videos.RIVALS, videos.RAW_PATCH, videos.TRIVIAL):
            theirs = _best(rows, (rival, task, metric), seeds)
            if theirs is None or not np.isfinite(theirs).any():
                continue
            found = paired_difference(ours, theirs)
            sure = "+" if found.t_low > 0 else "-" if found.t_high < 0 else " "
            lines.append(
                f"{sure} {task} | {metric} | {np.nanmean(ours):.3f} | {rival} "
                f"{np.nanmean(theirs):.3f} | {found.mean:+.3f} ({found.t_low:+.3f} to "
                f"{found.t_high:+.3f}; {found.bootstrap_low:+.3f} to {found.bootstrap_high:+.3f}) "
                f"| {found.count}"
            )
    return lines


def _best(
    rows: list[dict[str, Any]], key: tuple[str, str, str], seeds: list[int]
) -> np.ndarray | None:
    """(seeds,) values of a rival; of features made by hand in the pooling of highest mean."""
    encoder, task, _ = key
    own = [row for row in rows if (row["encoder"], row["task"], row["metric"]) == key]
    if encoder in (videos.RANDOM, videos.RAW_PATCH):
        pooling = videos.SURPRISE if task == videos.FRAMES else videos.PRIMARY
        own = [row for row in own if row["pooling"] == pooling]
    each = [_values(rows, row, seeds) for row in {row["pooling"]: row for row in own}.values()]
    return max(each, key=lambda values: float(np.nanmean(values)), default=None)


def _values(rows: list[dict[str, Any]], like: videos.Row, seeds: list[int]) -> np.ndarray:
    names = ("encoder", "pooling", "task", "metric")
    found = {
        row["seed"]: row["value"] for row in rows if all(row[name] == like[name] for name in names)
    }
    return np.array([found.get(seed, np.nan) for seed in seeds])


if __name__ == "__main__":
    main()
