"""Which reading of the embeddings' geometry goes with harm? Rank correlations over finished cells.

Usage: python experiments/bench_geometry.py RESULTS.parquet

For every benchmark and health reading of a table of `bandpass ablate`: Spearman's correlation with
the primary metric of rare states and with that of normal operation, over all trained cells (arms,
seeds and budgets alike), with a 95% bootstrap interval over seeds, whose cells share weights.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from bandpass.bench.declared import BENCHMARKS, Benchmark
from bandpass.bench.results import Row, read_results

HEALTH = "health"
FEWEST = 8
RESAMPLES = 500

Cells = dict[tuple[str, int, int], dict[tuple[str, str], float]]


def main() -> None:
    """Print a line a benchmark, reading and metric."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    rows = read_results(parser.parse_args().results)
    print("benchmark | reading | against | rank correlation (95%) | cells")
    for name in dict.fromkeys(row["benchmark"] for row in rows):
        if name in BENCHMARKS:
            _tell(BENCHMARKS[name], _cells(rows, BENCHMARKS[name]))


def _cells(rows: list[Row], benchmark: Benchmark) -> Cells:
    """Every figure of every trained cell of a benchmark."""
    found: Cells = defaultdict(dict)
    for row in rows:
        own = (row["benchmark"], row["version"]) == (benchmark.name, benchmark.version)
        if own and row["steps"]:
            cell = found[row["arm"], row["seed"], row["steps"]]
            cell[row["task"], row["metric"]] = row["value"]
    return found


def _tell(benchmark: Benchmark, cells: Cells) -> None:
    readings = {key for cell in cells.values() for key in cell if key[0] == HEALTH}
    for reading in sorted(readings):
        for role in ("rare", "normal"):
            metric = getattr(benchmark, role)
            wanted = (metric.task, metric.metric)
            pairs = [
                (cell[reading], cell[wanted], seed)
                for (_, seed, _), cell in cells.items()
                if reading in cell and wanted in cell
            ]
            if len(pairs) >= FEWEST and len({pair[0] for pair in pairs}) > 1:
                values = np.array(pairs)
                low, high = _interval(values)
                found = spearmanr(values[:, 0], values[:, 1]).statistic
                figures = f"{found:+.2f} ({low:+.2f} to {high:+.2f})"
                print(f"{benchmark.name} | {reading[1]} | {role} | {figures} | {len(pairs)}")


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Ends of the interval from redrawing whole seeds."""
    generator = np.random.default_rng(0)
    groups = [values[values[:, 2] == seed] for seed in np.unique(values[:, 2])]
    drawn = []
    for _ in range(RESAMPLES):
        some = np.concatenate([groups[i] for i in generator.integers(0, len(groups), len(groups))])
        drawn.append(spearmanr(some[:, 0], some[:, 1]).statistic)
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
