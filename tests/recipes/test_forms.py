"""The next-state and the text form of a recipe, from the recipe to a run and back."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from bandpass.data import prepare
from bandpass.data.captions import EMBEDDERS, caption
from bandpass.data.sources import SOURCES
from bandpass.models import TextJEPA
from bandpass.recipes import RecipeError, build_jepa, build_windows, find, override
from bandpass.recipes.named import control
from bandpass.runs.run import open_run
from bandpass.runs.train import train

SMALL = (
    *("windows.length=32", "windows.stride=8", "batch=8", "steps=12", "device=cpu", "log_every=2"),
    *("encoder.dim=16", "encoder.heads=2", "encoder.mlp=16", "encoder.depth=1"),
    *("predictor.dim=16", "predictor.heads=2", "predictor.mlp=16", "predictor.depth=1"),
)
FRAME = (24, 32, 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    return prepare(SOURCES["plant"], folder, folder / "store", series=2, rows=1500, channels=3)


@pytest.fixture(autouse=True)
def _embedder(monkeypatch):
    def lengths(texts: list[str]) -> np.ndarray:
        return np.array([[len(text), text.count("e") + 1, ord(text[0])] for text in texts], float)

    monkeypatch.setitem(EMBEDDERS, "lengths", lengths)


def recipe(name: str, *changes: str):
    text = ("embedder=lengths", "model.text=3") if name.endswith("text") else ()
    return override(find(name), [*SMALL, *text, *changes])


@pytest.mark.parametrize("name", ["series-world", "series-text"])
def test_a_run_that_was_stopped_is_the_run_that_was_not(name, store, tmp_path):
    extras = ("pool=2", "rescore_every=3", "guard_every=4")
    chosen = recipe(name, "checkpoint_every=6", *extras)
    assert train(chosen, store, tmp_path / "whole")

    def stop(what, row, log):
        if row["step"] == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(chosen, store, tmp_path / "parts", with_control=False, on_log=stop)
    assert train(chosen, store, tmp_path / "parts")
    whole, parts = (
        pq.read_table(tmp_path / run / "metrics.parquet").drop(["windows_per_s", "seconds"])
        for run in ("whole", "parts")
    )
    assert whole.column_names == parts.column_names
    np.testing.assert_equal(parts.to_pydict(), whole.to_pydict())  # to which NaN is NaN
    jepa = open_run(tmp_path / "whole").load_jepa(store)
    assert isinstance(jepa, TextJEPA) == name.endswith("text")
    assert (tmp_path / "whole" / "raw-patch" / "metrics.parquet").exists()


@pytest.mark.parametrize("name", ["video-world", "series-world"])
def test_a_world_model_is_of_the_next_state_alone(name):
    found = find(name)
    assert found.train.masks == ("next",)
    assert found.model.encoder.attention == "step"
    assert found.model.predictor.causal
    assert found.model.target == "same-encoder", "no teacher and no stopped gradient"
    assert (found.distance, found.train.regulariser) == ("mse", "sigreg")
    build_jepa(found, FRAME if name.startswith("video") else 3)


@pytest.mark.parametrize("change", ["attention=window", "causal=false"])
def test_a_model_that_would_be_shown_what_it_is_asked_for_is_refused(change):
    with pytest.raises(RecipeError, match="mask 'next' asks for what is in the context too"):
        build_jepa(override(find("video-world"), [change]), FRAME)


def test_a_text_target_has_no_patch_to_read_out_and_its_control_no_text():
    with pytest.raises(RecipeError, match=r"leaves no patch to read out: say train\.grounding=0"):
        build_jepa(override(find("video-text"), ["grounding=0.1"]), FRAME)
    plain = control(find("video-text"))
    assert plain.model.target == "ema"
    assert not isinstance(build_jepa(plain, FRAME), TextJEPA)


def test_an_embedder_that_does_not_exist_or_does_not_fit_is_named(store):
    with pytest.raises(RecipeError, match="no embedder 'wordlama': did you mean 'wordllama'"):
        build_windows(recipe("series-text", "embedder=wordlama"), store, "train")
    with pytest.raises(RecipeError, match=r"'lengths' gives vectors of 3 numbers .* model\.text=3"):
        build_windows(recipe("series-text", "model.text=5"), store, "train")


def test_only_a_text_target_is_told_anything(store):
    assert build_windows(recipe("series-world"), store, "train")[[0]].context is None
    for split in ("train", "test"):
        context = build_windows(recipe("series-text"), store, split)[[0, 1]].context
        assert context.shape == (2, 2, 2, 3)


def test_nothing_is_asked_about_faults_unless_one_wants_it(store):
    """A curriculum is judged by these labels: what it trains on must not have been told them."""
    windows = build_windows(recipe("series-text"), store, "train")
    assert "corrupt" in windows.classes()
    assert list(windows.captions.said) == ["regime", "label"]
    every = caption(windows, EMBEDDERS["lengths"], without=())
    assert list(every.said) == ["regime", "label", "corrupt"]
