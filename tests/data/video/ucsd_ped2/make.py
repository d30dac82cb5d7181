"""Write four training and three test clips, all clips of a split in one file."""

import numpy as np

CLIPS = (
    ("train", 1, 40, -1, -1),
    ("train", 2, 30, -1, -1),
    ("train", 3, 40, -1, -1),
    ("train", 4, 30, -1, -1),
    ("test", 1, 40, 20, 39),
    ("test", 2, 30, 10, 29),
    ("test", 3, 30, 0, 29),
)


def make(raw, encode):
    generator = np.random.default_rng(0)
    table = ["split,clip,first_frame,n_frames,anomaly_first,anomaly_last,n_anomalous"]
    for split in ("train", "test"):
        first, films = 0, []
        for name, clip, count, start, last in CLIPS:
            if name != split:
                continue
            frames = generator.integers(90, 110, (count, 40, 60), np.uint8)
            for t in range(count):
                frames[t, 10:20, t : t + 5] = 30
                if start <= t <= last and start >= 0:
                    frames[t, 25:35, 2 * t % 50 : 2 * t % 50 + 10] = 230
            flags = 0 if start < 0 else last - start + 1
            table.append(f"{split},{clip},{first},{count},{start},{last},{flags}")
            films.append(frames)
            first += count
        encode(raw / f"ped2_{split}.mp4", np.concatenate(films), 10)
    (raw / "clips.csv").write_text("\n".join(table) + "\n")
    return {"test_clips": "2"}
