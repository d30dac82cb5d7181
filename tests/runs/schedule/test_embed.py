from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandpass.data import ScheduleStore, open_store
from bandpass.data.schedule.record import UNDATED, Record
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.store import KINDS, WINDOW, ScheduleWriter
from bandpass.data.schedule.tokens import PROJECT
from bandpass.runs import RunError, embed, slot_encoder


def opened(path: Path) -> ScheduleStore:
    store = open_store(path)
    assert isinstance(store, ScheduleStore)
    return store


@pytest.fixture
def edges(tmp_path) -> ScheduleStore:
    """Two windows of no day, one of nobody."""
    records = [
        Record(f"{i}", who, UNDATED, 0, 1440, PROJECT, 0, 0.08, 0, 0, 0.3)
        for i, who in enumerate([("u:1",), ()])
    ]
    packed = pack(records, Hasher(b"key", "edges")).records
    windows = np.zeros(2, WINDOW)
    windows["id"], windows["actor"] = packed["id"], packed["owner"]
    windows["day"], windows["events"] = packed["day"], 1
    (tmp_path / "edges").mkdir()
    writer = ScheduleWriter(tmp_path / "edges")
    writer.add(windows, runs_of(packed), np.arange(2))
    writer.finish({"datasets": [{"name": "edges", "timeless": True}]})
    return opened(tmp_path / "edges")


def test_a_row_per_window_with_what_is_known_of_it(run, store, tmp_path):
    out, told = tmp_path / "embeddings.parquet", []
    count = embed(run, open_store(store), out, on_windows=lambda *at: told.append(at))
    table, windows = pq.read_table(out), opened(store).windows
    assert table.schema.equals(
        pa.schema(
            [
                *((name, pa.string()) for name in ("dataset", "kind", "source_id", "actor")),
                *(("day", pa.date32()), ("events", pa.uint16())),
                ("embedding", pa.list_(pa.float32(), 48)),
            ]
        )
    )
    assert table.num_rows == count == len(windows) > 2048
    assert told[-1] == (count, count)
    columns = table.select(["dataset", "kind", "source_id", "actor", "day", "events"]).to_pydict()
    names = opened(store).datasets
    assert columns["dataset"] == [names[dataset] for dataset in windows["dataset"]]
    assert columns["kind"] == [KINDS[kind] for kind in windows["kind"]]
    assert [int(source, 16) for source in columns["source_id"]] == windows["id"].tolist()
    assert [int(actor, 16) for actor in columns["actor"]] == windows["actor"].tolist()
    assert {len(text) for text in columns["source_id"] + columns["actor"]} == {16}
    epoch = date(1970, 1, 1)
    assert columns["day"] == [epoch + timedelta(int(day)) for day in windows["day"]]
    assert columns["events"] == windows["events"].tolist()


def test_the_file_and_the_interface_of_a_scheduler_agree(run, store, tmp_path):
    embed(run, open_store(store), tmp_path / "all.parquet")
    embeddings = pq.read_table(tmp_path / "all.parquet")["embedding"]
    rows = np.array([0, 5, 2050])
    expected = slot_encoder(run).windows(opened(store).tokens(rows))
    found = [embeddings[int(row)].as_py() for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("pooling", "width"), [("mean", 16), ("mean+std", 32), (None, 48)])
def test_another_store_is_embedded_whole_with_nulls_for_what_it_lacks(
    run, edges, tmp_path, pooling, width
):
    assert embed(run, edges, tmp_path / "edges.parquet", pooling=pooling) == 2
    rows = pq.read_table(tmp_path / "edges.parquet").to_pylist()
    assert [row["day"] for row in rows] == [None, None]
    assert [row["actor"] is None for row in rows] == [False, True]
    assert {len(row["embedding"]) for row in rows} == {width}


def test_a_run_without_its_store_has_no_encoder(run, tmp_path):
    with pytest.raises(RunError, match="is not a run"):
        slot_encoder(tmp_path)
