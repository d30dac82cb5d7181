"""Every policy, score and bucket that a recipe may name is built, or refused in words."""

import numpy as np
import pytest
import torch

from bandpass.curriculum import POLICIES, SCORES, SurpriseBand
from bandpass.data import prepare
from bandpass.data.sources import SOURCES
from bandpass.data.windows import BUCKETS
from bandpass.recipes import (
    RecipeError,
    build_curriculum,
    build_jepa,
    build_sampler,
    build_windows,
    find,
    override,
)
from bandpass.recipes.assemble import ORACLE_SHARE
from bandpass.training.feed import SCORABLE

SMALL = ("windows.length=32", "windows.stride=8", "batch=8", "steps=40", "coverage=table")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    return prepare(SOURCES["plant"], folder, folder / "store", series=3, rows=3000, channels=3)


def recipe(*changes: str):
    return override(find("series"), [*SMALL, *changes])


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_is_built_and_sums_to_one(store, policy):
    chosen = recipe(f"policy={policy}")
    windows = build_windows(chosen, store, "train")
    sampler = build_sampler(chosen, windows)
    assert type(sampler) is POLICIES[policy].sampler
    assert sampler.probabilities().sum() == pytest.approx(1)
    draw = next(iter(sampler))
    assert len(draw) == 8
    assert max(draw) < len(windows)


def test_a_pool_draws_so_many_candidates(store):
    chosen = recipe("pool=3")
    assert len(next(iter(build_sampler(chosen, build_windows(chosen, store, "train"))))) == 24


@pytest.mark.parametrize("policy", POLICIES)
def test_another_draw_seed_draws_in_another_order(store, policy):
    chosen = recipe(f"policy={policy}")
    windows = build_windows(chosen, store, "train")
    first, same, other, next_ = (
        [list(draw) for draw in build_sampler(override(chosen, changes), windows)]
        if POLICIES[policy].sampler is not SurpriseBand
        else [list(next(iter(build_sampler(override(chosen, changes), windows))))]
        for changes in ([], ["draw_seed=0"], ["draw_seed=1"], ["seed=1"])
    )
    assert first == same
    assert first != other != next_ != first


def test_a_draw_seed_below_0_is_refused(store):
    chosen = recipe("draw_seed=-1", "seed=5")
    with pytest.raises(RecipeError, match="draw_seed is -1: it must be at least 0"):
        build_sampler(chosen, build_windows(chosen, store, "train"))


def test_a_draw_seed_leaves_the_weights_alone():
    first, other = (build_jepa(recipe(change), 3) for change in ("draw_seed=0", "draw_seed=1"))
    weights = other.state_dict()
    assert all(torch.equal(each, weights[name]) for name, each in first.state_dict().items())


@pytest.mark.parametrize("bucket", BUCKETS)
def test_every_bucket_is_built(store, bucket):
    chosen = recipe(f"bucket={bucket}")
    curriculum = build_curriculum(chosen, build_windows(chosen, store, "train"))
    assert isinstance(curriculum.sampler, SurpriseBand)
    codes, names = curriculum.plan.buckets, curriculum.plan.names
    assert codes is not None
    assert len(names) > codes.max()
    assert (len(set(names)) == 1) == (bucket == "none")


@pytest.mark.parametrize("score", SCORES)
def test_every_score_is_one_to_train_by_or_is_refused(store, score):
    chosen = recipe(f"score={score}")
    windows = build_windows(chosen, store, "train")
    if set(SCORES[score].needs) <= SCORABLE:
        plan = build_curriculum(chosen, windows).plan
        assert plan.score == score
        assert (plan.ingest is not None) == score.startswith("density")
    else:
        with pytest.raises(RecipeError, match=f"score '{score}' needs .*which a training run has"):
            build_curriculum(chosen, windows)


def test_the_oracle_knows_the_labels(store):
    chosen = recipe("policy=oracle")
    windows = build_windows(chosen, store, "train")
    p, slices = build_sampler(chosen, windows).probabilities(), windows.slices()
    assert slices["corrupt"].any()
    assert p[slices["rare"]].sum() == pytest.approx(ORACLE_SHARE)
    assert p[slices["corrupt"]].sum() == 0


def test_the_oracle_refuses_a_store_without_labels(store, monkeypatch):
    chosen = recipe("policy=oracle")
    windows = build_windows(chosen, store, "train")
    nothing = np.zeros(len(windows), bool)
    monkeypatch.setattr(windows, "slices", lambda: {"rare": nothing, "corrupt": nothing})
    with pytest.raises(RecipeError, match=r"policy 'oracle' needs rare windows .* 0 labelled rare"):
        build_sampler(chosen, windows)


def test_a_static_score_may_come_from_a_file(store, tmp_path):
    file = tmp_path / "scores.npy"
    chosen = recipe("policy=static", "bucket=none", f"score_file={file}")
    windows = build_windows(chosen, store, "train")
    scores = np.random.default_rng(0).normal(size=len(windows))
    np.save(file, scores)
    p = build_sampler(chosen, windows).probabilities()
    high = scores > np.quantile(scores, 0.9)
    assert p[high].sum() > 0.2
    # What is known before training is not forgotten: it stays as it is drawn by.
    assert np.corrcoef(p, scores)[0, 1] > 0.5


@pytest.mark.parametrize("content", [b"no array", None])
def test_a_file_that_does_not_fit_is_named(store, tmp_path, content):
    file = tmp_path / "scores.npy"
    file.write_bytes(content) if content else np.save(file, np.zeros(3))
    chosen = recipe("policy=static", f"score_file={file}")
    with pytest.raises(RecipeError, match=r"score_file .*scores\.npy (cannot be read|holds)"):
        build_sampler(chosen, build_windows(chosen, store, "train"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("score=los", r"no score 'los': did you mean 'loss'"),
        ("bucket=entities", r"no bucket 'entities': did you mean 'entity'"),
        ("batch=100000", r"train.batch is 100000, but there are only \d+ training windows"),
    ],
)
def test_refuses_in_words(store, change, message):
    chosen = recipe(change)
    with pytest.raises(RecipeError, match=message):
        build_curriculum(chosen, build_windows(chosen, store, "train"))


def test_static_needs_a_score_that_is_known(store):
    chosen = recipe("policy=static", "score=loss")
    with pytest.raises(RecipeError, match="known before training, not 'loss': score=density-ratio"):
        build_sampler(chosen, build_windows(chosen, store, "train"))


@pytest.mark.parametrize(
    ("name", "shape", "patch", "fits"),
    [
        *(("video", (24, 32, 1), 32, False), ("video", (24, 32, 1), 16, True)),
        *(("series", 3, 16, False), ("series", 3, 8, True)),
    ],
)
def test_a_model_with_nothing_to_foresee_is_refused_before_it_is_trained(name, shape, patch, fits):
    chosen = override(find(name), ["length=32", f"patch={patch}", "masks=multi-block"])
    if name == "series":
        chosen = override(chosen, ["masks=span", "mask_ratio=0.5"])
    if fits:
        assert build_jepa(chosen, shape).grid[0] == 32 // patch
    else:
        said = rf"encoder\.patch={patch} leaves {32 // patch} of the \d steps in time"
        with pytest.raises(RecipeError, match=said):
            build_jepa(chosen, shape)
