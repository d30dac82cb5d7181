import pytest
import torch

from bandpass.models import EncoderSettings, PatchEncoder, Patches
from bandpass.models.encoder import take

SETTINGS = EncoderSettings(patch=4, dim=16, depth=2, heads=2, mlp=32)


def encoder() -> PatchEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PatchEncoder(Patches(3, 32, 4), SETTINGS)


def test_takes_the_tokens_of_each_sample():
    tokens = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    index = torch.tensor([[4, 0], [1, 1]])
    assert torch.equal(take(tokens, index)[0], tokens[0, [4, 0]])
    assert torch.equal(take(tokens, index)[1], tokens[1, [1, 1]])


def test_tells_missing_from_zero(windows):
    values = torch.zeros_like(windows[0])
    present = torch.ones_like(windows[1])
    model = encoder()
    assert not torch.allclose(model(values, present), model(values, ~present))


def test_magnitude_survives():
    """A final LayerNorm would make a window and its tenfold indistinguishable in length."""
    values = torch.randn(4, 32, 3, generator=torch.Generator().manual_seed(0))
    present = torch.ones(4, 32, 3, dtype=torch.bool)
    model = encoder()
    length = [model(scale * values, present).norm(dim=-1).mean() for scale in (1, 10)]
    assert length[1] > 2 * length[0]


def test_order_of_tokens_matters():
    values = torch.zeros(1, 32, 3)
    tokens = encoder()(values, torch.ones_like(values, dtype=torch.bool))[0]
    assert torch.cdist(tokens, tokens)[~torch.eye(8, dtype=torch.bool)].min() > 1e-3


def test_visible_tokens_keep_their_positions():
    """With attention silenced, a token is the same whether or not others are seen."""
    model = encoder()
    for block in model.blocks:
        torch.nn.init.zeros_(block.attention.project.weight)
    values = torch.randn(2, 32, 3, generator=torch.Generator().manual_seed(0))
    present = torch.ones_like(values, dtype=torch.bool)
    keep = torch.tensor([[1, 6], [7, 0]])
    assert torch.allclose(model(values, present, keep), take(model(values, present), keep))


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="dim 16 is not divisible by heads 3"):
        PatchEncoder(Patches(3, 32, 4), EncoderSettings(dim=16, heads=3))
