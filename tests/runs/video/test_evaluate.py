import numpy as np
import pyarrow.parquet as pq
import pytest

from bandpass.evaluation import videos
from bandpass.report import write_report
from bandpass.runs import RunError, evaluate, train

COLUMNS = ["encoder", "pooling", "task", "metric", "value", "low", "high", "count", "note"]
BY_HAND = (videos.MOTION, videos.MEAN_FRAME, videos.GRID)


@pytest.fixture(scope="session")
def rows(run) -> list[dict]:
    evaluate(run)
    return pq.read_table(run / "evaluation.parquet").to_pylist()


def value(rows: list[dict], encoder: str, task: str, metric: str, pooling: str = "") -> float:
    (found,) = (
        row["value"]
        for row in rows
        if (row["encoder"], row["task"], row["metric"]) == (encoder, task, metric)
        and pooling in ("", row["pooling"])
    )
    return found


def test_writes_a_long_table_without_repeats(run, rows):
    assert pq.read_table(run / "evaluation.parquet").column_names == COLUMNS
    keys = [tuple(row[name] for name in COLUMNS[:4]) for row in rows]
    assert len(set(keys)) == len(keys)


def test_every_control_stands_beside_the_run_in_its_poolings(rows):
    models = {
        (name, pooling)
        for name in (videos.PRETRAINED, videos.RANDOM)
        for pooling in (videos.SPREAD, videos.PLACE, "attentive", videos.SURPRISE)
    }
    assert {(row["encoder"], row["pooling"]) for row in rows} == models | {
        (videos.MOTION, videos.SUMMARY),
        (videos.MEAN_FRAME, videos.PIXELS),
        (videos.GRID, videos.TUBELETS),
        (videos.GRID, videos.PIXELS),
        (videos.TRIVIAL, "none"),
    }


def test_all_encoders_answer_the_same_questions(rows):
    asked: dict[str, set] = {}
    for row in rows:
        if row["pooling"] in (videos.PLACE, videos.SUMMARY, videos.PIXELS):
            asked.setdefault(row["encoder"], set()).add((row["task"], row["metric"]))
    first, *others = asked.values()
    assert len(others) == 4
    assert all(other == first for other in others)
    tasks = {task for task, _ in first}
    assert tasks >= {
        *(videos.ACTION, videos.SEGMENT, videos.SEARCH, videos.ORDER, videos.ARROW),
        *(videos.STATE, videos.FRAMES, videos.EVENTS, f"{videos.WHERE}, fall", "track moving"),
        *(f"{videos.ACTION}, fall", f"{videos.ACTION}, fall, few-shot", f"{videos.STATE}, y"),
        *(f"{videos.ACTION} in boundary clips", f"{videos.ACTION} in least motion clips"),
    }


def test_intervals_hold_their_value_and_gaps_have_a_reason(rows):
    for row in rows:
        if np.isnan(row["value"]):
            assert row["note"], row
        elif not np.isnan(row["low"]):
            assert row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9, row


def test_features_see_what_they_are_made_for(rows):
    """Whether the square moves is in how much changes; where it is takes a place to look at."""
    assert value(rows, videos.MOTION, "track moving", "auroc") > 0.9
    assert value(rows, videos.TRIVIAL, "track moving", "auroc", "none") > 0.9
    assert value(rows, videos.GRID, videos.STATE, "r2", videos.TUBELETS) > 0.3
    assert value(rows, videos.MOTION, videos.STATE, "r2") < 0.2
    assert value(rows, videos.PRETRAINED, videos.STATE, "r2", videos.PLACE) > 0.3
    assert value(rows, videos.PRETRAINED, videos.ACTION, "macro_f1", videos.PLACE) > 0.5
    assert value(rows, videos.PRETRAINED, f"{videos.WHERE}, fall", "segment_ap", videos.PLACE) > 0.5


@pytest.mark.parametrize(
    ("encoder", "pooling"),
    [(videos.GRID, videos.TUBELETS), (videos.MEAN_FRAME, videos.PIXELS)],
)
def test_means_over_time_know_no_arrow_of_time(rows, encoder, pooling):
    assert value(rows, encoder, videos.ARROW, "accuracy", pooling) == 0.5


def test_the_surprise_curve_covers_the_test_recordings(run, rows, store):
    curve = pq.read_table(run / "surprise.parquet").to_pylist()
    assert set(curve[0]) == {"series", "row", "surprise", "motion", "label", "regime"}
    assert {row["series"] for row in curve} == {"take-5", "take-6", "take-7"}
    surprise = np.array([row["surprise"] for row in curve])
    assert np.isfinite(surprise).mean() > 0.9
    assert 0.2 < np.nanmean(surprise) < 5  # in units of the usual error
    first = [row for row in curve if row["series"] == "take-5"]
    assert [row["row"] for row in first] == list(range(len(first)))
    assert first[0]["regime"] == "walk"


def test_the_table_of_clips_numbers_them_as_training_does(run, rows, store):
    clips = pq.read_table(run / "clips.parquet").to_pylist()
    assert [row["id"] for row in clips] == list(range(len(clips)))
    assert {row["series"] for row in clips} == {f"take-{number}" for number in range(5)}
    motion = np.array([row["motion"] for row in clips])
    decile = np.array([row["decile"] for row in clips])
    assert set(decile) == set(range(10))
    assert motion[decile == 9].min() >= motion[decile == 0].max()
    assert any(row["rare"] for row in clips)


@pytest.mark.slow
def test_is_a_function_of_the_run(run, rows):
    seen: list[str] = []
    again = evaluate(run, seen.append)
    for one, other in zip(again, rows, strict=True):
        for name in COLUMNS:
            assert one[name] == other[name] or one[name] != one[name], (one, other)
    assert seen == [videos.PRETRAINED, videos.RANDOM, *BY_HAND]


def test_a_store_without_labels_is_described_all_the_same(recipe, unlabelled, tmp_path):
    assert train(recipe("steps=5"), unlabelled, tmp_path / "run", with_control=True)
    rows = evaluate(tmp_path / "run")
    assert {row["task"] for row in rows} == {"geometry", videos.ARROW}
    assert videos.RAW_PATCH in {row["encoder"] for row in rows}
    curve = pq.read_table(tmp_path / "run" / "surprise.parquet")
    assert set(curve["series"].to_pylist()) == {"take-1", "take-2", "take-3"}
    page = write_report(tmp_path / "run").read_text()
    assert "Nothing is labelled; drawn are the 3 that surprise most" in page
    assert "No rare event is labelled here" in page


def test_batches_are_refused(run):
    with pytest.raises(RunError, match="is no run on schedules"):
        evaluate(run, batches=3)
