import pytest
import torch

from bandpass.losses import covariance, variance, vicreg


def reference(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Variance and covariance of (samples, dim), as the authors' training script computes them.

    facebookresearch/vicreg, main_vicreg.py, for one of its two branches.
    """
    x = z - z.mean(dim=0)
    std_x = torch.sqrt(x.var(dim=0) + 0.0001)
    cov_x = (x.T @ x) / (len(x) - 1)
    dim = cov_x.shape[0]
    off_diagonal = cov_x.flatten()[:-1].view(dim - 1, dim + 1)[:, 1:].flatten()
    return torch.mean(torch.relu(1 - std_x)), off_diagonal.pow(2).sum().div(dim)


def correlated(samples: int, dim: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(dim, dim, generator=generator, dtype=torch.float64) / dim
    return torch.randn(samples, dim, generator=generator, dtype=torch.float64) @ mixing + 3.0


@pytest.mark.parametrize("shape", [(2, 3), (40, 8), (16, 33)])
def test_equals_the_reference(shape):
    z = correlated(*shape)
    expected_variance, expected_covariance = reference(z)
    assert expected_variance > 0.01
    assert expected_covariance > 1e-4
    torch.testing.assert_close(variance(z), expected_variance)
    torch.testing.assert_close(covariance(z), expected_covariance)
    torch.testing.assert_close(
        vicreg(z, variance_weight=7.0, covariance_weight=3.0),
        7.0 * expected_variance + 3.0 * expected_covariance,
    )


def test_default_weights_are_those_of_the_paper():
    z = correlated(40, 8)
    torch.testing.assert_close(vicreg(z), 25.0 * variance(z) + covariance(z))


def test_gradient_is_finite_at_collapse():
    z = torch.ones(8, 4, requires_grad=True)
    vicreg(z).backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
    assert variance(z.detach()) == pytest.approx(0.99)


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 samples, got \(1, 4\)"):
        vicreg(torch.zeros(1, 4))
