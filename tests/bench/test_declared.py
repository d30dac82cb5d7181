"""What benchmarks declare, and what every one of them promises by being there."""

import json
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path

import pytest

from bandpass.bench.arms import ARMS, ROLES, find_arm
from bandpass.bench.declared import (
    BENCHMARKS,
    SCHEDULE,
    Group,
    Metric,
    find,
    from_json,
    of_store,
    store_of,
)
from bandpass.curriculum import POLICIES, SCORES
from bandpass.data import DataError, StoreError, open_store, prepare
from bandpass.data.schedule.sources import find as find_schedule
from bandpass.data.sources import SOURCES
from bandpass.data.video.marks import MOTION
from bandpass.data.video.sources import VIDEO_SOURCES
from bandpass.recipes import build_jepa, override
from bandpass.recipes import find as find_recipe

EACH = pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS.keys())


@pytest.fixture
def content() -> dict:
    return json.loads(json.dumps(asdict(BENCHMARKS["smd-rare-machine"])))


def test_every_file_is_a_benchmark_of_its_name():
    shipped = sorted(path.name for path in files("bandpass.bench").joinpath("slices").iterdir())
    assert shipped == [f"{name}.json" for name in BENCHMARKS]
    assert len(shipped) >= 7


@EACH
def test_survives_json(benchmark):
    assert from_json(json.loads(json.dumps(asdict(benchmark)))) == benchmark


@EACH
def test_what_it_names_exists(benchmark):
    assert benchmark.source in {SCHEDULE, *SOURCES, *VIDEO_SOURCES}
    if benchmark.source == SCHEDULE:
        assert all(find_schedule(name) for name in benchmark.prepare["datasets"].split(","))
    base = override(find_recipe(benchmark.recipe), benchmark.changes)
    assert base.source in ("any", benchmark.source)
    assert benchmark.corrupt == Metric("slots", "corrupt")  # the others: see test_measures
    assert all(not group.motion or group.motion in MOTION for group in benchmark.stream)
    asked = (benchmark.rare.task, benchmark.normal.task)
    assert benchmark.classes or not any(task.startswith("classes") for task in asked)


@EACH
def test_arms_are_recipes_of_it_and_differ_from_uniform_in_what_they_say(benchmark):
    base = override(find_recipe(benchmark.recipe), benchmark.changes)
    uniform = find_arm("uniform").recipe(base)
    assert (uniform.policy, uniform.gate, uniform.draw_seed) == ("uniform", False, 0)
    for arm in ARMS.values():
        made = arm.recipe(base)
        assert made.policy in POLICIES
        assert made.score in SCORES
        assert made.train.seed == base.train.seed
        assert made.windows == base.windows
        assert made.train.steps == base.train.steps
    assert replace(find_arm("uniform-again").recipe(base), draw_seed=0) == uniform
    shape = (24, 32, 1) if benchmark.source in VIDEO_SOURCES else 5
    for arm in ARMS.values():
        if arm.group in ("target", "role"):
            build_jepa(arm.recipe(base), shape)


@EACH
def test_what_is_judged_was_fixed_beforehand(benchmark):
    assert {"rare", "normal", "corrupt", "regime_changes", "corner_cases"} <= set(benchmark.slices)
    assert all(benchmark.slices.values())
    assert not set(benchmark.screen) & set(benchmark.seeds)
    assert len(set(benchmark.screen)) == len(benchmark.screen) >= 3
    assert len(set(benchmark.seeds)) == len(benchmark.seeds) >= 7  # fewer are never significant
    assert 0 < benchmark.margin < 0.2
    assert benchmark.version >= 1
    assert benchmark.split
    assert benchmark.chosen


def test_arms_have_roles_and_names_of_their_own():
    assert set(ROLES) == {"uniform", "uniform-again", "shuffled", "oracle", "band"}
    assert all(name == arm.name and arm.about for name, arm in ARMS.items())
    assert {arm.name for arm in ARMS.values() if arm.half} == {"uniform", "band"}
    with pytest.raises(DataError, match="no arm 'unifor': did you mean 'uniform'"):
        find_arm("unifor")


def test_find_names_the_nearest():
    assert find("plant") is BENCHMARKS["plant"]
    with pytest.raises(
        DataError, match=r"no benchmark 'skap': did you mean 'skab'.*known: .*plant"
    ):
        find("skap")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "Benchmark has no 'colour': it has name, version"),
        ({"rare": {"task": "x", "metric": "y", "unit": "z"}}, "Metric has no 'unit': it has task"),
        ({"rare": {"task": "x"}}, "Metric is incomplete: .*'metric'"),
        ({"stream": [{"slice": "rare"}]}, "Group is incomplete: .*'share'"),
        ({"stream": [{"share": 1, "slice": "odd"}]}, "slice 'odd' of a group is none of rare, "),
        ({"stream": [{"share": 1.5}]}, r"share 1.5 of a group must be in \(0, 1\]"),
        ({"stream": [{"share": 0.5}] * 3}, "shares of its stream sum to 1.5, not to 1"),
        ({"folds": "entity"}, "folds is 'entity': say split or series"),
        ({"margin": 0}, "smd-rare-machine: margin is 0: it must be over 0"),
        ({"seeds": [1, 100]}, r"seeds \[1\] are for screening and count too"),
    ],
)
def test_a_file_that_cannot_be_judged_by_is_refused(content, change, message):
    assert from_json(content) == BENCHMARKS["smd-rare-machine"]
    with pytest.raises(DataError, match=message):
        from_json(content | change)


@pytest.mark.parametrize("key", ["version", "rare", "margin", "seeds", "chosen"])
def test_a_file_that_leaves_something_out_is_refused(content, key):
    del content[key]
    with pytest.raises(DataError, match=f"Benchmark is incomplete: .*'{key}'"):
        from_json(content)


def test_a_group_is_of_clean_windows_unless_it_says_otherwise():
    assert Group(1.0) == Group(1.0, "clean", "", ())


def test_raw_files_that_are_not_there_are_asked_for(tmp_path):
    smd = BENCHMARKS["smd-rare-machine"]
    with pytest.raises(
        DataError,
        match="smd-rare-machine needs the raw files of smd: give --raw DIR, the folder that holds "
        "timeseries/smd",
    ):
        store_of(smd, None, tmp_path / "store")
    with pytest.raises(DataError, match=r"and .* has no timeseries/smd: give --raw DIR"):
        store_of(smd, tmp_path, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_what_is_there_is_opened_and_what_is_broken_is_not_made_anew(tmp_path):
    small = replace(BENCHMARKS["plant"], prepare={"series": "2", "rows": "1500", "corrupt": "0.1"})
    made = store_of(small, None, tmp_path / "store")
    assert len(made.series_names) == 2
    assert store_of(replace(small, source="gone"), None, made.path).hash == made.hash
    (broken := tmp_path / "broken").mkdir()
    with pytest.raises(StoreError):
        store_of(small, None, broken)


def test_any_store_is_a_benchmark(tmp_path, monkeypatch):
    store = prepare(SOURCES["plant"], tmp_path, tmp_path / "mine", series=2, rows=1500)
    found = of_store(store, "plant", ("steps=10",))
    assert (found.name, found.source) == ("mine", "plant")
    assert found.version == int(store.hash[:8], 16)  # another store of this name is another
    assert (found.recipe, found.changes) == ("plant", ("steps=10",))
    assert (found.rare, found.corrupt) == (
        Metric("few-shot rare", "average_precision"),
        Metric("slots", "corrupt"),
    )
    assert from_json(json.loads(json.dumps(asdict(found)))) == found
    monkeypatch.chdir(store.path)
    assert of_store(open_store(Path()), "plant").name == "mine"
