"""Small videos and pictures, encoded with PyAV, for what looks like the real sets."""

from fractions import Fraction


def encode(path, frames, fps):
    """Write (S, height, width) uint8 as grey frames; the container goes by the suffix."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    codec = {".png": "png", ".avi": "mpeg4"}.get(path.suffix, "libx264")
    options = {"format": "image2", "options": {"update": "1"}} if path.suffix == ".png" else {}
    with av.open(str(path), "w", **options) as container:
        fast = {"preset": "ultrafast", "threads": "1"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=Fraction(fps), options=fast)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "gray" if codec == "png" else "yuv420p"
        for levels in frames:
            frame = av.VideoFrame.from_ndarray(levels, format="gray")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode())
