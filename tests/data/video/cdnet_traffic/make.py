"""Write a shaking road: annotated from frame 100 on, with a car now and then."""

import numpy as np

FRAMES, ANNOTATED = 250, 100


def make(raw, encode):
    generator = np.random.default_rng(0)
    road = generator.integers(60, 140, (60, 80), np.uint8)
    frames = np.empty((FRAMES, 48, 64), np.uint8)
    table = ["frame,in_temporal_roi,moving_fraction"]
    for t in range(FRAMES):
        y, x = generator.integers(0, 12), generator.integers(0, 16)
        frames[t] = road[y : y + 48, x : x + 64]
        moving = t % 40 < 20
        if moving:
            frames[t, 20:30, t % 40 : t % 40 + 20] = 240
        roi = t >= ANNOTATED
        table.append(f"{t},{int(roi)},{0.065 * (moving and roi):.5f}")
    encode(raw / "traffic.mp4", frames, 25)
    (raw / "labels.csv").write_text("\n".join(table) + "\n")
    return {}
