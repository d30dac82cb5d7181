"""Write a look-alike of each variant of Cornell's email-Enron, one plain and one gzip."""

import gzip
from pathlib import Path

SIZES = (2, 3, 2, 1, 0, 3)
NODES = (4, 117, 1, 2, 3, 2, 4, 9, 5, 5, 6)
LAST = 315_537_897_599_999  # of year 9999, in milliseconds since 0001-01-01
TIMES = (63_083_183_340_000, 0, LAST + 1, LAST, 63_083_183_340_000, -1)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, numbers in (("nverts", SIZES), ("simplices", NODES), ("times", TIMES)):
        data = "".join(f"{number}\n" for number in numbers).encode()
        (folder / f"email-Enron-{part}.txt").write_bytes(data)
        (folder / f"email-Enron-full-{part}.txt.gz").write_bytes(gzip.compress(data, mtime=0))
    (folder / "email-Enron-addresses.txt").write_text("1 someone\n")
