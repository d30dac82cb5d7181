import numpy as np
import pytest
import torch

from bandpass.data import prepare
from bandpass.data.sources import SOURCES
from bandpass.evaluation import block_groups
from bandpass.models import TARGETS
from bandpass.recipes import build_jepa, build_windows, find, override
from bandpass.scoring.targets import SCALED, target_agreement, target_surprise

TINY = (
    *("windows.length=32", "windows.stride=8", "seed=3"),
    *("encoder.dim=16", "encoder.depth=2", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    store = prepare(SOURCES["plant"], folder, folder / "store", series=2, rows=1500, channels=4)
    tiny = override(find("series"), TINY)
    windows = build_windows(tiny, store, "train")
    return build_jepa(tiny, store.shape), windows, np.arange(len(windows))


def test_every_target_gives_every_window_a_score(case):
    jepa, windows, ids = case
    groups = block_groups(*windows.locate(ids), 256)
    scores = target_surprise(jepa, windows, ids, groups)
    assert set(scores) == set(TARGETS) - set(SCALED)
    for found in scores.values():
        assert found.shape == ids.shape
        assert np.isfinite(found).all()
        assert -6 < np.mean(found) < 1  # in units of the target's variance


def test_an_untrained_teacher_is_the_same_encoder_but_for_the_norm(case):
    jepa, windows, ids = case
    table = target_agreement(jepa, windows, ids)
    assert len(table) == 10
    assert all(set(pair) <= set(TARGETS) for pair in table)
    for found in table.values():
        assert -1 <= found["spearman"].value <= 1
        assert 0 <= found["top_overlap"].value <= 1
        assert found["spearman"].count == len(ids)
    again = target_agreement(jepa, windows, ids)
    assert again == table


def test_a_window_that_breaks_its_own_rule_surprises_every_target(case):
    jepa, windows, ids = case

    class Broken(type(windows)):
        def __getitems__(self, some):
            batch = super().__getitems__(some)
            for place, one in enumerate(some):
                if one == 40:
                    batch.values[place, 8:28] = 8 * (-1.0) ** torch.arange(20)[:, None]
            return batch

    broken = object.__new__(Broken)
    broken.__dict__.update(windows.__dict__)
    scores = target_surprise(jepa, broken, ids, block_groups(*windows.locate(ids), 256))
    for name, found in scores.items():
        assert (found < found[40]).mean() > 0.9, name


def test_one_group_has_no_halves(case):
    jepa, windows, ids = case
    with pytest.raises(ValueError, match="at least two"):
        target_surprise(jepa, windows, ids, np.zeros(len(ids), dtype=int))
