"""One policy over several modalities: what it draws of each, and what each has of it.

    python experiments/mixed.py WORK --store plant --store days --store clips --seeds 61 62 63

trains the mixed recipe on prepared stores under every arm and seed at an equal number of steps:
uniform sampling; the band with one shared ranking over all windows (bucket=none); the band with a
ranking in each modality (bucket=modality); and in the own buckets of each. Prints the share of the
slots of every modality, how much more often its rare and corrupt windows were drawn than they
would have been as a fair part of the same slots, its held-out loss at the end, and what the bench
measures of its encoder: few-shot AP of rare windows, and normal operation. Last come the paired
differences of every arm to uniform, and of one ranking to one in each modality.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bandpass.bench.cells import prepared
from bandpass.bench.declared import of_store
from bandpass.bench.measures import measure
from bandpass.data import AnyStore, open_store
from bandpass.evaluation import paired_difference
from bandpass.recipes import build_mixed, build_windows, find, override, parts_of
from bandpass.runs import train_mixed
from bandpass.scoring.collect import ScoringSettings
from bandpass.training import checkpoint
from bandpass.training.validation import Validation

ARMS = {
    "uniform": ["policy=uniform"],
    "one ranking": ["bucket=none"],
    "by modality": ["bucket=modality"],
    "own buckets": ["bucket=own"],
}


PROBED = ("few_shot", "kept")
PAIRS = (
    *((arm, "uniform") for arm in ARMS if arm != "uniform"),
    ("one ranking", "by modality"),
)


def measured(
    run: Path, changes: Sequence[str], stores: Sequence[AnyStore], cuts: Sequence[str]
) -> list[dict[str, object]]:
    """Train a run, or go on with it; a row for every modality."""
    recipe = override(find("mixed"), changes)
    if not train_mixed(recipe, stores, run, cuts=cuts):
        raise SystemExit("stopped; the same command continues")
    parts = parts_of(recipe, stores, cuts)
    jepa = build_mixed(parts)
    newest = checkpoint.latest(run)
    assert newest is not None
    jepa.load_state_dict(checkpoint.load_weights(newest))
    drawn = pq.read_table(run / "windows.parquet")["drawn"].to_numpy()
    rows: list[dict[str, object]] = []
    first = 0
    total = sum(len(build_windows(own, store, "train")) for own, store in parts.values())
    for (name, (own, store)), member in zip(parts.items(), jepa.members, strict=True):
        windows = build_windows(own, store, "train")
        times, first = drawn[first : first + len(windows)], first + len(windows)
        row: dict[str, object] = {"modality": name, "natural": len(windows) / total}
        row["slots"] = times.sum() / drawn.sum()
        for kind, inside in windows.slices().items():
            fair = times.sum() * inside.mean()
            row[kind] = times[inside].sum() / fair if fair else np.nan
        held_out = Validation(build_windows(own, store, "test"), recipe.train)
        row["held_out"] = held_out(member, recipe.train.steps)
        benchmark = of_store(store, own.name)
        _, asked = prepared(benchmark, own, store)
        masks = ScoringSettings(mask=own.train.masks[0], mask_ratio=own.train.mask_ratio, seed=0)
        said = {each[:2]: each[2] for each in measure(member.eval(), asked, own.train.seed, masks)}
        row["few_shot"] = said.get((benchmark.rare.task, benchmark.rare.metric), np.nan)
        row["kept"] = said.get((benchmark.normal.task, benchmark.normal.metric), np.nan)
        rows.append(row)
    return rows


def main() -> None:
    """Print and save one row per arm, seed and modality."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("work", type=Path, help="folder for the runs")
    parser.add_argument("--store", type=Path, action="append", required=True)
    parser.add_argument("--cut", action="append", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--arm", action="append", choices=ARMS)
    parser.add_argument("--out", type=Path, help="Parquet file for the rows")
    given = parser.parse_args()
    stores = [open_store(path) for path in given.store]
    rows: list[dict[str, object]] = []
    for seed in given.seeds:
        for arm in given.arm or ARMS:
            changes = [*ARMS[arm], f"seed={seed}", f"steps={given.steps}"]
            run = given.work / f"{arm.replace(' ', '-')}-{seed}"
            found = measured(run, changes, stores, given.cut)
            rows += [{"arm": arm, "seed": seed} | row for row in found]
            print(arm, seed, found, flush=True)
    if given.out:
        pq.write_table(pa.Table.from_pylist(rows), given.out)
    for arm in given.arm or ARMS:
        for name in dict.fromkeys(str(row["modality"]) for row in rows):
            here = [r for r in rows if (r["arm"], r["modality"]) == (arm, name)]
            means = {
                column: np.array([row[column] for row in here], np.float64)
                for column in ("natural", "slots", "rare", "corrupt", "held_out", *PROBED)
            }
            told = (f"{c} {v.mean():.4f} ({v.min():.4f}-{v.max():.4f})" for c, v in means.items())
            print(f"{arm}, {name}: {', '.join(told)}")
    for one, other in PAIRS:
        for name in dict.fromkeys(str(row["modality"]) for row in rows):
            for column in PROBED:
                a, b = (
                    np.array([r[column] for r in rows if (r["arm"], r["modality"]) == (arm, name)])
                    for arm in (one, other)
                )
                if len(a) == len(b) > 0:
                    found = paired_difference(a.astype(float), b.astype(float))
                    ends = f"95% {found.t_low:+.3f} to {found.t_high:+.3f}, n {found.count}"
                    print(f"{one} - {other}, {name}, {column}: {found.mean:+.3f} ({ends})")


if __name__ == "__main__":
    main()
