"""A mixed run from the outside: what it leaves, how it goes on, what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bandpass.curriculum import BandSettings
from bandpass.data import open_store
from bandpass.recipes import CurriculumSettings, RecipeError, curriculum_of, find, override, under
from bandpass.report import write_report
from bandpass.runs import (
    RunError,
    decide,
    evaluate,
    members,
    open_run,
    quarantined,
    train,
    train_mixed,
)
from bandpass.training import checkpoint
from bandpass.training.log import RunLog

NAMES = ["series", "schedule", "video"]
TIMING = ("windows_per_s", "seconds")
TINY = (
    *("steps=8", "batch=8", "log_every=4", "checkpoint_every=8", "device=cpu"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)
EVERYTHING = (
    *("bucket=none", "score=disagreement", "gate=true", "pool=2", "rescore_every=3"),
    *("min_effective=20", "warm_up=0.2"),
)


def weights(run: Path) -> dict[str, torch.Tensor]:
    newest = checkpoint.latest(run)
    assert newest is not None
    return checkpoint.load_weights(newest)


def test_leaves_a_run_of_its_own_for_every_member(run, stores):
    assert members(run) == [run / name for name in NAMES]
    for number, (path, store) in enumerate(zip(members(run), stores, strict=True)):
        opened = open_run(path)
        assert opened.finished
        assert opened.open_store().hash == store.hash
        own = opened.load_jepa(store).state_dict()
        whole = weights(run)
        prefix = f"by_part.{number}."
        here = {n.removeprefix(prefix): w for n, w in whole.items() if n.startswith(prefix)}
        assert all(torch.equal(own[name], weight) for name, weight in here.items())
        trunk = "encoder.blocks.0.expand.weight"
        assert torch.equal(own[trunk], whole[f"by_part.0.{trunk}"])


def test_every_modality_has_slots_and_they_are_logged(run):
    rows = pq.read_table(run / "slots.parquet").to_pylist()
    drawn = {r["name"]: r["drawn"] for r in rows if r["kind"] == "modality" and r["step"] == 12}
    assert set(drawn) == set(NAMES)
    assert sum(drawn.values()) == 12 * 8
    assert all(count % 8 == 0 for count in drawn.values()), "batches are of one modality"
    natural = [r["natural"] for r in rows if r["kind"] == "modality" and r["step"] == 12]
    assert sum(natural) == pytest.approx(1)


def test_environment_counts_the_trunk_once(run):
    about = json.loads((run / "environment.json").read_text())
    trained = {n: w for n, w in weights(run).items() if ".target." not in n}
    assert about["parameters"] == sum(weight.numel() for weight in trained.values())
    assert about["modality"] == "mixed"
    assert set(about["parts"]) == set(about["flops_per_step_of"]) == set(NAMES)


def test_held_out_windows_of_all_modalities_are_measured(run):
    metrics = pq.read_table(run / "metrics.parquet").to_pylist()
    assert [row["step"] for row in metrics if np.isfinite(row["validation"])] == [6, 12]


@pytest.mark.parametrize("arm", ["none", "modality", "own"])
def test_arms_differ_in_the_buckets_alone(recipe, stores, tmp_path, arm):
    assert train_mixed(recipe(f"bucket={arm}", "min_effective=4"), stores, tmp_path / "run")
    found = pq.read_table(tmp_path / "run" / "band.parquet")["bucket"].to_numpy()
    assert (len(set(found.tolist())) > 1) == (arm != "none")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param((), id="band"),
        pytest.param(EVERYTHING, id="everything", marks=pytest.mark.slow),
        pytest.param(("policy=uniform",), id="uniform", marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_ends_as_the_uninterrupted_one(recipe, stores, tmp_path, changes):
    class Stop(Exception):
        pass

    def stop(name: str, row: dict, log: RunLog) -> None:
        if row["step"] == 8:
            raise Stop

    chosen = recipe(*changes, "checkpoint_every=3")
    assert train_mixed(chosen, stores, tmp_path / "whole")
    with pytest.raises(Stop):
        train_mixed(chosen, stores, tmp_path / "again", on_log=stop)
    assert train_mixed(chosen, stores, tmp_path / "again")
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "again")
    assert one.keys() == other.keys()
    assert all(torch.equal(weight, other[name]) for name, weight in one.items())
    for table in ("slots", "metrics"):
        first, second = (
            pq.read_table(tmp_path / name / f"{table}.parquet").drop_columns(
                [column for column in TIMING if table == "metrics"]
            )
            for name in ("whole", "again")
        )
        assert str(first.to_pylist()) == str(second.to_pylist())  # NaN equals NaN


def test_one_curriculum_value_drives_series_schedules_videos_and_all_of_them(
    recipe, stores, tmp_path
):
    curriculum = CurriculumSettings(
        band=BandSettings(floor=0.5, min_effective=4.0, coverage="table"), bucket="none"
    )
    for name, store in zip(("series", "schedule-base", "video"), stores, strict=True):
        chosen = under(override(find(name), TINY), curriculum)
        assert curriculum_of(chosen) is not curriculum
        assert curriculum_of(chosen) == curriculum
        assert train(chosen, store, tmp_path / name, with_control=False)
        assert least_weight(tmp_path / name) >= 0.5 - 1e-9, "the floor of the curriculum holds"
    chosen = under(recipe(), curriculum)
    assert train_mixed(chosen, stores, tmp_path / "mixed")
    assert least_weight(tmp_path / "mixed") >= 0.5 - 1e-9


def least_weight(run: Path) -> float:
    """Smallest chance of a window that could be drawn, relative to uniform."""
    weight = pq.read_table(run / "band.parquet")["weight"].to_numpy()
    return weight[weight > 0].min()


def test_a_repeated_command_changes_nothing(run, recipe, stores):
    before = {path: path.stat().st_mtime_ns for path in run.glob("checkpoints/*/*")}
    assert train_mixed(recipe("validate_every=6"), stores, run)
    assert {path: path.stat().st_mtime_ns for path in run.glob("checkpoints/*/*")} == before


def test_another_run_is_not_overwritten(run, recipe, stores):
    with pytest.raises(RunError, match=r"holds another run \(differs in train.lr\)"):
        train_mixed(recipe("validate_every=6", "lr=1"), stores, run)
    with pytest.raises(RunError, match=r"holds another run \(differs in members\)"):
        train_mixed(recipe("validate_every=6"), stores[:2], run)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ("guard_every=2", "train.guard_every is 2, but the guards watch windows of one modality"),
        ("bucket=entity", "no bucket 'entity'"),
        ("mask_ratio=0.01", "mask ratio 0.01"),
        ("windows.stride=8", "windows.stride is said for each store of a mixed run by itself"),
        ("encoder.patch=8", "model.encoder.patch is said for each store"),
    ],
)
def test_what_cannot_train_leaves_nothing_behind(recipe, stores, tmp_path, changes, text):
    with pytest.raises(RecipeError, match=text):
        train_mixed(recipe(changes), stores, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_stores_and_cuts_are_checked(recipe, stores, tmp_path):
    with pytest.raises(RecipeError, match="at least two stores, got 1"):
        train_mixed(recipe(), stores[:1], tmp_path / "run")
    with pytest.raises(RecipeError, match="1 cuts for 3 stores"):
        train_mixed(recipe(), stores, tmp_path / "run", cuts=["series"])
    with pytest.raises(RecipeError, match=r"recipe smd is for smd, .* holds plant"):
        train_mixed(recipe(), stores, tmp_path / "run", cuts=["smd", "schedule-base", "video"])
    with pytest.raises(RecipeError, match="plant is named twice: name every store once"):
        train_mixed(recipe(), [stores[0], stores[0]], tmp_path / "run")
    shutil.copytree(stores[0].path, again := tmp_path / stores[0].path.name)
    with pytest.raises(RecipeError, match="two stores are called plant"):
        train_mixed(recipe(), [stores[0], open_store(again)], tmp_path / "run")


def test_a_store_is_cut_as_its_recipe_says(recipe, stores, tmp_path):
    cuts = ["series windows.length=64", "schedule-base encoder.patch=8", "video windows.stride=8"]
    assert train_mixed(recipe("steps=2"), stores, tmp_path / "run", cuts=cuts)
    series, schedule, video = (open_run(path).recipe for path in members(tmp_path / "run"))
    assert series.windows.length == 64
    assert schedule.model.encoder.patch == 8
    assert schedule.schedule.kind == "record"
    assert video.windows.stride == 8


def test_a_mixed_run_names_its_members_where_one_run_is_wanted(run):
    with pytest.raises(RunError, match=r"is a mixed run: take one of its members, .*series"):
        open_run(run)


def test_windows_of_any_modality_are_held_back_and_let_go_by_a_person(recipe, stores, tmp_path):
    chosen = recipe("extreme=0.05", "surprising=0.1", "min_effective=4", "steps=24")
    assert train_mixed(chosen, stores, tmp_path / "run")
    held = quarantined(tmp_path / "run")
    assert len({row["series"].partition("/")[0] for row in held}) > 1
    review = decide(tmp_path / "run", release=[held[0]["id"]], ban=[held[1]["id"]])
    assert (review.released, review.banned) == ({held[0]["id"]}, {held[1]["id"]})


@pytest.mark.slow
def test_a_member_is_evaluated_and_the_report_shows_slots_by_modality(run):
    rows = evaluate(run / "series")
    assert {row["encoder"] for row in rows} >= {"pretrained", "random-init", "raw-features"}
    assert (run / "series" / "evaluation.parquet").exists()
    page = write_report(run).read_text()
    assert "Slot shares by modality" in page
