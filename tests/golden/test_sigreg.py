"""Values of SIGReg that follow from calculus, not from any implementation."""

import math

import pytest
import torch

from bandpass.losses import sigreg

# Ending the integrals at t = 3 drops at most the Gaussian mass beyond it.
TRUNCATION = math.sqrt(2 * math.pi) * math.erfc(3 / math.sqrt(2))
QUADRATURE = 2e-4  # h^2 / 12 times the difference of the slopes at the ends, with h = 3 / 16


def test_expectation_on_gaussian_samples():
    """E[T] = sqrt(2 pi) (1 - 1 / sqrt 3) = 1.059, with the factor N and for any N.

    T of one direction has a standard deviation of 1.0; 400 draws of 16 dimensions hold 6,400
    independent projections, so that the standard error is .0125, and three of them are allowed.
    """
    expected = math.sqrt(2 * math.pi) * (1 - 1 / math.sqrt(3))
    assert expected == pytest.approx(1.059, abs=1e-3)
    generator = torch.Generator().manual_seed(0)
    for samples in (32, 256):
        z = torch.randn(400, samples, 16, generator=generator)
        statistic = float(sigreg(z, directions=64, generator=generator))
        assert statistic == pytest.approx(expected - TRUNCATION / 2, abs=TRUNCATION / 2 + 0.0375)


@pytest.mark.parametrize("samples", [1, 64, 1000])
def test_samples_that_are_all_zero(samples):
    """T / N is the integral of phi (1 - phi)^2: .409 over all t, .402 up to t = 3."""
    whole = math.sqrt(2 * math.pi) * (1 - math.sqrt(2) + 1 / math.sqrt(3))
    assert whole == pytest.approx(0.409, abs=1e-3)
    statistic = float(sigreg(torch.zeros(samples, 8))) / samples
    assert whole - TRUNCATION - QUADRATURE <= statistic <= whole
    assert statistic == pytest.approx(0.402, abs=1e-3)
