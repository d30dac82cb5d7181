"""Write a folder of everything: videos, images, an array, and a table of events."""

import numpy as np


def make(raw, encode):
    generator = np.random.default_rng(0)
    frames = generator.integers(0, 255, (100, 32, 48), np.uint8)
    encode(raw / "yard.mp4", frames, 25)
    encode(raw / "door" / "monday.mkv", frames[:80], 20)
    encode(raw / "door" / "tuesday.avi", frames[20:], 20)
    for number in range(1, 13):
        encode(raw / "stills" / f"{number}.png", frames[number : number + 1], 1)
    np.save(raw / "sensor.npy", frames[:90])
    (raw / "segments.csv").write_text(
        "video,start,end,label,track\n"
        "yard.mp4,0.5,2,walk,\n"
        "yard,1,2.5,fall,\n"
        "door/monday,3,60,walk,action\n"
        "\n"
        "sensor,0,1,fall,action\n"
        "stills,0,0.2,open,door\n"
    )
    return {"rare": "fall", "source_fps": "25", "test": "yard"}
