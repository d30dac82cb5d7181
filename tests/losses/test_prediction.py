import pytest
import torch

from bandpass.losses import PREDICTION_LOSSES

TARGET = torch.zeros(1, 2, 2)
PREDICTION = torch.tensor([[[3.0, 0.5], [0.0, -1.0]]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("smooth-l1", [[(2.5 + 0.125) / 2, 0.25]]),
        ("l1", [[1.75, 0.5]]),
        ("mse", [[4.625, 0.5]]),
    ],
)
def test_values_by_hand(name, expected):
    torch.testing.assert_close(PREDICTION_LOSSES[name](PREDICTION, TARGET), torch.tensor(expected))


def test_cosine_looks_at_direction_only():
    target = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])
    prediction = torch.tensor([[[5.0, 0.0], [0.0, 2.0], [-0.1, 0.0]]])
    torch.testing.assert_close(
        PREDICTION_LOSSES["cosine"](prediction, target), torch.tensor([[0.0, 1.0, 2.0]])
    )
