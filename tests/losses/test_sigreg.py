import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bandpass.losses.sigreg import expected_statistic, sigreg, unit_directions


def textbook(
    z: torch.Tensor, *, directions: int, generator: torch.Generator, knots: int = 17
) -> torch.Tensor:
    """The statistic as LeJEPA's minimal code writes it: every knot of every projection."""
    sketch = unit_directions(z.shape[-1], directions, generator).to(z)
    t = torch.linspace(0, 3, knots, dtype=z.dtype)
    weights = torch.full((knots,), 2 * 3 / (knots - 1), dtype=z.dtype)
    weights[[0, -1]] /= 2
    phi = torch.exp(-t.square() / 2)
    x = (z @ sketch.T).unsqueeze(-1) * t
    error = (x.cos().mean(-3) - phi).square() + x.sin().mean(-3).square()
    return ((error @ (weights * phi)) * z.shape[-2]).mean()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_gradient(loss, z, **options):
    z = z.clone().requires_grad_()
    value = loss(z, generator=seeded(1), **options)
    value.backward()
    return value.detach(), z.grad


def assert_equals_the_textbook(z, **options):
    """A float32 statistic against the textbook form in float64, in value and in gradient."""
    value, gradient = with_gradient(sigreg, z, **options)
    expected, expected_gradient = with_gradient(textbook, z.double(), **options)
    assert abs(value - expected) <= 1e-5 * max(1.0, expected)
    assert (gradient - expected_gradient).abs().max() <= 1e-5 * expected_gradient.abs().max()


@pytest.mark.parametrize(
    ("shape", "directions", "knots"),
    [
        ((64, 16), 32, 17),
        ((5, 32, 16), 64, 17),
        ((2, 3, 8, 4), 16, 17),
        ((1, 4), 3, 17),
        ((700, 8), 100, 17),  # more than one chunk, the last one partial
        ((32, 8), 16, 2),  # one power
        ((32, 8), 16, 12),  # powers that do not fill their grid
        ((32, 8), 16, 33),
    ],
)
def test_equals_the_textbook_form(shape, directions, knots):
    z = torch.randn(shape, generator=seeded()) + 0.3
    assert_equals_the_textbook(z, directions=directions, knots=knots)


@pytest.mark.parametrize("scale", [1e-3, 0.1, 10.0])
def test_equals_the_textbook_form_far_from_unit_scale(scale):
    assert_equals_the_textbook(scale * torch.randn(64, 16, generator=seeded()), directions=32)


def test_gradient_is_exact():
    z = torch.randn(2, 6, 3, generator=seeded(), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: sigreg(x, directions=5, generator=seeded()), z)


def test_second_derivative_is_refused():
    z = torch.randn(6, 3, generator=seeded(), requires_grad=True)
    with pytest.raises(RuntimeError, match="cannot be differentiated twice"):
        torch.autograd.grad(sigreg(z, directions=4), z, create_graph=True)


def test_keeps_one_number_per_projection():
    z = torch.randn(64, 32, generator=seeded(), requires_grad=True)
    kept: list[int] = []

    def pack(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        sigreg(z, directions=128)
    assert sum(kept) <= 64 * 128 + 2 * 32 * 128  # the derivative, and what the sketch keeps


def test_directions_follow_the_generator():
    z = torch.randn(32, 8, generator=seeded())
    first, again, other = (sigreg(z, directions=8, generator=seeded(s)) for s in (1, 1, 2))
    assert first == again != other
    generator = seeded(1)
    assert sigreg(z, directions=8, generator=generator) == first
    assert sigreg(z, directions=8, generator=generator) != first, "a generator must advance"
    assert sigreg(z, directions=8) == sigreg(z, directions=8)


def test_directions_have_unit_length_and_no_preference():
    sketch = unit_directions(3, 20_000, seeded())
    torch.testing.assert_close(sketch.norm(dim=1), torch.ones(20_000))
    # each coordinate has mean 0 and mean square 1/3: standard errors .004 and .002
    assert sketch.mean(dim=0).abs().max() < 0.02
    assert (sketch.square().mean(dim=0) - 1 / 3).abs().max() < 0.01


def test_expected_statistic_sums_the_knots():
    t = torch.arange(17, dtype=torch.float64) * 3 / 16
    weight = torch.exp(-t.square() / 2) * 3 / 8
    weight[[0, -1]] /= 2
    assert expected_statistic() == pytest.approx(float((weight * (1 - torch.exp(-t * t))).sum()))


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((0, 8), {}, r"got \(0, 8\)"),
        ((4, 8), {"directions": 0}, "directions >= 1 and knots >= 2, got 0 and 17"),
        ((4, 8), {"knots": 1}, "got 256 and 1"),
    ],
)
def test_bad_input_is_named(shape, options, message):
    with pytest.raises(ValueError, match=message):
        sigreg(torch.zeros(shape), **options)


def test_two_ranks_equal_one_process(tmp_path):
    """Loss alike on both ranks, and DistributedDataParallel averages to the same gradient.

    The ranks hold different numbers of samples, which the statistic must weigh.
    """
    script = Path(__file__).with_name("rank.py")
    ranks = [
        subprocess.Popen([sys.executable, script, str(rank), "9", str(tmp_path)]) for rank in (0, 1)
    ]
    assert [rank.wait(timeout=280) for rank in ranks] == [0, 0]
    runpy.run_path(str(script))["main"]("single", 24, tmp_path)
    expected = torch.load(tmp_path / "single.pt")
    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(found["loss"], expected["loss"], rtol=1e-6, atol=0)
        torch.testing.assert_close(found["gradient"], expected["gradient"], rtol=1e-5, atol=1e-6)
