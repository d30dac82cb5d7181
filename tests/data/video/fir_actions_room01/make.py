"""Write sessions of one person in a room, by light and by warmth, in the layout of the copy."""

import numpy as np

SESSIONS = (
    "20200626_154313",
    "20200626_154556",
    "20200627_185209",
    "20200628_144536",
    "20200628_183032",
)
FRAMES, ROWS = 150, 47
TIMES = ((5, 30, 16, 96), (12, 24, 38, 77), (40, 47, 128, 150))
LABELS = ("walk", "falling", "standup")


def make(raw, encode):
    generator = np.random.default_rng(0)
    sessions = ["session,origin_name,video_frames,thermal_rows,sha256"]
    segments = ["session,order,label,thermal_start,thermal_end,video_start,video_end"]
    thermal = {}
    for number, name in enumerate(SESSIONS):
        rows = 0 if number == 1 else ROWS
        sessions.append(f"{name},{name}_mlx90640,{FRAMES},{rows},0")
        for order, (label, times) in enumerate(zip(LABELS, TIMES, strict=True)):
            segments.append(f"{name},{order},{label}," + ",".join(map(str, times)))
        frames = generator.integers(40, 60, (FRAMES, 48, 64), np.uint8)
        for t in range(FRAMES):
            frames[t, 20:30, t // 3 : t // 3 + 10] = 200
        encode(raw / "rgb" / f"{name}.mp4", frames, 25)
        if rows:
            time = np.cumsum(generator.uniform(0.065, 0.19, rows)).astype(np.float32)
            warm = 2200 + generator.integers(0, 1500, (rows, 24, 32))
            thermal[f"{name}_time_s"] = time - time[0]
            thermal[f"{name}_temp_centi"] = warm.astype(np.int16)
    (raw / "sessions.csv").write_text("\n".join(sessions) + "\n")
    (raw / "segments.csv").write_text("\n".join(segments) + "\n")
    np.savez(raw / "thermal.npz", **thermal)
    return {}
