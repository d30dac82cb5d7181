"""What commands other than train and evaluate make of a run on videos."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandpass.curriculum import SurpriseBand
from bandpass.data.video.signals import SIGNALS
from bandpass.data.video.store import ClipStore
from bandpass.recipes import Recipe, build_windows
from bandpass.runs import RunError, embed, quarantined, train
from bandpass.runs.enrich import reference_of
from bandpass.training.quarantine import write_quarantine


def test_an_embedding_names_its_recording_time_and_class(
    run: Path, store: ClipStore, recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    count = embed(run, store, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    names = ["recording", "start", "seconds", "split", "label", "class", "embedding"]
    assert table.column_names == names
    assert table.schema.field("class").type == pa.string()
    clips = [build_windows(recipe(), store, split) for split in ("train", "test")]
    assert table.num_rows == count == sum(map(len, clips))
    rows = table.drop_columns(["embedding"]).to_pylist()
    ids = np.arange(len(clips[0]))
    series, starts = clips[0].locate(ids)
    assert [row["recording"] for row in rows[: len(ids)]] == [store.series_names[i] for i in series]
    assert [row["start"] for row in rows[: len(ids)]] == starts.tolist()
    assert all(row["seconds"] == row["start"] / store.fps for row in rows)
    assert {row["class"] for row in rows} == {"walk", "fall", "hop", "still"}
    assert {row["split"] for row in rows} == {"train", "test"}


def test_clips_without_a_class_have_null(
    unlabelled: ClipStore, recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    assert train(recipe("steps=2"), unlabelled, tmp_path / "run", with_control=False)
    embed(tmp_path / "run", unlabelled, tmp_path / "out.parquet")
    assert set(pq.read_table(tmp_path / "out.parquet")["class"].to_pylist()) == {None}


def test_frames_of_another_size_are_refused_in_words(
    run: Path, store: ClipStore, tmp_path: Path
) -> None:
    other = ClipStore(store.path, store.manifest | {"frame": [8, 32, 1]})
    with pytest.raises(RunError, match=r"frames of 8 x 32 x 1, .* trained on frames of 16 x"):
        embed(run, other, tmp_path / "out.parquet")


def test_a_run_says_what_it_holds_back_by_its_loudest_signal(
    store: ClipStore, recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    clips = build_windows(recipe(), store, "train")
    band = SurpriseBand(len(clips), 4, steps=10)
    band.hold([3, 5])
    assert train(recipe("steps=2"), store, tmp_path / "run", with_control=False)
    write_quarantine(tmp_path / "run", clips, band)
    held = quarantined(tmp_path / "run")
    assert [row["id"] for row in held] == [3, 5]
    for row in held:
        loudest = clips.sketch([row["id"]]).values[0].abs().amax(dim=0).argmax()
        assert row["channel"] == SIGNALS[int(loudest)]
    drawn = pq.read_table(tmp_path / "run" / "quarantine.parquet")
    assert [len(values[0]) for values in drawn["values"].to_pylist()] == [8, 8]


def test_the_reference_of_a_video_store_is_a_run_on_clips(store: ClipStore) -> None:
    assert reference_of(store.path).recipe.name == "video"
