"""Write look-alike files and both label files in the original layout of NAB."""

import json
from pathlib import Path

import numpy as np

ROWS = 400


def make(raw: Path, seed: int = 0) -> dict[str, str]:
    generator = np.random.default_rng(seed)
    windows: dict[str, list[list[str]]] = {}
    points: dict[str, list[str]] = {}
    for name in ("realKnownCause/nyc_taxi.csv", "realTraffic/speed_1.csv", "artificial/flat.csv"):
        minutes = 5 * np.arange(ROWS)
        if name.startswith("realTraffic"):  # irregular, with a duplicate and a step back
            minutes = np.sort(generator.integers(0, 5 * ROWS, ROWS))
            minutes[100], minutes[201] = minutes[99], minutes[199] - 1
        time = np.datetime64("2014-07-01T00:00:00") + minutes.astype("timedelta64[m]")
        values = generator.standard_normal(ROWS).cumsum()
        path = raw / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = (f"{str(t).replace('T', ' ')},{v:.3f}" for t, v in zip(time, values, strict=True))
        path.write_text("\n".join(["timestamp,value", *rows]) + "\n")
        text = [str(t).replace("T", " ") for t in time]
        anomalous = not name.startswith("artificial")
        windows[name] = [[f"{text[300]}.000000", f"{text[339]}.000000"]] if anomalous else []
        points[name] = [text[320]] if anomalous else []
    (raw / "labels").mkdir()
    (raw / "labels" / "combined_windows.json").write_text(json.dumps(windows, indent=4))
    (raw / "labels" / "combined_labels.json").write_text(json.dumps(points, indent=4))
    return {}
