"""Write look-alike episodes of real, simulated and drawn wells in the layout of 3W (2019)."""

from pathlib import Path

import numpy as np

HEADER = "timestamp,P-PDG,P-TPT,T-TPT,P-MON-CKP,T-JUS-CKP,P-JUS-CKGL,T-JUS-CKGL,QGL,class"
# Per episode: runs of (class, rows); an empty class is the boundary between two regimes.
EPISODES = {
    "2/WELL-00011_20140515110134": [("0", 150), ("", 30), ("102", 200), ("", 10), ("2", 60)],
    "2/WELL-00003_20180206182917": [("0", 180), ("", 20), ("102", 200)],
    "2/SIMULATED_00001": [("0", 150), ("102", 150), ("2", 100)],
    "4/WELL-00014_20170915090021": [("4", 300)],
    "1/DRAWN_00003": [("0", 150), ("101", 150), ("1", 100)],
}


def make(raw: Path, seed: int = 0) -> dict[str, str]:
    generator = np.random.default_rng(seed)
    for name, runs in EPISODES.items():
        classes = [code for code, rows in runs for _ in range(rows)]
        time = np.datetime64("2014-05-15T11:01:34") + np.arange(len(classes))
        values = 1e6 + 1e4 * generator.standard_normal((len(classes), 8)).cumsum(0)
        lines = [HEADER]
        for t, row, code in zip(time, values, classes, strict=True):
            cells = [f"{v:.6e}" for v in row]
            cells[0] = "0.000000e+00"  # a dead gauge
            cells[5] = cells[6] = ""  # channels this well does not have
            lines.append(",".join([str(t).replace("T", " ") + ".000000", *cells, code]))
        path = raw / "data" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return {}
