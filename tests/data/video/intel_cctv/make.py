"""Write both videos, each with one event by rule."""

from fractions import Fraction

import numpy as np

VIDEOS = (("one-by-one-person-detection", 10), ("bottle-detection", Fraction(179, 6)))
FRAMES = 120


def make(raw, encode):
    for name, fps in VIDEOS:
        frames = np.full((FRAMES, 54, 96), 70, np.uint8)
        table = ["frame,foreground_fraction,motion_energy,event,boundary"]
        for t in range(FRAMES):
            event = 30 <= t < 100
            if event:
                frames[t, 20:40, t - 30 : t - 10] = 200
            near = min(abs(t - 30), abs(t - 100)) <= 8
            table.append(f"{t},{0.1 * event:.4f},0.000,{int(event)},{int(near)}")
        encode(raw / f"{name}.mp4", frames, fps)
        (raw / f"{name}.weak.csv").write_text("\n".join(table) + "\n")
    return {}
