"""What a token of a series is, and what one of a clip is."""

import pytest
import torch

from bandpass.models import Patches, Tubelets
from bandpass.models.fronts import front
from bandpass.models.layers import sincos_grid, sincos_positions

FRAME, TIME, PATCH, SPACE = (6, 9, 2), 4, 2, 3


@pytest.fixture
def tubelets() -> Tubelets:
    return Tubelets(FRAME, TIME, PATCH, SPACE)


@pytest.fixture
def clips() -> torch.Tensor:
    """(clips, time, values of a frame), every value another number."""
    height, width, colours = FRAME
    return torch.arange(2.0 * TIME * height * width * colours).view(2, TIME, -1)


def test_a_patch_holds_consecutive_rows():
    series = torch.arange(2 * 8 * 3.0).view(2, 8, 3)
    patches = Patches(3, 8, 4)
    assert patches.grid == (2,)
    found = patches.cut(series)
    assert found.shape == (2, 2, patches.width)
    assert torch.equal(found[1, 1], series[1, 4:].flatten())


def test_a_tubelet_holds_its_pixels_over_its_frames(tubelets, clips):
    assert tubelets.grid == (2, 2, 3)
    assert tubelets.width == PATCH * SPACE * SPACE * FRAME[2]
    found = tubelets.cut(clips).view(2, *tubelets.grid, PATCH, SPACE, SPACE, FRAME[2])
    frames = clips.view(2, TIME, *FRAME)
    for time in range(2):
        for y in range(2):
            for x in range(3):
                own = frames[:, 2 * time : 2 * time + 2, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3]
                assert torch.equal(found[:, time, y, x], own)


def test_tubelets_are_numbered_time_first_and_width_fastest(tubelets):
    clip = torch.zeros(1, TIME, *FRAME)
    clip[0, 2, 0, 8, 1] = 1  # third frame, top, right
    touched = tubelets.cut(clip.flatten(2)).abs().sum(dim=2)
    assert touched.nonzero().tolist() == [[0, 1 * 6 + 0 * 3 + 2]]


def test_a_tubelet_tells_which_of_its_frames_are_missing(tubelets, clips):
    observed = torch.ones(2, TIME, 1, dtype=torch.bool)
    observed[1, 3] = False
    seen = tubelets.see(clips, observed.expand_as(clips))
    assert seen.shape == (2, 12, tubelets.inputs)
    assert torch.equal(seen[..., :-PATCH], tubelets.cut(clips))
    presence = seen[..., -PATCH:].view(2, 2, 6, PATCH)
    assert presence[0].all()
    assert presence[1, 0].all()
    assert torch.equal(presence[1, 1], torch.tensor([1.0, 0.0]).expand(6, -1))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((FRAME, 5, 2, 3), "clip length 5 is not a multiple of the patch size 2"),
        (((7, 9, 1), 4, 2, 3), "frames of 7 x 9 cannot be cut into tubelets of 3 x 3 pixels"),
        (((6, 10, 1), 4, 2, 3), "change encoder.space, or prepare frames of another size"),
    ],
)
def test_refuses_frames_that_no_tubelet_fits(size, message):
    with pytest.raises(ValueError, match=message):
        Tubelets(*size)


def test_refuses_windows_of_another_length(tubelets, clips):
    with pytest.raises(ValueError, match="a window has 12 rows, the model is for 8"):
        Patches(3, 8, 4).cut(torch.zeros(1, 12, 3))
    with pytest.raises(ValueError, match="a clip has 2 frames of 108 values, the model is for 4"):
        tubelets.cut(clips[:, :2])
    with pytest.raises(ValueError, match=r"a clip has 4 frames of 54 values, .* frames of 108"):
        tubelets.cut(clips[..., :54])


def test_a_front_is_known_by_the_shape_of_a_row():
    assert isinstance(front(3, 8, 4, space=8), Patches)
    assert front((3,), 8, 4, space=8).width == front(3, 8, 4, space=8).width
    assert isinstance(front((8, 16, 1), 8, 4, space=8), Tubelets)


def test_positions_of_a_series_are_those_of_one_axis():
    for dim in (5, 12, 64):
        assert torch.equal(sincos_grid((9,), dim), sincos_positions(9, dim))


@pytest.mark.parametrize("dim", [6, 16, 64])
def test_every_place_of_a_grid_has_a_position_of_its_own_made_of_its_axes(dim):
    grid = (4, 3, 2)
    found = sincos_grid(grid, dim)
    assert found.shape == (24, dim)
    assert torch.cdist(found, found)[~torch.eye(24, dtype=torch.bool)].min() > 0.1
    part = 2 * (dim // 6)
    by_axis = found.view(*grid, dim).split([dim - 2 * part, part, part], dim=-1)
    for axis, (side, own) in enumerate(zip(grid, by_axis, strict=True)):
        expected = sincos_positions(side, own.shape[-1])
        shape = [side if other == axis else 1 for other in range(3)]
        assert torch.equal(own, expected.view(*shape, -1).expand_as(own))


def test_positions_that_an_axis_has_no_room_for_are_refused():
    with pytest.raises(ValueError, match="dim 4 is too small for positions on 3 axes"):
        sincos_grid((2, 2, 2), 4)
