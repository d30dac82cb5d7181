"""Whole cells on a tiny plant: trained, measured, gone; the same again bit for bit."""

import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from bandpass.bench import cells
from bandpass.bench.arms import find_arm
from bandpass.bench.cells import prepared, run_cell
from bandpass.bench.declared import BENCHMARKS, Group
from bandpass.bench.grid import Cell
from bandpass.data import prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import find, override
from bandpass.runs.run import RunError
from bandpass.training import loop, step
from bandpass.training.checkpoint import latest

STREAM = (Group(0.85, "normal"), Group(0.05, "rare"), Group(0.1, "corrupt"))
TOY = replace(BENCHMARKS["plant"], stream=STREAM)
BASE = override(
    find("series"),
    [
        *("steps=12", "batch=8", "log_every=4", "device=cpu", "coverage=table"),
        *("windows.length=32", "windows.stride=16", "masks=span,future"),
        *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
        *("predictor.dim=12", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
    ],
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    options = {"series": 6, "rows": 1500, "channels": 4, "failure_rate": 3.0, "corrupt": 0.1}
    return prepare(SOURCES["plant"], folder, folder / "store", **options)


def cell(folder, arm="uniform", *, seed=3, steps=12, changes=()) -> Cell:
    recipe = override(find_arm(arm).recipe(BASE), [f"seed={seed}", *changes])
    return Cell(TOY, arm, recipe, ("flops",), seed, steps, folder / "cell", 1.0, 1.0)


@pytest.fixture
def watched(monkeypatch):
    """What the steps of a run begin with and see."""
    seen = SimpleNamespace(weights=[], masks=[], draws=[])
    train_step, forward = loop.train_step, step.forward

    def stepped(jepa, *others):
        if others[-1] == 0:
            weights = {name: each.clone() for name, each in jepa.state_dict().items()}
            seen.weights.append(weights)
        result = train_step(jepa, *others)
        seen.draws.append(list(result.draw))
        return result

    def forwarded(*given):
        output = forward(*given)
        seen.masks.append((output.mask.context.clone(), output.mask.target.clone()))
        return output

    monkeypatch.setattr(loop, "train_step", stepped)
    monkeypatch.setattr(step, "forward", forwarded)
    return seen


def test_a_cell_says_where_its_slots_went_and_stays_until_that_is_kept(store, tmp_path):
    logged = []
    one = cell(tmp_path)
    found = run_cell(one, store.path, lambda name, row, log: logged.append(row["step"]))
    values = {each[:2]: each[2] for each in found}
    assert logged == [4, 8, 12]
    assert run_cell(one, store.path) == found  # nothing is trained again
    assert len(values) == len(found)
    for kind in ("slots", "natural"):  # every window of this stream is in one slice
        assert sum(values[kind, name] for name in cells.SLICES) == pytest.approx(1)
    train = prepared(TOY, one.recipe, store)[0].train
    for group in STREAM:
        assert values["natural", group.slice] == pytest.approx(group.share, abs=1 / len(train))
    assert 0 < values["slots", "ess"] <= 1
    assert values["slots", "never drawn"] == pytest.approx(1 - 12 * 8 / len(train))
    assert {"future readout, normal", "few-shot rare", "health"} <= {task for task, _ in values}
    assert "quarantine" not in {task for task, _ in values}


@pytest.mark.parametrize("arm", ["uniform", "band"])
def test_the_same_cell_twice_is_the_same_bit_for_bit(store, tmp_path, arm):
    first, again, other = (
        run_cell(cell(tmp_path / name, arm, seed=seed), store.path)
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert again == first != other
    assert (("quarantine", "windows") in {each[:2] for each in first}) == (arm == "band")


def test_another_order_keeps_weights_and_masks(store, tmp_path, watched):
    plain, again = (
        run_cell(cell(tmp_path / arm, arm), store.path) for arm in ("uniform", "uniform-again")
    )
    assert plain != again
    first, second = watched.weights
    assert all(torch.equal(each, second[name]) for name, each in first.items())
    assert len(watched.masks) == len(watched.draws) == 24
    for one, other in zip(watched.masks[:12], watched.masks[12:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert watched.draws[0] != watched.draws[12]
    for draws in (watched.draws[:12], watched.draws[12:]):
        ids = [one for draw in draws for one in draw]
        assert len(set(ids)) == len(ids)  # both go through an epoch


def test_without_steps_the_model_is_measured_as_it_is_initialised(store, tmp_path):
    one = cell(tmp_path, steps=0)
    found = run_cell(one, store.path)
    assert {"few-shot rare", "health"} <= {each[0] for each in found}
    assert not {"slots", "natural", "quarantine"} & {each[0] for each in found}
    assert not one.path.exists()


def test_ctrl_c_leaves_what_the_same_cell_goes_on_from(store, tmp_path):
    whole = run_cell(cell(tmp_path / "other"), store.path)
    one = cell(tmp_path)

    def stop(name, row, log):
        os.kill(os.getpid(), signal.SIGINT)

    assert run_cell(one, store.path, stop) is None
    assert latest(one.path) is not None
    logged = []
    assert run_cell(one, store.path, lambda name, row, log: logged.append(row["step"])) == whole
    assert logged == [8, 12]


def test_a_cell_that_was_trained_but_not_measured_is_not_trained_again(
    store, tmp_path, monkeypatch, watched
):
    whole = run_cell(cell(tmp_path / "other"), store.path)
    del watched.draws[:]

    def killed(*given):
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(cells, "measure", killed)
        with pytest.raises(MemoryError):
            run_cell(cell(tmp_path), store.path)
    assert len(watched.draws) == 12
    assert run_cell(cell(tmp_path), store.path) == whole
    assert len(watched.draws) == 12


def test_a_directory_of_another_cell_is_left_alone(store, tmp_path):
    def stop(name, row, log):
        os.kill(os.getpid(), signal.SIGINT)

    assert run_cell(cell(tmp_path), store.path, stop) is None
    with pytest.raises(RunError, match="holds another run"):
        run_cell(cell(tmp_path, seed=4), store.path)
    assert latest(cell(tmp_path).path) is not None


def test_arms_and_seeds_share_what_is_asked_and_other_windows_do_not(store, tmp_path):
    uniform = prepared(TOY, cell(tmp_path).recipe, store)
    for arm in ("band", "uniform-again", "target-layer", "oracle"):
        assert prepared(TOY, cell(tmp_path, arm, seed=9).recipe, store) is uniform
    others = [prepared(TOY, cell(tmp_path, changes=("windows.stride=8",)).recipe, store)]
    others += [prepared(replace(TOY, stream=()), cell(tmp_path).recipe, store)]
    others += [prepared(TOY, cell(tmp_path, changes=("encoder.patch=8",)).recipe, store)]
    assert all(other is not uniform for other in others)
    for _ in range(2):
        for stride in range(9, 9 + cells.MOST):
            prepared(TOY, cell(tmp_path, changes=(f"windows.stride={stride}",)).recipe, store)
    assert len(cells._kept) == cells.MOST
