import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bandpass.data import DataError, open_store
from bandpass.recipes import RecipeError, from_dict
from bandpass.runs import RunError, open_run, train
from bandpass.training import checkpoint


def weights(run) -> dict[str, torch.Tensor]:
    newest = checkpoint.latest(run)
    assert newest is not None
    return checkpoint.load_weights(newest)


def test_leaves_what_a_run_directory_holds(run, recipe, store):
    names = {path.name for path in run.iterdir()}
    assert {"recipe.json", "environment.json", "metrics.parquet", "slots.parquet"} <= names
    assert {"band.parquet", "checkpoints", "raw-patch"} <= names
    opened = open_run(run)
    assert opened.recipe == recipe()
    assert opened.store_path == store.path.resolve()
    assert opened.open_store().hash == store.hash


def test_environment_tells_what_the_run_cost(run):
    about = json.loads((run / "environment.json").read_text())
    assert {"bandpass", "python", "torch", "platform", "threads"} <= about.keys()
    assert about["parameters"] == sum(
        value.numel() for name, value in weights(run).items() if not name.startswith("target.")
    )
    assert about["kappa"] == pytest.approx(12 * 8 / about["windows"])
    assert about["flops_per_step"] > 2 * 8 * about["parameters"]


def test_control_is_the_same_run_on_raw_patches(run):
    one, other = open_run(run).recipe, open_run(run / "raw-patch").recipe
    assert not other.model.latent
    assert (other.train.prediction, other.train.grounding) == (0.0, 1.0)
    assert (other.train.steps, other.train.batch) == (one.train.steps, one.train.batch)
    assert other.model.encoder == one.model.encoder
    assert checkpoint.latest(run / "raw-patch").name == checkpoint.latest(run).name
    assert weights(run).keys() == weights(run / "raw-patch").keys()


def test_same_seed_same_weights(run, recipe, store, tmp_path):
    assert train(recipe(), store, tmp_path / "again", with_control=False)
    again = weights(tmp_path / "again")
    assert all(torch.equal(value, again[name]) for name, value in weights(run).items())
    assert not (tmp_path / "again" / "raw-patch").exists()


def test_labels_never_enter_training(run, recipe, store, tmp_path):
    """Every label turned round: the slots are counted otherwise, not one weight differs."""
    shutil.copytree(store.path, tmp_path / "store")
    for name in ("label", "regime", "corrupt"):
        column = np.load(tmp_path / "store" / f"{name}.npy")
        np.save(tmp_path / "store" / f"{name}.npy", column.max() - column)
    assert train(recipe(), open_store(tmp_path / "store"), tmp_path / "run", with_control=False)
    blind = weights(tmp_path / "run")
    assert all(torch.equal(value, blind[name]) for name, value in weights(run).items())
    slots = [pq.read_table(at / "slots.parquet").to_pylist() for at in (run, tmp_path / "run")]
    assert slots[0] != slots[1]


def test_resuming_asks_for_the_same_recipe(run, recipe, store):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("step-*/*")}
    message = r"holds another run \(differs in train.lr, train.masks\): choose another --run"
    with pytest.raises(RunError, match=message):
        train(recipe("lr=1", "masks=future"), store, run)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("step-*/*")} == before


def test_resuming_asks_for_the_same_store(run, recipe, make_store):
    with pytest.raises(RunError, match=r"differs in store"):
        train(recipe(), make_store(seed=9), run)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("mask_ratio=0.01", RecipeError),
        ("windows.length=30", RecipeError),
        ("policy=best", RecipeError),
        ("bucket=colour", RecipeError),
        ("windows.length=4000", DataError),
    ],
)
def test_what_cannot_train_leaves_nothing_behind(recipe, store, tmp_path, change, error):
    with pytest.raises(error):
        train(recipe(change), store, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_recipe_json_is_the_recipe_and_where_its_data_lies(run, recipe, store):
    content = json.loads((run / "recipe.json").read_text())
    assert content.pop("store_hash") == store.hash
    assert content.pop("store") == str(store.path.resolve())
    assert from_dict(content) == recipe()


@pytest.mark.parametrize("text", ["", "{", '{"name": "x"}'])
def test_an_unreadable_recipe_is_named(tmp_path, text):
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(RunError, match=r"recipe\.json cannot be read"):
        open_run(tmp_path)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"is not a run: it has no recipe.json"):
        open_run(tmp_path)


def test_a_run_without_checkpoint(run, store, tmp_path):
    shutil.copy(run / "recipe.json", tmp_path)
    with pytest.raises(RunError, match="has no checkpoint yet"):
        open_run(tmp_path).load_jepa(store)


def test_a_second_process_is_kept_out(recipe, store, tmp_path):
    script = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'a+'); fcntl.lockf(f, 2); f.write('77');"
    )
    script += "f.flush(); print('held', flush=True); time.sleep(60)"
    (tmp_path / "run").mkdir()
    lock = tmp_path / "run" / ".lock"
    holder = subprocess.Popen([sys.executable, "-c", script, lock], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        holder.stdout.readline()
        with pytest.raises(RunError, match="process 77 is training in"):
            train(recipe(), store, tmp_path / "run", with_control=False)
    finally:
        holder.kill()
        holder.communicate()
    assert train(recipe(), store, tmp_path / "run", with_control=False)


def test_a_store_may_move(recipe, make_store, tmp_path):
    store = make_store()
    train(recipe(), store, tmp_path / "run", with_control=False)
    moved = open_store(store.path.rename(tmp_path / "moved"))
    train(recipe(), moved, tmp_path / "run", with_control=False)
    assert open_run(tmp_path / "run").open_store().path == moved.path


def test_a_recipe_is_for_its_source(recipe, store, tmp_path):
    with pytest.raises(RunError, match=r"recipe series is for smd, .* holds plant"):
        train(recipe("source=smd"), store, tmp_path / "run")
    assert not (tmp_path / "run").exists()
