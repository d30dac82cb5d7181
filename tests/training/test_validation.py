"""The held-out loss during training: the same windows, the same masks, and no other effect."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bandpass.data import Store, Windows, prepare
from bandpass.data.sources import SOURCES
from bandpass.models import JEPA
from bandpass.recipes import (
    Recipe,
    build_curriculum,
    build_jepa,
    build_windows,
    find,
    override,
)
from bandpass.training import fit
from bandpass.training.validation import MOST, Validation

RECIPE = override(
    find("series"),
    (
        *("windows.length=32", "windows.stride=2", "grounding=1.0", "final_grounding=0.0"),
        *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
        *("predictor.dim=12", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
    ),
)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    folder = tmp_path_factory.mktemp("plant")
    some = {"series": 2, "rows": 3000, "channels": 4}
    store = prepare(SOURCES["plant"], folder, folder / "store", **some)
    return Windows(store, 32, 2, "test")


@pytest.fixture(scope="module")
def jepa() -> JEPA:
    return build_jepa(RECIPE, 4)


def test_the_same_weights_have_the_same_loss(windows: Windows, jepa: JEPA) -> None:
    one, other = (Validation(windows, RECIPE.train) for _ in range(2))
    assert one(jepa, 5) == other(jepa, 5) == one(jepa, 5) > 0


def test_no_generator_is_touched_and_no_gradient_left(windows: Windows, jepa: JEPA) -> None:
    before = torch.get_rng_state()
    Validation(windows, RECIPE.train)(jepa, 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(weight.grad is None for weight in jepa.parameters())
    assert jepa.training


def test_windows_are_some_of_all_and_each_once(windows: Windows) -> None:
    ids = Validation(windows, RECIPE.train).ids
    assert len(set(ids.tolist())) == len(ids) == min(MOST, len(windows))


def test_another_seed_looks_at_other_windows(windows: Windows) -> None:
    other = replace(RECIPE.train, seed=1)
    ids = Validation(windows, RECIPE.train).ids
    assert len(ids) == len(windows) or (Validation(windows, other).ids != ids).any()


def test_terms_weigh_what_they_weigh_at_the_step(windows: Windows, jepa: JEPA) -> None:
    validation = Validation(windows, RECIPE.train)
    assert validation(jepa, 0) > validation(jepa, RECIPE.train.steps)  # grounding has gone


def test_a_run_is_the_same_with_it_and_logs_it_when_due(
    recipe: Callable[..., Recipe], store: Store, tmp_path: Path
) -> None:
    weights = []
    for every in (0, 5):
        asked = recipe(f"validate_every={every}")
        train, test = (build_windows(asked, store, side) for side in ("train", "test"))
        plan = replace(build_curriculum(asked, train), held_out=test)
        run = tmp_path / f"{every}"
        jepa = build_jepa(asked, store.shape)
        assert fit(jepa, train, plan, asked.train, run)
        weights.append(jepa.state_dict())
        rows = pq.read_table(run / "metrics.parquet").to_pylist()
        found = {row["step"]: row["validation"] for row in rows if np.isfinite(row["validation"])}
        assert list(found) == ([5, 10, 15, 20, 24] if every else [])
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
