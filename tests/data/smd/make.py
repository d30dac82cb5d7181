"""Write two look-alike machines in the original layout of SMD, one plain and one gzip."""

import gzip
from pathlib import Path

import numpy as np

ROWS = 400


def make(raw: Path, seed: int = 0) -> dict[str, str]:
    generator = np.random.default_rng(seed)
    for machine, pack in (("machine-1-1", False), ("machine-2-10", True)):
        label = np.zeros(ROWS, int)
        label[150:190] = label[300:310] = 1
        for part in ("train", "test"):
            values = np.clip(0.5 + 0.1 * generator.standard_normal((ROWS, 38)).cumsum(0), 0, 1)
            values[:, 7] = 0  # a constant channel, as every machine has
            lines = [",".join(f"{v:.6f}" for v in row) for row in values]
            write(raw / part / f"{machine}.txt", lines, pack)
        write(raw / "test_label" / f"{machine}.txt", [str(v) for v in label], pack)
    return {}


def write(path: Path, lines: list[str], pack: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = ("\n".join(lines) + "\n").encode()
    if pack:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, mtime=0))
    else:
        path.write_bytes(data)
