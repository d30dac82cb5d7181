"""Fast SIGReg against the textbook form: forward and backward, equal values, side by side.

The claim is made for 512 samples of 1,024 dimensions and 1,024 directions in float32, drawing the
directions included. Beside it: many small groups, as in training per position, and 256 directions,
where projecting on them, which both sides do alike, is half of the fast side's time. Run it as
``python benchmarks/sigreg.py [--quick] [--threads N]``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bandpass.losses.sigreg import sigreg, unit_directions

GOAL_SPEED, GOAL_ERROR = 4.0, 1e-5


@dataclass(frozen=True)
class Case:
    """A size to time: shape of the input and number of directions."""

    shape: tuple[int, ...]
    directions: int


CLAIMED = Case((512, 1024), 1024)
BESIDE = [Case((512, 1024), 256), Case((96, 32, 64), 256)]


def textbook(z: Tensor, *, directions: int, generator: torch.Generator) -> Tensor:
    """SIGReg as in LeJEPA's minimal code (arXiv 2511.08544): sin and cos at every knot."""
    sketch = unit_directions(z.shape[-1], directions, generator).to(z)
    t = torch.linspace(0, 3, 17, dtype=z.dtype)
    weights = torch.full((17,), 2 * 3 / 16, dtype=z.dtype)
    weights[[0, -1]] = 3 / 16
    phi = torch.exp(-t.square() / 2)
    x = (z @ sketch.mT).unsqueeze(-1) * t
    error = (x.cos().mean(-3) - phi).square() + x.sin().mean(-3).square()
    return ((error @ (weights * phi)) * z.shape[-2]).mean()


def run(loss: Callable[..., Tensor], case: Case) -> tuple[float, Tensor, Tensor]:
    """Seconds of one forward and backward pass, its value and its gradient."""
    z = torch.randn(case.shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    start = time.perf_counter()
    generator = torch.Generator().manual_seed(1)
    value = loss(z, directions=case.directions, generator=generator)
    value.backward()
    seconds = time.perf_counter() - start
    assert z.grad is not None
    return seconds, value.detach(), z.grad


def compare(case: Case, repeats: int) -> tuple[float, float]:
    """Print both sides of one size; return the speed-up and the larger relative error."""
    _, expected, expected_gradient = run(textbook, case)
    _, value, gradient = run(sigreg, case)
    error = float((value - expected).abs() / expected)
    gradient_error = float(
        (gradient - expected_gradient).abs().max() / expected_gradient.abs().max()
    )
    slow: list[float] = []
    fast: list[float] = []
    for _ in range(repeats):  # in turn, so that a busy machine slows both
        slow.append(run(textbook, case)[0])
        fast.append(run(sigreg, case)[0])
    speed = statistics.median(slow) / statistics.median(fast)
    shape = " x ".join(map(str, case.shape))
    print(
        f"{shape}, {case.directions} directions: textbook {1e3 * statistics.median(slow):.1f} ms, "
        f"fast {1e3 * statistics.median(fast):.1f} ms, {speed:.1f}x "
        f"({min(slow) / min(fast):.1f}x at best); "
        f"relative error {error:.1e} in value, {gradient_error:.1e} in gradient"
    )
    return speed, max(error, gradient_error)


def main() -> int:
    """Time all sizes and give the verdict on the claimed one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, under 40 s")
    parser.add_argument("--threads", type=int, default=1, help="threads torch may use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    repeats = 9 if arguments.quick else 31
    print(f"float32, {arguments.threads} thread(s), medians of {repeats} interleaved repeats")
    errors = [compare(case, repeats)[1] for case in BESIDE]
    speed, error = compare(CLAIMED, repeats)
    holds = speed >= GOAL_SPEED and max(error, *errors) <= GOAL_ERROR
    print(
        f"speed-up of fast SIGReg over the textbook form at 512 x 1024, equal to {GOAL_ERROR:.0e}: "
        f"{speed:.1f}x (goal at least {GOAL_SPEED:g}x): {'holds' if holds else 'falls short'}"
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
