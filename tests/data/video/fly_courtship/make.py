"""Write two flies that walk in circles, once fast and once in contact."""

import numpy as np

FRAMES = 300


def make(raw, encode):
    turn = np.linspace(0, 6 * np.pi, FRAMES)
    one = 512 + 300 * np.stack([np.cos(turn), np.sin(turn)], 1)
    two = 512 - 250 * np.stack([np.cos(turn), np.sin(2 * turn)], 1)
    thorax = np.stack([one, two], 1).astype(np.float32)
    frames = np.zeros((FRAMES, 128, 128), np.uint8)
    for t, flies in enumerate((thorax / 8).astype(int)):
        for x, y in flies:
            frames[t, y - 3 : y + 4, x - 3 : x + 4] = 220
    t = np.arange(FRAMES)
    fast = np.stack([np.zeros(FRAMES, bool), (t >= 40) & (t < 46)], 1)
    np.savez(
        raw / "state.npz",
        pose_xy=np.zeros((FRAMES, 2, 13, 2), np.float32),
        thorax_xy=thorax,
        heading_rad=np.stack([turn, -turn], 1).astype(np.float32) % (2 * np.pi) - np.pi,
        distance_px=np.linalg.norm(one - two, axis=1).astype(np.float32),
        fast=fast,
        contact=(t >= 250) & (t < 260),
        wing_extension=np.stack([(t >= 100) & (t < 180), (t >= 110) & (t < 120)], 1),
    )
    encode(raw / "20190128_113421.120s.mp4", frames, 25)
    return {}
