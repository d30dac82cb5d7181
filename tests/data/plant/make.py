"""The plant reads no files: a look-alike of it is a small one."""

from pathlib import Path


def make(raw: Path, seed: int = 0) -> dict[str, str]:
    return {
        "series": "3",
        "rows": "1500",
        "seed": str(seed),
        "failure_rate": "1",
    }
