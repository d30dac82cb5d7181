"""A model that was trained on what is said of windows answers about others."""

import numpy as np
import pytest

from bandpass.data import DataError, Windows, prepare
from bandpass.data.captions import EMBEDDERS
from bandpass.data.sources import SOURCES
from bandpass.recipes import build_curriculum, build_jepa, build_windows, find, override
from bandpass.scoring import answer, collect, fit_heads
from bandpass.scoring.collect import Aids
from bandpass.scoring.slow import SlowStudent
from bandpass.scoring.targets import target_surprise
from bandpass.training import fit
from bandpass.training.checkpoint import latest, load_weights

SMALL = (
    *("windows.length=32", "windows.stride=8", "batch=16", "device=cpu", "embedder=hashed"),
    *("encoder.dim=16", "encoder.heads=2", "encoder.mlp=32", "encoder.depth=1", "text=16"),
    *("predictor.dim=16", "predictor.heads=2", "predictor.mlp=32", "checkpoint_every=1000"),
)


def hashed(texts: list[str]) -> np.ndarray:
    return np.stack([np.random.default_rng(list(t.encode())).normal(size=16) for t in texts])


@pytest.fixture(autouse=True)
def _embedder(monkeypatch):
    monkeypatch.setitem(EMBEDDERS, "hashed", hashed)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    return prepare(SOURCES["plant"], folder, folder / "store", series=2, rows=3000, channels=3)


@pytest.fixture
def recipe():
    return lambda *changes: override(find("series-text"), [*SMALL, *changes])


@pytest.mark.slow
def test_a_trained_model_answers_about_windows_it_has_not_seen(
    store, recipe, tmp_path, monkeypatch
):
    """Asked whether the first channel is high or low: something that is there to be seen."""

    def high(windows: Windows, ids=None) -> np.ndarray:
        values = windows[np.arange(len(windows)) if ids is None else ids].values
        return (values[:, :, 0].mean(dim=1) > 0).long().numpy()

    names = {0: "low", 1: "high"}
    monkeypatch.setattr(Windows, "classes", lambda self, ids=None: {"level": (high(self), names)})
    larger = ("encoder.dim=64", "predictor.dim=64", "encoder.mlp=128", "predictor.mlp=128")
    chosen = recipe("steps=250", "policy=uniform", *larger)
    train, test = (build_windows(chosen, store, split) for split in ("train", "test"))
    fit(
        build_jepa(chosen, store.shape),
        train,
        build_curriculum(chosen, train),
        chosen.train,
        tmp_path,
        lambda row, log: None,
    )
    jepa = build_jepa(chosen, store.shape)
    jepa.load_state_dict(load_weights(latest(tmp_path)))
    codes, _ = answer(jepa, test, np.arange(len(test)), "level")
    wanted = high(test)
    assert 0.1 < wanted.mean() < 0.9
    assert (codes == wanted).mean() > 0.8


def test_the_answer_is_the_nearest_of_all(store, recipe):
    chosen = recipe()
    windows, jepa = build_windows(chosen, store, "test"), build_jepa(chosen, store.shape)
    ids = np.array([4, 0, 9])
    codes, cosines = answer(jepa, windows, ids, "label")
    assert list(windows.captions.said["label"]) == [0, 1]
    assert cosines.shape == (3, 2)
    assert codes.tolist() == cosines.argmax(axis=1).tolist()
    assert (np.abs(cosines) <= 1 + 1e-6).all()
    _, answers = windows.captions.about("label")
    batch = windows[ids]
    said = jepa.answer(batch.values, batch.observed, batch.context[0, 1, 0]).numpy()
    expected = said @ answers.T / np.linalg.norm(said, axis=1, keepdims=True)
    np.testing.assert_allclose(cosines, expected, rtol=1e-4, atol=1e-6)
    assert answer(jepa, windows, ids[:0], "label")[1].shape == (0, 2)


def test_windows_without_captions_are_refused(store, recipe):
    chosen = recipe()
    windows = build_windows(recipe("target=ema"), store, "test")
    assert windows.captions is None
    with pytest.raises(DataError, match="windows without captions leave nothing to ask"):
        answer(build_jepa(chosen, store.shape), windows, np.arange(2), "label")


def test_scores_are_collected_as_of_any_model(store, recipe):
    """Slow student, heads and further masks know nothing of text."""
    chosen = recipe()
    windows, jepa = build_windows(chosen, store, "train"), build_jepa(chosen, store.shape)
    batch = windows[range(16)]
    heads = fit_heads(jepa, [batch] * 3)
    aids = Aids(slow=SlowStudent(jepa), heads=heads, reference=jepa)
    needs = ("mask_losses", "slow_losses", "head_predictions", "log_variance", "reference_losses")
    signals = collect(jepa, batch, needs, aids=aids)
    assert signals.head_predictions.shape == (4, 16, 2, 16)
    for name in ("losses", "slow_losses", "reference_losses"):
        np.testing.assert_allclose(getattr(signals, name), signals.losses, rtol=1e-4)
    assert signals.mask_losses.std(dim=0).max() > 0
    assert all(getattr(signals, name).isfinite().all() for name in (*needs, "target"))


def test_targets_of_tokens_cannot_be_compared_on_a_model_of_answers(store, recipe):
    chosen = recipe()
    windows, jepa = build_windows(chosen, store, "train"), build_jepa(chosen, store.shape)
    with pytest.raises(DataError, match="a model of answers foresees no tokens"):
        target_surprise(jepa, windows, np.arange(8), np.arange(8) % 2)
