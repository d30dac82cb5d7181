"""Small films whose frames tell their number: its bits are eight stripes, dark or light."""

from fractions import Fraction

import numpy as np


def number_of(frame) -> int:
    """The number of a decoded (height, width, 1) frame."""
    stripes = frame.mean(axis=(0, 2)).reshape(8, -1).mean(axis=1)
    return int((stripes > 128) @ (1 << np.arange(8)))


def picture(number, size):
    """(height, width) uint8 of the stripes of a number."""
    bits = number >> np.arange(8) & 1
    return np.tile(np.repeat(40 + 170 * bits, size[1] // 8), (size[0], 1)).astype(np.uint8)


def film(path, frames=60, fps=10, size=(48, 64), *, stamps=None, gop=10, **how):
    """Encode a film; the container goes by the suffix.

    Args:
        path: The file.
        frames: How many, or (S, height, width[, 3]) uint8.
        fps: Of the stream.
        size: (height, width) of numbered frames.
        stamps: Milliseconds of each frame; even if None.
        gop: Frames from key frame to key frame.
        how: ``codec``, ``turned`` degrees, ``front`` to put the index in front, ``format``.
    """
    import av

    if isinstance(frames, int):
        frames = [picture(number, size) for number in range(frames)]
    codec = how.get("codec", "libx264")
    front = {"movflags": "faststart"} if how.get("front") else {}
    options = {"preset": "ultrafast", "threads": "1", "qp": "4"} if codec == "libx264" else {}
    with av.open(str(path), "w", format=how.get("format"), container_options=front) as container:
        stream = container.add_stream(codec, rate=Fraction(fps), options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = how.get("pixels", "yuv420p")
        stream.codec_context.gop_size = gop
        if "turned" in how:
            stream.set_display_rotation(how["turned"])
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, levels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(levels, "gray" if levels.ndim == 2 else "rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts = number if stamps is None else int(stamps[number])
            frame.time_base = Fraction(1, 1000) if stamps is not None else 1 / Fraction(fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def sound(path):
    """Encode a second of silence."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def still(path, levels):
    """Write one image file."""
    import av

    codec = {".png": "png", ".jpg": "mjpeg", ".bmp": "bmp"}[path.suffix]
    pixels = {".png": "gray", ".jpg": "yuvj420p", ".bmp": "bgr24"}[path.suffix]
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream(codec, rate=1)
        stream.height, stream.width = levels.shape[:2]
        stream.pix_fmt = pixels
        frame = av.VideoFrame.from_ndarray(levels, "gray" if levels.ndim == 2 else "rgb24")
        container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode())
    return path
