"""Write a look-alike edge list of SNAP's email-Enron: a star of three, both ways, and bad rows."""

import gzip
from pathlib import Path

ROWS = b"""# Directed graph (each unordered pair of nodes is saved once): Email-Enron.txt \r
# Enron email network (edge indicated that email was exchanged, undirected edges)\r
# Nodes: 4 Edges: 6\r
# FromNodeId\tToNodeId\r
0\t1\r
0\t2\r
0\t3\r
1\t0\r
1\t2\t3\r
2\t0\r
2\tone\r
-2\t0\r
3\t0\r
7\r
3\t0\r
"""


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "email-Enron.txt.gz").write_bytes(gzip.compress(ROWS, mtime=0))
