"""A video file to a store, against merely decoding it with PyAV and touching the Y plane.

Both sides read the same file in this process, one thread, and take turns; seconds are processor
time, medians. Ours also scales, resamples to another rate, measures signals, writes, hashes and
publishes a store. The file is the longest session of fir_actions_room01 below BANDPASS_DATA, if
that is set, else a generated one of the same size and rate.

Then the highest anonymous memory (``RssAnon`` in ``/proc/self/status``, so Linux) while videos of
growing length are prepared, each in a process of its own.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import _memory
import av
import numpy as np

from bandpass.data.video import Recording, Video, VideoSource
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video

CLAIM = "frames per CPU-second, prepared against decoded only"
GOAL = 0.8
REAL = Path("video", "fir_actions_room01", "rgb", "20200626_161431.mp4")
SIZE, FPS, RATE = (24, 32), 25 / 3, 25
FRAMES = 3000


def any_video(folder: Path) -> Path:
    """A real session if real data are at hand, else a generated one; says which."""
    root = os.environ.get("BANDPASS_DATA")
    if root and (Path(root) / REAL).is_file():
        print("a real session")
        return Path(root) / REAL
    print("a generated video: set BANDPASS_DATA for a real one")
    return write_video(folder / "video.mp4", FRAMES)


def write_video(path: Path, frames: int) -> Path:
    """Write a look-alike: a blob that moves over a grainy floor."""
    draws = np.random.default_rng(0)
    floor = draws.normal(120, 8, (240, 320))
    rows, columns = np.mgrid[:240, :320]
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "crf": "23", "threads": "1"}
        stream = container.add_stream("libx264", rate=Fraction(RATE), options=options)
        stream.height, stream.width, stream.pix_fmt = 240, 320, "yuv420p"
        for number in range(frames):
            y, x = 120 + 80 * np.sin(number / 90), 160 + 110 * np.sin(number / 130)
            blob = 90 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 600)
            levels = np.clip(floor - blob + draws.normal(0, 2, floor.shape), 0, 255)
            frame = av.VideoFrame.from_ndarray(levels.astype(np.uint8), "gray")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


def decode(path: Path) -> int:
    """The other side; returns the number of frames."""
    frames, total = 0, 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
        for frame in container.decode(stream):
            total += int(np.frombuffer(memoryview(frame.planes[0]), np.uint8)[::4096].sum())
            frames += 1
    return frames


def source_of(path: Path) -> VideoSource:
    """A source of one file."""

    def recordings(raw: Path) -> Iterator[Recording]:
        yield Recording("one", "room", Video(raw))

    return VideoSource("bench", "a file", "", "", path.name, recordings, SIZE, FPS)


def prepare(path: Path, store: Path) -> int:
    """Our side; returns the number of rows."""
    options = Options(workers=1, overwrite=True)
    return prepare_video(source_of(path), path, store, options).rows


def race(path: Path, folder: Path, turns: int) -> float:
    """How our throughput compares; prints what was raced."""
    frames, rows = decode(path), prepare(path, folder / "store")  # warms both sides up
    ours, theirs = _memory.race(
        lambda: prepare(path, folder / "store"), lambda: decode(path), turns
    )
    print(f"{frames:,} frames, {rows:,} rows")
    print(f"frames per CPU-second, prepared: {frames / ours:,.0f}")
    print(f"frames per CPU-second, decoded only: {frames / theirs:,.0f}")
    return theirs / ours


def memory(path: Path, store: Path) -> tuple[int, float]:
    """Rows, and highest anonymous memory in MB while a file is prepared; prints them."""
    rows, peak = _memory.apart(prepare, path, store)
    print(f"{rows:,} rows: peak anonymous memory {peak:.0f} MB")
    shutil.rmtree(store)
    return rows, peak


def main() -> int:
    """Print both sides, the memory and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, under 90 s")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lengths = (600, 6000) if quick else (600, 6000, 60_000)
        found = [
            memory(write_video(folder / f"{length}.mp4", length), folder / "store")
            for length in lengths
        ]
        (few, least), (many, most) = found[0], found[-1]
        growth = (most - least) * 1e6 / (many - few)
        print(f"memory grows by {growth:.0f} bytes a row; a frame is {SIZE[0] * SIZE[1]} bytes")
        ratio = race(any_video(folder), folder, 5 if quick else 15)
    print(f"{CLAIM}: {ratio:.2f} (goal >= {GOAL}): {'holds' if ratio >= GOAL else 'falls short'}")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
