"""Write look-alike experiments of every group in the original layout of SKAB."""

from pathlib import Path

import numpy as np

SENSORS = (
    "Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;"
    "Volume Flow RateRMS"
)
FILES = ("anomaly-free/anomaly-free", "valve1/0", "valve1/1", "valve2/1", "other/2", "other/10")
ROWS = 400


def make(raw: Path, seed: int = 0) -> dict[str, str]:
    generator = np.random.default_rng(seed)
    for name in FILES:
        free = name.startswith("anomaly-free")
        seconds = np.arange(ROWS) + 120 * (np.arange(ROWS) >= 200)  # a gap, as the real rig has
        time = np.datetime64("2020-03-01T15:44:06") + seconds
        anomaly = (np.arange(ROWS) >= 250) & (np.arange(ROWS) < 350)
        change = np.isin(np.arange(ROWS), (250, 350))
        values = generator.standard_normal((ROWS, 8)) + 2.0 * anomaly[:, None]
        lines = ["datetime;" + SENSORS + ("" if free else ";anomaly;changepoint")]
        for i in range(ROWS):
            row = [str(time[i]).replace("T", " "), *(f"{v:.6g}" for v in values[i])]
            lines.append(";".join(row if free else [*row, f"{anomaly[i]:.1f}", f"{change[i]:.1f}"]))
        path = raw / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return {}
