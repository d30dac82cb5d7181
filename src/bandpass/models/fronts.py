"""Fronts: what a token of a window is. All that a model knows of its modality."""

import torch
from torch import Tensor

from bandpass._types import Observed, Windows


class Patches:
    """Consecutive rows of a multivariate series.

    Args:
        channels: Channels of a window.
        time: Rows of a window, a whole number of patches.
        patch: Rows of a patch.

    Attributes:
        grid: (patches,) of a window.
        width: Values of a patch.
        inputs: Numbers that a patch is embedded from: its values, and which of them are known.
    """

    def __init__(self, channels: int, time: int, patch: int) -> None:
        if time % patch:
            raise ValueError(f"window length {time} is not a multiple of the patch size {patch}")
        self.grid = (time // patch,)
        self.width = patch * channels
        self.inputs = 2 * self.width
        self._patch = patch

    def cut(self, rows: Tensor) -> Tensor:
        """Cut (batch, time, channels) into (batch, patches, patch * channels)."""
        batch, time, _ = rows.shape
        expected = self.grid[0] * self._patch
        if time != expected:
            raise ValueError(f"a window has {time} rows, the model is for {expected}")
        return rows.reshape(batch, self.grid[0], -1)

    def see(self, values: Windows, observed: Observed) -> Tensor:
        """Cut values and their presence into (batch, patches, inputs)."""
        return self.cut(torch.cat([values, observed.to(values.dtype)], dim=-1))


class Tubelets:
    """Blocks of pixels over a few frames of a clip (ViViT, arXiv 2103.15691, section 3.2).

    A frame is there or not, so presence is a number a frame and not one a pixel.

    Args:
        frame: (height, width, colours) of a frame; the sides are whole numbers of ``space``.
        time: Frames of a clip, a whole number of ``patch``.
        patch: Frames of a tubelet.
        space: Pixels along its sides.

    Attributes:
        grid: (time, height, width) in tubelets; tokens are numbered in this order, width fastest.
        width: Values of a tubelet.
        inputs: Numbers that a tubelet is embedded from.
    """

    def __init__(self, frame: tuple[int, int, int], time: int, patch: int, space: int) -> None:
        height, width, colours = frame
        if time % patch:
            raise ValueError(f"clip length {time} is not a multiple of the patch size {patch}")
        if height % space or width % space:
            raise ValueError(
                f"frames of {height} x {width} cannot be cut into tubelets of {space} x {space} "
                "pixels: change encoder.space, or prepare frames of another size"
            )
        self.grid = (time // patch, height // space, width // space)
        self.width = patch * space * space * colours
        self.inputs = self.width + patch
        self._sides = (patch, space, space, colours)

    def cut(self, rows: Tensor) -> Tensor:
        """Cut (batch, time, height * width * colours) into (batch, tubelets, width)."""
        (times, highs, wides), (patch, space, _, colours) = self.grid, self._sides
        expected = (times * patch, highs * wides * space * space * colours)
        if rows.shape[1:] != expected:
            raise ValueError(
                f"a clip has {rows.shape[1]} frames of {rows.shape[2]} values, the model is for "
                f"{expected[0]} frames of {expected[1]}"
            )
        blocks = rows.reshape(len(rows), times, patch, highs, space, wides, space, colours)
        return blocks.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(len(rows), -1, self.width)

    def see(self, values: Windows, observed: Observed) -> Tensor:
        """Cut values into (batch, tubelets, inputs), the presence of their frames with them."""
        times, highs, wides = self.grid
        frames = observed[..., 0].to(values.dtype).reshape(len(values), times, 1, -1)
        known = frames.expand(-1, -1, highs * wides, -1).flatten(1, 2)
        return torch.cat([self.cut(values), known], dim=-1)


Front = Patches | Tubelets


def front(shape: int | tuple[int, ...], time: int, patch: int, space: int) -> Front:
    """Return the front of windows whose rows have this shape.

    Args:
        shape: Channels of a row, or (height, width, colours) of a frame.
        time: Rows of a window.
        patch: Rows of a token.
        space: Pixels along a side of a token, of frames.

    Raises:
        ValueError: If the rows cannot be cut like that.
    """
    if isinstance(shape, int):
        return Patches(shape, time, patch)
    if len(shape) == 1:
        return Patches(shape[0], time, patch)
    height, width, colours = shape
    return Tubelets((height, width, colours), time, patch, space)
