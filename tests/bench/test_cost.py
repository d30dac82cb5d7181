"""Prices of arms: what is counted, never how long it took."""

from dataclasses import replace

import pytest

from bandpass.bench.cost import Price, from_rows, prices, steps_within, to_rows
from bandpass.bench.pricing import described, description_flops, work_of
from bandpass.curriculum import POLICIES
from bandpass.data import Corpus, prepare
from bandpass.data.sources import SOURCES
from bandpass.recipes import (
    Recipe,
    assemble,
    build_curriculum,
    build_jepa,
    build_windows,
    find,
    override,
)
from bandpass.scoring.flops import Shape, train_step

TINY = (
    *("steps=400", "batch=8", "device=cpu", "windows.length=32", "windows.stride=8"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)
UNIFORM = Price(flops=100.0, seconds=0.5)


def recipe(*changes: str) -> Recipe:
    return override(find("series"), [*TINY, *changes])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    folder = tmp_path_factory.mktemp("plant")
    store = prepare(SOURCES["plant"], folder, folder / "store", series=2, rows=1500, channels=4)
    return build_windows(recipe(), store, "train")


@pytest.fixture(scope="module")
def found(corpus) -> dict[str, Price]:
    arms = {
        "uniform": ("policy=uniform",),
        "again": ("policy=uniform", "draw_seed=1", "lr=5e-4"),
        "band": ("bucket=none",),
        "gated": ("bucket=none", "gate=true"),
        "refreshed": ("bucket=none", "gate=true", "rescore_every=8"),
        "often": ("bucket=none", "gate=true", "rescore_every=2"),
        "guarded": ("policy=uniform", "guard_every=50"),
        "pool": ("policy=uniform", "pool=2"),
        "static": ("policy=static",),
        "oracle": ("policy=oracle",),
    }
    made = {name: recipe(*changes) for name, changes in arms.items()}
    return prices(made, corpus, rounds=1, block=4)


def test_uniform_costs_its_steps_and_nothing_else(found, corpus):
    jepa = build_jepa(recipe(), corpus.store.shape)
    step = train_step(jepa, Shape(windows=8, visible=5, hidden=3)).total
    assert jepa.tokens == 5 + 3
    assert found["uniform"].flops == pytest.approx(step, rel=1e-12)
    for name in ("again", "oracle", "static", "band"):  # the loss of a step is a free score
        assert found[name].flops == found["uniform"].flops
    assert found["uniform"].start_flops == found["uniform"].start_seconds == 0


def test_what_an_arm_does_beside_its_steps_is_counted(found):
    uniform = found["uniform"].flops
    assert uniform < found["gated"].flops < found["refreshed"].flops < found["often"].flops
    assert found["pool"].flops > uniform
    refresh = found["often"].flops - found["gated"].flops
    assert refresh == pytest.approx(4 * (found["refreshed"].flops - found["gated"].flops), rel=0.2)
    reading = 50 * (found["guarded"].flops - uniform)
    assert reading > 3 * uniform  # hundreds of windows against the eight of a step


def test_only_what_looks_at_the_windows_first_has_a_start(found, corpus):
    started = {name for name, price in found.items() if price.start_flops}
    assert started == {"gated", "refreshed", "often", "static"}
    assert all(found[name].start_seconds > 0 for name in started)
    assert len({found[name].start_seconds for name in started}) == 1  # measured once
    assert found["static"].start_flops > 2 * len(corpus) ** 2


def test_arms_of_the_same_work_have_the_same_price(found):
    assert found["again"] == found["uniform"]
    assert work_of(recipe("seed=3")) == work_of(replace(recipe("lr=1"), name="other"))
    assert work_of(recipe("batch=4")) != work_of(recipe())


@pytest.mark.parametrize("gate", ["true", "false"])
@pytest.mark.parametrize("policy", [name for name in POLICIES if name != "rho"])
@pytest.mark.parametrize("steps", ["40", "400"], ids=["few", "many"])
def test_a_start_is_charged_to_those_who_describe(corpus, monkeypatch, policy, gate, steps):
    changed = recipe(f"policy={policy}", f"gate={gate}", f"steps={steps}")
    calls = []
    whole = assemble.describe

    def describe(windows):
        calls.append(windows)
        return whole(windows)

    monkeypatch.setattr(assemble, "describe", describe)
    curriculum = build_curriculum(changed, corpus)
    assert described(changed, curriculum) == bool(calls)


def test_describing_more_windows_costs_more():
    assert description_flops(2000, 64) > description_flops(1000, 64) > description_flops(1000, 32)
    least = 2 * 10_000 * (4096 + 1500) * 64  # both banks
    assert description_flops(10_000, 64) > least


def test_prices_survive_a_table(found):
    assert from_rows(to_rows(found)) == found


@pytest.mark.parametrize("by", ["flops", "seconds"])
def test_uniform_has_the_steps_of_the_budget(by):
    for steps in (1, 7, 100, 999, 1000, 1234, 30_000):
        assert steps_within(steps, UNIFORM, UNIFORM, by) == pytest.approx(steps, abs=steps / 200)


@pytest.mark.parametrize(
    ("arm", "flops", "seconds"),
    [
        (Price(125.0, 1.0), 800, 500),
        (Price(100.4, 0.498), 1000, 1000),  # nearly the same is the same
        (Price(100.0, 0.5, 10_000.0, 100.0), 900, 800),
        (Price(1e9, 1e9), 1, 1),
        (Price(100.0, 0.5, 1e9, 1e9), 1, 1),
    ],
    ids=["dearer", "as dear", "start", "hopeless", "spent before it starts"],
)
def test_an_arm_has_the_steps_that_its_price_leaves(arm, flops, seconds):
    assert steps_within(1000, UNIFORM, arm, "flops") == flops
    assert steps_within(1000, UNIFORM, arm, "seconds") == seconds


def test_a_run_costs_its_start_and_its_steps():
    price = Price(2.0, 0.5, 10.0, 3.0)
    assert (price.flops_of(4), price.seconds_of(4)) == (18.0, 5.0)
