"""A tiny task that every loop here trains: a row is a window, its loss how badly it is copied."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

from bandpass.curriculum import SurpriseBand

N, BATCH, STEPS = 300, 8, 60
ROWS = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
ROWS[::40] *= 4  # some surprise


class Rows(Dataset):
    """Plain map-style: knows single indices only."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: int) -> Tensor:
        return ROWS[index]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(ROWS)


class Copier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        with torch.no_grad():
            self.layer.weight.copy_(torch.eye(4).roll(1, 0))
            self.layer.bias.zero_()

    def forward(self, rows: Tensor) -> Tensor:
        return (self.layer(rows) - rows).square().mean(dim=1)


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def make_band() -> Callable[..., SurpriseBand]:
    def make(steps: int = STEPS, **options) -> SurpriseBand:
        return SurpriseBand(N, BATCH, steps=steps, seed=3, **options)

    return make


@pytest.fixture
def copier() -> type[Copier]:
    return Copier


@pytest.fixture(scope="session")
def exact() -> Callable[[object], str]:
    """A state as text, to the last bit; NaN equals NaN."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return (str(value.dtype), value.tolist()) if isinstance(value, Tensor) else value

    return lambda state: repr(plain(state))
