"""`bandpass confirm` as a person types it."""

import importlib
import json

import pyarrow.parquet as pq
import pytest

from bandpass.runs.confirm import look_alike

TINY = (
    *("steps=4", "log_every=2", "checkpoint_every=2", "device=cpu"),
    *("encoder.dim=16", "encoder.depth=1", "encoder.heads=2", "encoder.mlp=16"),
    *("predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "predictor.mlp=16"),
)


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    return look_alike(tmp_path_factory.mktemp("days") / "store").path


def test_smoke_needs_nothing_and_shows_everything(bandpass, tmp_path):
    words = ("confirm", "--smoke", "--out", tmp_path / "out", *TINY)
    done = bandpass(*words)
    assert (done.code, done.err) == (0, "")
    assert "8 runs, 2 of them combined" in done.out
    assert "without runs of their own, by records: edges (40: fewer than 50 records)" in done.out
    assert "combined training windows: meetings 198, mail 238, code 219, edges 34" in done.out
    assert "of them without any time, at most 5%: edges" in done.out
    assert "7 of 8 runs, ETA" in done.out
    lines = done.out.splitlines()
    heading = next(place for place, line in enumerate(lines) if line.startswith("pass  dataset"))
    assert len([line for line in lines[heading + 1 :] if line[:1] in ("0", "1")]) == 8
    assert "\N{HORIZONTAL ELLIPSIS}" not in done.out, "no number is cut"
    summary = next(line for line in lines if line.startswith("combined, 2 passes: held-out loss"))
    assert "fresh" in summary
    assert "explained beyond each position's mean" in summary
    assert "effective rank" in summary
    table = tmp_path / "out" / "confirm.csv"
    assert lines[-1] == f"table: {table}; report: {table.with_suffix('.html')}"
    again = bandpass(*words)
    assert again.code == 0
    assert "ETA" not in again.out, "nothing was left to do"


def test_a_store_and_changes_are_told_apart(bandpass, days, tmp_path):
    out = tmp_path / "out"
    words = ("--passes", 1, "--datasets", "mail,code", "--out", out, "batch=16")
    done = bandpass("confirm", days, *TINY, *words)
    assert done.code == 0, done.err
    rows = pq.read_table(out / "confirm.parquet").to_pylist()
    assert {row["dataset"] for row in rows} == {"mail", "code", "combined"}
    recipe = json.loads((out / "pass-0" / "combined" / "recipe.json").read_text())
    assert recipe["schedule"]["datasets"] == ["mail", "code"]
    assert recipe["train"]["batch"] == 16


def test_combined_only(bandpass, days, tmp_path):
    words = ("--passes", 2, "--combined-only", "--out", tmp_path / "out")
    done = bandpass("confirm", days, *TINY, *words)
    assert done.code == 0, done.err
    rows = pq.read_table(tmp_path / "out" / "confirm.parquet").to_pylist()
    assert [row["dataset"] for row in rows] == ["combined", "combined"]


def test_ctrl_c_leaves_a_table_and_says_how_to_go_on(bandpass, days, tmp_path, monkeypatch):
    cells = importlib.import_module("bandpass.runs.confirm.passes")
    run_cell, made = cells.run_cell, []

    def interrupted(cell, *rest):
        if made:
            raise KeyboardInterrupt
        made.append(cell)
        return run_cell(cell, *rest)

    monkeypatch.setattr(cells, "run_cell", interrupted)
    words = ("confirm", days, *TINY, "--passes", 1, "--out", tmp_path / "out")
    done = bandpass(*words)
    assert done.code == 130
    assert f"stopped; what is done is in {tmp_path / 'out'}, the same command" in done.out
    assert len(pq.read_table(tmp_path / "out" / "confirm.parquet")) == 1
    monkeypatch.undo()


def test_a_run_that_failed_is_told_at_once_and_again_at_the_end(bandpass, days, tmp_path):
    words = ("confirm", days, *TINY, "--passes", 1, "--datasets", "mail,code")
    words += ("--out", tmp_path / "out")
    victim = tmp_path / "out" / "pass-0" / "mail"
    victim.mkdir(parents=True)
    (victim / "recipe.json").write_text("{")
    done = bandpass(*words)
    assert done.code == 1
    assert "pass 0, mail failed: " in done.out
    assert "1 of 3 runs failed, first pass 0, mail" in done.err
    assert "start a new run" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say which STORE, or --smoke"),
        (("steps=4",), "say which STORE, or --smoke"),
        (("STORE", "seed=3"), "every pass sets seed and split_seed itself"),
        (("STORE", "split_seed=3"), "every pass sets seed and split_seed itself"),
        (("STORE", "--passes", "0"), "--passes"),
        (("STORE", "--jobs", "0"), "--jobs"),
    ],
)
def test_what_makes_no_sense_is_refused(bandpass, days, tmp_path, words, said):
    given = [str(days) if word == "STORE" else word for word in words]
    done = bandpass("confirm", *given, "--out", tmp_path / "out")
    assert done.code == 2
    assert said in " ".join(done.err.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split())
    assert not (tmp_path / "out").exists()


def test_expected_problems_are_one_line(bandpass, days, store, tmp_path):
    for words, said in (
        ((tmp_path / "nowhere",), "there is no store at"),
        ((store,), "holds plant, a confirmation is of schedules"),
        ((days, "--datasets", "male"), "did you mean 'mail'?"),
        ((days, "--recipe", "schedule-bass"), "did you mean 'schedule-base'?"),
    ):
        done = bandpass("confirm", *words, "--out", tmp_path / "out")
        assert done.code == 1
        assert said in done.err
        assert done.err.count("\n") == 1
