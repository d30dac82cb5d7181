"""What a model is asked to foresee, and what a run that saw labels is not asked."""

import numpy as np
import pytest
import torch

from bandpass.data import DataError
from bandpass.data.video.clips import Clips
from bandpass.evaluation import videos
from bandpass.losses import PREDICTION_LOSSES
from bandpass.models import JEPA
from bandpass.models.masking import NEXT, following
from bandpass.recipes import build_jepa, find, override
from bandpass.runs import tasks
from bandpass.runs.video import questions, surprise
from bandpass.runs.video.encoders import View
from bandpass.runs.video.sample import Sample, draw, segments_of
from bandpass.runs.video.study import Study

SMALL = ("encoder.dim=16", "encoder.heads=2", "predictor.dim=16", "predictor.heads=2")


@pytest.fixture(scope="module")
def sample(store) -> Sample:
    return draw(Clips(store, 8, 4, "test", "entity"))


def test_a_model_of_the_next_state_foresees_every_step_from_those_before_it(sample):
    recipe = override(find("video-world"), ["windows.length=8", *SMALL])
    jepa = build_jepa(recipe, sample.store.shape).eval()
    found = surprise.surprise(jepa, sample, sample, recipe.train.masks)
    patch = recipe.model.encoder.patch
    assert np.isnan(found[:, :patch]).all()
    assert np.isfinite(found[:, patch:]).all()

    batch = sample.clips[sample.ids]
    mask = following(len(sample.ids), jepa.grid, 1.0, torch.Generator())
    with torch.no_grad():
        errors = jepa(batch.values, batch.observed, mask).errors
    by_step = errors.unflatten(1, (jepa.grid[0] - 1, -1)).mean(dim=2).numpy()
    expected = np.repeat(by_step / by_step.mean(axis=0), patch, axis=1)
    np.testing.assert_allclose(found[:, patch:], expected, rtol=1e-3)


def test_of_two_time_steps_the_second_is_foreseen(sample, recipe):
    jepa = build_jepa(recipe("encoder.patch=4", "masks=tube"), sample.store.shape).eval()
    found = surprise.surprise(jepa, sample, sample, ("tube",))
    assert np.isnan(found[:, :4]).all()
    assert np.isfinite(found[:, 4:]).all()


@pytest.mark.parametrize("mask", ["tube", NEXT])
def test_one_time_step_leaves_nothing_to_foresee_it_from(sample, recipe, mask):
    settings = recipe("encoder.patch=8").model  # refused, had a recipe to build it
    jepa = JEPA(sample.store.shape, 8, settings, PREDICTION_LOSSES["smooth-l1"]).eval()
    with pytest.raises(DataError, match=r"clips of 8 frames are one time step .* windows\.length"):
        surprise.surprise(jepa, sample, sample, (mask,))


@pytest.mark.parametrize("supervised", [False, True])
def test_no_fold_is_scored_by_an_encoder_that_saw_its_labels(sample, monkeypatch, supervised):
    for name in ("actions", "segments", "localisation", "state", "tracks", "arrow"):
        monkeypatch.setattr(questions, name, lambda *given: ())
    for name in ("rare_events", "geometry"):
        monkeypatch.setattr(tasks, name, lambda *given: ())
    monkeypatch.setattr(tasks, "event_probes", lambda *given: {})
    monkeypatch.setattr(questions, "folds", lambda *given: [("folds", "macro_f1", None)])
    of = segments_of(sample)
    study = Study(sample, sample, of, of, 0, supervised, ("multi-block",))
    none = np.zeros((len(sample.ids), 1))
    view = View(videos.MOTION, videos.SUMMARY, none, none)
    assert bool(list(study.ask(view, view))) != supervised
