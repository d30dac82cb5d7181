import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandpass.data import StoreError, prepare
from bandpass.data.sources import SOURCES
from bandpass.report import write_report
from bandpass.runs import RunError, evaluate, open_run, train
from bandpass.scoring import frozen
from bandpass.training import checkpoint

COLUMNS = ["encoder", "pooling", "task", "metric", "value", "low", "high", "count", "note"]


@pytest.fixture(scope="session")
def rows(run) -> list[dict]:
    evaluate(run)
    return pq.read_table(run / "evaluation.parquet").to_pylist()


def test_writes_a_long_table(run, rows):
    table = pq.read_table(run / "evaluation.parquet")
    assert table.column_names == COLUMNS
    assert [table.schema.field(name).type for name in ("value", "count")] == [
        pa.float64(),
        pa.int64(),
    ]
    keys = [tuple(row[name] for name in COLUMNS[:4]) for row in rows]
    assert len(set(keys)) == len(keys)


def test_every_control_stands_beside_the_run(rows):
    found = {(row["encoder"], row["pooling"]) for row in rows}
    models = ("pretrained", "random-init", "raw-patch")
    expected = {(name, pooling) for name in models for pooling in ("mean", "mean+std")}
    assert found == expected | {("raw-features", "summary"), ("persistence", "none")}


def test_all_encoders_answer_the_same_tasks(rows):
    by_encoder: dict[str, set] = {}
    for row in rows:
        if row["pooling"] == "mean+std":
            by_encoder.setdefault(row["encoder"], set()).add((row["task"], row["metric"]))
    assert by_encoder["pretrained"] == by_encoder["random-init"] == by_encoder["raw-patch"]
    tasks = {task for task, _ in by_encoder["pretrained"]}
    assert {"rare slice, logistic", "regime", "next-state readout", "geometry"} <= tasks


def test_intervals_hold_their_value_and_gaps_have_a_reason(rows):
    for row in rows:
        if np.isnan(row["value"]):
            assert row["note"], row
        elif not np.isnan(row["low"]):
            assert row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9, row


def test_encoders_are_told_apart(rows):
    """Else the controls would be copies of the run."""
    ranks = {
        row["encoder"]: row["value"]
        for row in rows
        if row["metric"] == "effective_rank" and row["pooling"] != "mean"
    }
    assert len(set(ranks.values())) == len(ranks) == 4


def test_is_a_function_of_the_run(run, rows):
    seen: list[str] = []
    again = evaluate(run, seen.append)
    assert len(again) == len(rows)
    for one, other in zip(again, rows, strict=True):
        for name in COLUMNS:
            assert one[name] == other[name] or (one[name] != one[name]), (one, other)
    assert seen[0] == "pretrained, mean"


def test_changes_no_checkpoint(run, rows):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("step-*/*")}
    evaluate(run)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("step-*/*")} == before


def test_map_shows_test_windows_once_per_encoder(run, rows, store):
    points = pq.read_table(run / "map.parquet").to_pylist()
    assert {point["encoder"] for point in points} == {row["encoder"] for row in rows} - {
        "persistence"
    }
    keys = [(point["encoder"], point["id"]) for point in points]
    assert len(set(keys)) == len(keys)
    assert {point["regime"] for point in points} <= {"unknown", *store.regimes}


def test_report_is_made_of_a_run(run, rows):
    page = write_report(run)
    assert "pretrained" in page.read_text()


def test_without_control_there_is_none(recipe, store, tmp_path):
    train(recipe("policy=uniform"), store, tmp_path, with_control=False)
    assert "raw-patch" not in {row["encoder"] for row in evaluate(tmp_path)}


def test_a_store_that_changed_is_refused(recipe, make_store, tmp_path):
    store = make_store()
    train(recipe("steps=2"), store, tmp_path, with_control=False)
    options = {"series": 2, "rows": 1500, "channels": 4, "seed": 5}
    prepare(SOURCES["plant"], store.path, store.path, overwrite=True, **options)
    with pytest.raises(RunError, match=r"has changed since .* was started"):
        evaluate(tmp_path)
    shutil.rmtree(store.path)
    with pytest.raises(StoreError):
        evaluate(tmp_path)


@pytest.mark.parametrize(("time", "patch", "rows"), [(128, 4, 96), (72, 4, 56), (24, 4, 16)])
def test_targets_start_where_the_mask_hides(time, patch, rows):
    assert frozen.past_rows(time, patch) == rows


def test_an_unfinished_run_is_not_evaluated(run, tmp_path):
    """Its encoder, or its control, would have had a smaller budget than the table says."""
    copy = shutil.copytree(run, tmp_path / "run")
    newest = checkpoint.latest(copy / "raw-patch")
    assert newest is not None
    newest.rename(newest.with_name("step-00000007"))
    assert not open_run(copy / "raw-patch").finished
    assert {row["encoder"] for row in evaluate(copy)} >= {"pretrained", "random-init"}
    assert "raw-patch" not in {row["encoder"] for row in evaluate(copy)}
    for whole in (copy / "checkpoints").glob("step-*"):
        whole.rename(whole.with_name("step-00000003"))
        break
    for rest in (copy / "checkpoints").glob("step-*"):
        if rest.name != "step-00000003":
            shutil.rmtree(rest)
    with pytest.raises(RunError, match="has not spent its budget"):
        evaluate(copy)
