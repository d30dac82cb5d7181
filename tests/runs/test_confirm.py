import csv
import hashlib
import json
import math
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from bandpass.data import DataError
from bandpass.data.schedule.record import Record
from bandpass.data.schedule.tokens import CALENDAR, HOLIDAY
from bandpass.data.schedule.windows import ScheduleWindows
from bandpass.recipes import build_windows, find, override
from bandpass.report import ReportError
from bandpass.report.confirm import write_confirmation
from bandpass.runs import RunError, open_run
from bandpass.runs.confirm import (
    COMBINED,
    FEW_STEPS,
    collapse,
    confirm,
    look_alike,
    plan,
    smoke,
    summary,
)
from bandpass.training import checkpoint

DATASETS = {"meetings", "mail", "code"}
TINY = (
    *("steps=4", "log_every=2", "checkpoint_every=2", "device=cpu"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    return look_alike(tmp_path_factory.mktemp("days") / "store")


@pytest.fixture(scope="module")
def recipe():
    quick = override(find("schedule-base"), FEW_STEPS)
    return lambda *changes: override(quick, [*TINY, *changes])


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory, recipe, days):
    """Two finished passes; nothing may be written into them."""
    planned = plan(recipe(), days, tmp_path_factory.mktemp("passes"), passes=2)
    assert confirm(planned)
    return planned


def table(planned):
    return pq.read_table(planned.out / "confirm.parquet").to_pylist()


def about(planned):
    return json.loads((planned.out / "confirm.json").read_text())


def weights(cell):
    newest = checkpoint.latest(cell.path)
    assert newest is not None
    return checkpoint.load_weights(newest)


def same_weights(one, other):
    found = [{name: value for name, value in weights(cell).items()} for cell in (one, other)]
    return all(torch.equal(value, found[1][name]) for name, value in found[0].items())


def test_every_pass_trains_on_each_dataset_and_on_all(confirmed):
    assert [(row["pass"], row["dataset"]) for row in table(confirmed)] == [
        (cell.number, cell.name) for cell in confirmed.cells
    ]
    for number in range(2):
        names = [cell.name for cell in confirmed.cells if cell.number == number]
        assert names[-1] == COMBINED
        assert set(names[:-1]) == DATASETS
    assert all(open_run(cell.path).finished for cell in confirmed.cells)


def test_a_pass_is_its_seed(confirmed, days):
    for cell in confirmed.cells:
        recipe = open_run(confirmed.out / f"pass-{cell.number}" / cell.name).recipe
        assert (recipe.train.seed, recipe.schedule.split_seed) == (cell.number, cell.number)
        assert recipe.schedule.datasets == (() if cell.name == COMBINED else (cell.name,))
    one, other = (
        ScheduleWindows(days, "test", cell.recipe.schedule) for cell in confirmed.cells[3::4]
    )
    assert set(one.rows.tolist()) != set(other.rows.tolist())


def test_the_order_of_datasets_is_drawn_by_the_pass(recipe, days, tmp_path):
    planned = plan(recipe(), days, tmp_path, passes=8)
    orders = [tuple(c.name for c in planned.cells if c.number == n) for n in range(8)]
    assert len(set(orders)) > 1
    again = plan(recipe(), days, tmp_path, passes=8)
    assert again.cells == planned.cells
    for passes in (1, 3):
        fewer = plan(recipe(), days, tmp_path, passes=passes)
        assert fewer.cells == planned.cells[: len(fewer.cells)]


def test_the_table_says_what_was_trained_and_measured(confirmed, days):
    for cell, row in zip(confirmed.cells, table(confirmed), strict=True):
        assert row["train_windows"] == len(build_windows(cell.recipe, days, "train"))
        assert row["validation_windows"] == len(build_windows(cell.recipe, days, "test"))
        assert row["steps"] == 4
        assert row["seconds"] > 0
        weights = confirmed.out / row["checkpoint"] / "model.safetensors"
        assert row["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert row["lower"] == pytest.approx(1 - row["loss_trained"] / row["loss_fresh"])
        numbers = [value for value in row.values() if isinstance(value, float)]
        assert np.isfinite(numbers).all(), row
        assert row["effective_rank"] >= 1
        assert row["target_variance"] > 0
        assert row["loss_position"] <= row["loss_mean"] * 1.1, "a finer mean is no worse"


def test_csv_and_parquet_are_one_table(confirmed):
    with (confirmed.out / "confirm.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [{name: str(value) for name, value in row.items()} for row in table(confirmed)] == lines


def test_datasets_that_are_too_small_are_named_and_only_in_the_combined_runs(confirmed, days):
    (few,) = confirmed.left_out
    assert (few.name, few.records) == ("edges", 40)
    assert about(confirmed)["left_out"] == [vars(few)]
    assert few.name not in {cell.name for cell in confirmed.cells}
    windows = ScheduleWindows(days, "train", confirmed.recipe.schedule)
    share = (windows.entities() == days.datasets.index("edges")).mean()
    assert 0 < share <= confirmed.recipe.schedule.timeless
    assert about(confirmed)["combined_windows"]["edges"] == round(share * len(windows))
    assert about(confirmed)["timeless"] == ["edges"]


def test_fewer_windows_than_three_batches_are_too_few(recipe, days, tmp_path):
    planned = plan(recipe("train.batch=80"), days, tmp_path, passes=3)
    why = {each.name: each.why for each in planned.left_out}
    assert why.keys() == {"meetings", "edges"}
    assert why["meetings"] == "220 windows to split, 240 are needed"
    assert {cell.name for cell in planned.cells} == {"mail", "code", COMBINED}


def test_what_the_cut_leaves_nothing_of_is_left_out(recipe, tmp_path, monkeypatch):
    made = smoke._records

    def with_holidays(name):
        if name != "holidays":
            return made(name)
        day = (0, 1440, CALENDAR | HOLIDAY, 0, 0, 0, 0, 1)
        return iter([Record(f"{n}", ("u:1",), 19_723 + n, *day) for n in range(60)])

    monkeypatch.setitem(smoke.RECORDS, "holidays", 60)
    monkeypatch.setattr(smoke, "_records", with_holidays)
    store = look_alike(tmp_path / "store")
    for whole, left_out in (("true", {"edges"}), ("false", {"edges", "holidays"})):
        planned = plan(recipe(f"schedule.whole_days={whole}"), store, tmp_path / whole, passes=1)
        assert {each.name for each in planned.left_out} == left_out
    assert planned.left_out[-1].why == "0 windows to split, 48 are needed"


def test_a_second_call_trains_and_measures_nothing_again(confirmed):
    files = [*confirmed.out.rglob("checkpoints/*/*"), *confirmed.out.glob("pass-*/*/confirm.json")]
    before = {file: file.stat().st_mtime_ns for file in files}
    steps, rows = [], []
    again = confirm(
        confirmed,
        on_log=lambda cell, row: steps.append(row),
        on_row=lambda cell, row: rows.append(row),
    )
    assert again
    assert steps == []
    assert rows == table(confirmed)
    assert {file: file.stat().st_mtime_ns for file in files} == before


def test_stopped_at_any_moment_it_goes_on_to_the_same_weights(confirmed, recipe, days, tmp_path):
    planned = plan(recipe(), days, tmp_path, passes=2)
    count = 0

    def stop(cell, row):
        nonlocal count
        count += 1
        if count == 4:  # the last step of the second run, before its checkpoint
            raise KeyboardInterrupt

    assert not confirm(planned, on_log=stop)
    assert len(table(planned)) == 1
    assert about(planned)["done"] == 1
    assert about(planned)["of"] == 8
    assert confirm(planned)
    assert all(same_weights(*pair) for pair in zip(planned.cells, confirmed.cells, strict=True))
    timeless = [{n: v for n, v in row.items() if n != "seconds"} for row in table(planned)]
    wanted = [{n: v for n, v in row.items() if n != "seconds"} for row in table(confirmed)]
    assert timeless == wanted


def test_more_passes_can_be_asked_for_later(recipe, days, tmp_path):
    first = plan(recipe(), days, tmp_path, passes=1, combined_only=True)
    assert confirm(first)
    (row,) = table(first)
    more = plan(recipe(), days, tmp_path, passes=2, combined_only=True)
    assert confirm(more)
    assert len(table(more)) == 2
    assert table(more)[0] == row


@pytest.mark.parametrize("change", ["lr=0.1", "schedule.datasets=mail,code"])
def test_a_directory_holds_one_confirmation(confirmed, recipe, days, change):
    with pytest.raises(RunError, match=r"differs in recipe or datasets\): choose another --out"):
        plan(recipe(change), days, confirmed.out)


def test_one_process_at_a_time(confirmed):
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'a+'); fcntl.lockf(file, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(confirmed.out / ".lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=r"is confirming in .*: wait for it or choose another"):
            confirm(confirmed)
        other.communicate("")


def damage_cut(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    return "cannot read .*model.safetensors"


def damage_nan(folder):
    values = load_file(folder / "model.safetensors")
    name = next(iter(values))
    values[name].fill_(math.nan)
    save_file(values, folder / "model.safetensors")
    return f"{name} is not finite: delete .* and repeat the command"


def damage_step(folder):
    state = torch.load(folder / "state.pt", weights_only=True)
    torch.save(state | {"step": 3}, folder / "state.pt")
    return "holds step 3: delete .* and repeat the command"


@pytest.mark.parametrize("damage", [damage_cut, damage_nan, damage_step])
@pytest.mark.parametrize("place", [0, -1])
def test_a_damaged_checkpoint_is_named_and_the_other_runs_go_on(
    recipe, days, tmp_path, damage, place
):
    changes = recipe("schedule.datasets=mail,code")
    planned = plan(changes, days, tmp_path, passes=1)
    assert confirm(planned)
    victim = planned.cells[0]
    message = damage(sorted((victim.path / "checkpoints").iterdir())[place])
    told = []
    with pytest.raises(RunError, match=f"1 of 3 runs failed, first {victim}: .*{message}"):
        confirm(planned, on_failure=lambda cell, why: told.append(cell))
    assert told == [victim]
    assert [row["dataset"] for row in table(planned)] == [c.name for c in planned.cells[1:]]
    assert list(about(planned)["failed"]) == [str(victim)]


def test_deleting_a_damaged_checkpoint_mends_it(recipe, days, tmp_path):
    planned = plan(recipe(), days, tmp_path, passes=1, combined_only=True)
    assert confirm(planned)
    before = table(planned)
    newest = checkpoint.latest(planned.cells[0].path)
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    assert confirm(planned)
    assert table(planned)[0]["sha256"] == before[0]["sha256"]


def test_a_single_dataset_has_its_run_once(recipe, days, tmp_path):
    planned = plan(recipe("schedule.datasets=mail"), days, tmp_path, passes=2)
    assert [cell.name for cell in planned.cells] == [COMBINED, COMBINED]
    assert planned.combined.keys() == {"mail"}


def test_an_unknown_dataset_is_refused_with_the_nearest(recipe, days, tmp_path):
    with pytest.raises(DataError, match="did you mean 'meetings'"):
        plan(recipe("schedule.datasets=meeting"), days, tmp_path)


def test_a_store_of_series_is_refused(recipe, store, tmp_path):
    with pytest.raises(RunError, match="holds plant, a confirmation is of schedules"):
        plan(recipe(), store, tmp_path)


@pytest.mark.parametrize("name", [COMBINED, "../elsewhere", "a/b", ""])
def test_a_dataset_that_cannot_name_a_directory_is_refused(
    recipe, days, tmp_path, name, monkeypatch
):
    monkeypatch.setitem(days.manifest["datasets"][0], "name", name)
    with pytest.raises(RunError, match="cannot name a run directory"):
        plan(recipe(), days, tmp_path)


def test_the_summary_is_of_the_combined_runs(confirmed):
    rows = table(confirmed)
    combined = [row for row in rows if row["dataset"] == COMBINED]
    found = summary(rows)
    losses = [row["loss_trained"] for row in combined]
    assert found["passes"] == 2
    assert found["loss_trained"] == pytest.approx(np.mean(losses))
    assert (found["lowest"], found["highest"]) == (min(losses), max(losses))
    assert summary([row for row in rows if row["dataset"] != COMBINED]) == {}


@pytest.mark.parametrize(
    ("rank", "beyond", "said"),
    [
        (20.0, 0.5, ()),
        (1.04, 0.5, ("effective rank of 1.04",)),
        (20.0, 0.03, ("3.0% of their variance beyond",)),
        (1.0, math.nan, ("effective rank of 1.00", "nothing of their variance beyond")),
        (1.04, -0.2, ("effective rank of 1.04", "nothing of their variance beyond")),
    ],
)
def test_a_low_loss_is_never_praised_when_the_targets_collapsed(rank, beyond, said):
    sentence = collapse({"effective_rank": rank, "explained_beyond": beyond})
    assert bool(sentence) == bool(said)
    assert all(part in sentence for part in said)


def test_the_page_shows_every_run_and_what_has_none(confirmed):
    page = write_confirmation(confirmed.out).read_text()
    for row in table(confirmed):
        assert row["sha256"][:12] in page
        assert f"{row['loss_trained']:.4g}" in page
    assert "edges" in page
    assert "fewer than 50 records" in page
    assert "8 of 8 runs are done" in page
    assert "<script" not in page


def test_a_page_needs_tables(tmp_path):
    with pytest.raises(ReportError, match="`bandpass confirm` writes its tables"):
        write_confirmation(tmp_path)


@pytest.mark.slow
def test_two_processes_train_the_same_weights_as_one(confirmed, recipe, days, tmp_path):
    planned = plan(recipe(), days, tmp_path, passes=1)
    assert confirm(planned, jobs=2)
    assert all(same_weights(*pair) for pair in zip(planned.cells, confirmed.cells[:4], strict=True))
    assert [row["sha256"] for row in table(planned)] == [
        row["sha256"] for row in table(confirmed)[:4]
    ]


@pytest.mark.slow
def test_a_failed_run_in_another_process_is_named_and_the_others_go_on(recipe, days, tmp_path):
    planned = plan(recipe("schedule.datasets=mail,code"), days, tmp_path, passes=1)
    victim = planned.cells[0]
    victim.path.mkdir(parents=True)
    (victim.path / "recipe.json").write_text("{")
    with pytest.raises(RunError, match=f"1 of 3 runs failed, first {victim}: .*cannot be read"):
        confirm(planned, jobs=2)
    assert len(table(planned)) == 2
