"""A trunk that several JEPAs share: whose parameters it is, and who moves them."""

import copy
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import JEPA, MASKS, EncoderSettings, JEPASettings, MixedJEPA, PredictorSettings

SIZE = {"dim": 16, "depth": 1, "heads": 2, "mlp": 16}
SETTINGS = JEPASettings(EncoderSettings(**SIZE), PredictorSettings(**SIZE))


def series(**changes) -> JEPA:
    return JEPA(3, 16, replace(SETTINGS, **changes), PREDICTION_LOSSES["smooth-l1"])


def clips(**changes) -> JEPA:
    size = replace(SETTINGS.encoder, patch=2, space=4)
    chosen = replace(SETTINGS, encoder=size, **changes)
    return JEPA((8, 8, 1), 8, chosen, PREDICTION_LOSSES["smooth-l1"])


def mixed(**changes) -> MixedJEPA:
    torch.manual_seed(0)
    return MixedJEPA([series(**changes), clips(**changes)])


def loss_of(jepa: JEPA, rows: tuple[int, int]) -> torch.Tensor:
    values = torch.randn(4, *rows, generator=torch.Generator().manual_seed(1))
    mask = MASKS["multi-block"](4, jepa.grid, 0.4, torch.Generator().manual_seed(2))
    return jepa(values, torch.ones_like(values, dtype=torch.bool), mask).prediction.mean()


def test_blocks_are_the_same_parameters_and_fronts_are_not():
    model = mixed()
    one, other = model.members
    for mine, its in (
        (one.encoder, other.encoder),
        (one.predictor, other.predictor),
        (one.target.encoder, other.target.encoder),
    ):
        assert list(map(id, mine.blocks.parameters())) == list(map(id, its.blocks.parameters()))
        assert mine.embed is not its.embed
    assert one.to_raw.out_features != other.to_raw.out_features
    assert one.target.encoder.blocks is not one.encoder.blocks
    alone = sum(w.numel() for member in (series(), clips()) for w in member.parameters())
    shared = sum(
        w.numel() for part in (one.encoder, one.predictor) for w in part.blocks.parameters()
    )
    slow = sum(w.numel() for w in one.target.encoder.blocks.parameters())
    assert sum(w.numel() for w in model.parameters()) == alone - shared - slow


def test_a_step_of_one_member_moves_the_trunk_of_both_and_no_other_front():
    model = mixed()
    one, other = model.members
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    loss_of(one, (16, 3)).backward()
    optimizer.step()
    one.target.update(one.encoder, 0.5)
    moved = {n for n, w in model.state_dict().items() if not torch.equal(w, before[n])}
    assert not {name for name in moved if name.startswith("by_part.1.")}
    assert "by_part.0.encoder.blocks.0.expand.weight" in moved
    assert "by_part.0.target.encoder.blocks.0.expand.weight" in moved
    assert torch.equal(other.encoder.blocks[0].expand.weight, one.encoder.blocks[0].expand.weight)


def test_slow_copies_move_once_a_step():
    model = mixed()
    one, other = model.members
    slow, fast = (part.blocks[0].expand.weight for part in (one.target.encoder, one.encoder))
    with torch.no_grad():
        fast.add_(1)
    expected = torch.lerp(slow, fast, 0.25)
    other.target.update(other.encoder, 0.75)
    torch.testing.assert_close(one.target.encoder.blocks[0].expand.weight, expected)


@pytest.mark.parametrize("target", ["ema", "ema-standard", "same-encoder"])
def test_weights_survive_a_file_in_which_nothing_stands_twice(tmp_path, target):
    model = mixed(target=target)
    state = model.state_dict()
    assert len({weight.data_ptr() for weight in state.values()}) == len(state)
    save_file(state, tmp_path / "model.safetensors")
    torch.manual_seed(9)
    other = MixedJEPA([series(target=target), clips(target=target)])
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    for member, again, rows in zip(model.members, other.members, ((16, 3), (8, 64)), strict=True):
        assert torch.equal(loss_of(member, rows), loss_of(again, rows))
    assert other.members[0].encoder.blocks is other.members[1].encoder.blocks


def test_a_member_is_a_whole_jepa():
    model = mixed()
    alone = clips()
    alone.load_state_dict(model.members[1].state_dict())
    assert torch.equal(loss_of(alone, (8, 64)), loss_of(model.members[1], (8, 64)))


def test_weights_of_a_missing_trunk_are_refused():
    model = mixed()
    state = model.state_dict()
    del state["by_part.0.encoder.blocks.0.expand.weight"]
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict(state)


def test_a_copy_shares_among_its_own():
    twin = copy.deepcopy(mixed())
    assert twin.members[0].encoder.blocks is twin.members[1].encoder.blocks
    assert len({weight.data_ptr() for weight in twin.state_dict().values()}) == len(
        twin.state_dict()
    )


def test_a_jepa_is_its_own_only_member():
    jepa = series()
    assert jepa.members == (jepa,)


@pytest.mark.parametrize(
    "other",
    [
        lambda: series(encoder=replace(SETTINGS.encoder, depth=2)),
        lambda: series(predictor=replace(SETTINGS.predictor, mlp=32)),
        lambda: series(encoder=replace(SETTINGS.encoder, heads=4)),
        lambda: series(predictor=replace(SETTINGS.predictor, heads=1)),
        lambda: series(target="same-encoder"),
    ],
    ids=["depth", "mlp", "heads", "heads of the predictor", "teacher"],
)
def test_members_of_another_size_are_refused(other):
    with pytest.raises(ValueError, match="member 1 cannot share the blocks of the first"):
        MixedJEPA([clips(), other()])
