import json
from dataclasses import replace

import pytest
import torch

from bandpass.curriculum import POLICIES
from bandpass.recipes import (
    Recipe,
    RecipeError,
    build_jepa,
    find,
    from_dict,
    keys,
    override,
    to_dict,
)

SERIES = find("series")


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ("train.steps=500", ("train", "steps"), 500),
        ("steps=500", ("train", "steps"), 500),
        ("lr=1e-3", ("train", "lr"), 0.001),
        ("encoder.dim=32", ("model", "encoder", "dim"), 32),
        ("model.encoder.dim=32", ("model", "encoder", "dim"), 32),
        ("masks=span,future", ("train", "masks"), ("span", "future")),
        ("latent=false", ("model", "latent"), False),
        ("latent=True", ("model", "latent"), True),
        ("rule=two-level", ("band", "rule"), "two-level"),
        ("policy=uniform", ("policy",), "uniform"),
        ("edges=0.4,0.8", ("band", "edges"), (0.4, 0.8)),
        ("score=residual", ("score",), "residual"),
        ("gate=true", ("gate",), True),
        ("pool=2", ("train", "pool"), 2),
        ("rescore_every=8", ("train", "rescore_every"), 8),
        ("guard_every=50", ("train", "guard_every"), 50),
        ("keep=5", ("train", "keep"), 5),
    ],
)
def test_overrides_one_setting_and_nothing_else(change, path, value):
    changed = override(SERIES, [change])
    found: object = changed
    for name in path:
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)
    there, here = to_dict(changed), to_dict(SERIES)
    for content in (there, here):
        place = content
        for name in path[:-1]:
            place = place[name]
        del place[path[-1]]
    assert there == here


def test_a_policy_loads_its_settings_and_others_are_made_to_those():
    """Whatever their order on the command line."""
    preset = POLICIES["two-level"].settings
    assert override(SERIES, ["policy=two-level"]).band == preset
    for changes in (["policy=two-level", "ess=0.2"], ["ess=0.2", "policy=two-level"]):
        changed = override(SERIES, changes)
        assert changed.policy == "two-level"
        assert changed.band == replace(preset, ess=0.2)
    again = override(override(SERIES, ["policy=two-level"]), ["policy=surprise-band"])
    assert again.band == POLICIES["surprise-band"].settings


def test_a_policy_that_is_one_with_its_score_only_brings_it():
    assert override(SERIES, ["policy=static"]).score == "density-ratio"
    assert override(SERIES, ["score=density", "policy=static"]).score == "density"


def test_later_changes_win_and_the_recipe_stays():
    before = to_dict(SERIES)
    assert override(SERIES, ["steps=5", "steps=6"]).train.steps == 6
    assert to_dict(SERIES) == before
    assert override(SERIES, []) == SERIES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("steps", r"'steps' is not of the form key=value"),
        ("step=5", r"no recipe key 'step': did you mean 'steps'"),
        ("train.stepz=5", r"no recipe key 'train.stepz': did you mean 'train.steps'"),
        ("dim=5", r"'dim' is ambiguous: say one of model.encoder.dim, model.predictor.dim"),
        ("encoder=5", r"'encoder' is ambiguous: say one of model.encoder.patch"),
        ("window=64", r"'window' is ambiguous: .*windows.length, windows.stride"),
        ("windows=64", r"'windows' is ambiguous: say one of windows.length, windows.stride"),
        ("policy=surprise", r"no policy 'surprise': did you mean 'surprise-band'"),
        ("steps=many", r"train.steps='many': expected int"),
        ("steps=1.5", r"train.steps='1.5': expected int"),
        ("lr=fast", r"train.lr='fast': expected float"),
        ("latent=1", r"model.latent='1': expected true or false"),
        ("rule=best", r"band.rule is 'best': expected one of exponential, two-level"),
        ("band.floor=2", r"band.floor must be in \[0, 1\], got 2.0"),
        (
            "masks=spam",
            r"train.masks must be of \['future', 'multi-block', 'next', ",
        ),
        ("batch=0", r"train.batch must be at least 2"),
    ],
)
def test_refuses_what_it_does_not_know(change, message):
    with pytest.raises(RecipeError, match=message):
        override(SERIES, [change])


def test_every_key_can_be_overridden_with_what_it_is():
    for key in keys():
        value: object = to_dict(SERIES)
        for name in key.split("."):
            value = value[name]
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        assert override(SERIES, [f"{key}={text}"]) == SERIES


def content(**changes: object) -> dict:
    found = json.loads(json.dumps(to_dict(SERIES)))
    for path, value in changes.items():
        *parents, leaf = path.split("__")
        place = found
        for parent in parents:
            place = place[parent]
        place[leaf] = value
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train__stepz": 3}, "no recipe key 'train.stepz': did you mean 'train.steps'"),
        ({"train__steps": "3"}, "train.steps is '3': expected int"),
        ({"train__steps": 3.5}, "train.steps is 3.5: expected int"),
        ({"model__latent": 1}, "model.latent is 1: expected bool"),
        ({"policy": None}, "policy is None: expected str"),
        ({"train__warmup": 2}, r"train.warmup must be in \[0, 1\), got 2"),
    ],
)
def test_json_is_checked_as_the_command_line_is(changes, message):
    with pytest.raises(RecipeError, match=message):
        from_dict(content(**changes))


def test_json_may_leave_out_what_has_a_default_but_not_the_name():
    assert from_dict({"name": "mine", "train": {"lr": 1}}).train.lr == 1
    with pytest.raises(RecipeError, match=r"recipe is incomplete: .*'name'"):
        from_dict({})


def test_json_of_before_there_were_draw_seeds_is_read():
    before = content()
    del before["draw_seed"]
    assert from_dict(before) == SERIES
    assert from_dict(before).draw_seed == 0
    assert override(SERIES, ["draw_seed=1"]) != SERIES


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(RecipeError, match="no recipe 'serise-tiny': did you mean 'series-tiny'"):
        find("serise-tiny")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("windows.length=130", "window length 130 is not a multiple of the patch size 4"),
        ("encoder.heads=3", "dim 64 is not divisible by heads 3"),
        ("mask_ratio=0.001", "mask ratio 0.001 hides 0 of 32 tokens"),
        ("model.target=teacher", "target 'teacher' is none of"),
        ("distance=l7", "distance 'l7' is none of"),
    ],
)
def test_what_cannot_be_built_is_refused_as_a_recipe(change, message):
    with pytest.raises(RecipeError, match=message):
        build_jepa(override(SERIES, [change]), shape=3)


def parameters(recipe: Recipe) -> int:
    return sum(p.numel() for p in build_jepa(recipe, 8).parameters() if p.requires_grad)


def test_sizes_reach_from_a_laptop_to_a_vit_s():
    assert 55_000 < parameters(find("series-tiny")) < 65_000
    vit = build_jepa(find("series-vit-s"), 8).encoder
    assert 21_000_000 < sum(p.numel() for p in vit.parameters()) < 22_500_000


def test_the_seed_makes_the_weights():
    other = replace(SERIES, train=replace(SERIES.train, seed=1))
    first, second = (build_jepa(recipe, 3).encoder.embed.weight for recipe in (SERIES, other))
    assert not first.equal(second)


def test_building_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    build_jepa(SERIES, 3)
    assert torch.equal(torch.get_rng_state(), before)
