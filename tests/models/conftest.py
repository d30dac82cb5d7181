import pytest
import torch
from torch import Tensor

from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import JEPA, MASKS, EncoderSettings, JEPASettings, Mask, PredictorSettings

CHANNELS, TIME, PATCH, BATCH = 3, 32, 4, 5


@pytest.fixture
def build():
    """Builds a JEPA of 8 tokens, the same one at every call."""

    def build(**settings: object) -> JEPA:
        sizes = JEPASettings(
            encoder=EncoderSettings(patch=PATCH, dim=16, depth=1, heads=2, mlp=32),
            predictor=PredictorSettings(dim=12, depth=1, heads=2, mlp=24),
            **settings,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return JEPA(CHANNELS, TIME, sizes, PREDICTION_LOSSES["smooth-l1"])

    return build


@pytest.fixture
def deep():
    """Builds a JEPA of 8 tokens whose encoder has four blocks."""

    def deep(target: str) -> JEPA:
        sizes = JEPASettings(
            encoder=EncoderSettings(patch=PATCH, dim=16, depth=4, heads=2, mlp=32),
            predictor=PredictorSettings(dim=16, depth=1, heads=2, mlp=32),
            target=target,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return JEPA(CHANNELS, TIME, sizes, PREDICTION_LOSSES["smooth-l1"])

    return deep


@pytest.fixture
def windows() -> tuple[Tensor, Tensor]:
    """Values, 0 where missing, and what was observed."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(BATCH, TIME, CHANNELS, generator=generator)
    observed = torch.rand(BATCH, TIME, CHANNELS, generator=generator) > 0.1
    return values * observed, observed


@pytest.fixture
def mask() -> Mask:
    return MASKS["span"](BATCH, (TIME // PATCH,), 0.4, torch.Generator().manual_seed(2))


@pytest.fixture
def hidden_rows(mask: Mask) -> Tensor:
    """(batch, time, 1) bool: the rows of hidden tokens."""
    hidden = torch.zeros(BATCH, TIME // PATCH, dtype=torch.bool).scatter(1, mask.target, True)
    return hidden.repeat_interleave(PATCH, dim=1)[..., None]
