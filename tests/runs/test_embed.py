import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bandpass.recipes import build_windows
from bandpass.runs import RunError, embed, open_run
from bandpass.scoring.frozen import embed_windows


@pytest.mark.parametrize(("pooling", "width"), [("mean", 16), (None, 32)])
def test_a_row_per_window_of_both_splits(run, store, recipe, tmp_path, pooling, width):
    out = tmp_path / "new" / "embeddings.parquet"
    progress: list[tuple[int, int]] = []
    count = embed(run, store, out, pooling=pooling, on_windows=lambda *at: progress.append(at))
    table = pq.read_table(out)
    assert table.schema.equals(
        pa.schema(
            [
                ("series", pa.string()),
                ("start", pa.int64()),
                ("split", pa.string()),
                ("label", pa.int8()),
                ("embedding", pa.list_(pa.float32(), width)),
            ]
        )
    )
    windows = {split: build_windows(recipe(), store, split) for split in ("train", "test")}
    assert table.num_rows == count == sum(map(len, windows.values()))
    assert progress[-1] == (count, count)

    jepa = open_run(run).load_jepa(store)
    rows = table.to_pylist()
    for split, corpus in windows.items():
        here = [row for row in rows if row["split"] == split]
        ids = np.arange(len(corpus))
        series, starts = corpus.locate(ids)
        assert [row["start"] for row in here] == starts.tolist()
        assert [row["series"] for row in here] == [store.series_names[i] for i in series]
        assert [row["label"] for row in here] == corpus.labels(ids).tolist()
        expected = embed_windows(jepa, corpus, ids, pooling or "mean+std")
        np.testing.assert_allclose([row["embedding"] for row in here], expected, rtol=1e-5)


def test_embeds_another_store_of_the_same_channels(run, make_store, tmp_path):
    other = make_store(seed=11, rows=900)
    assert (
        embed(run, other, tmp_path / "other.parquet")
        == pq.read_table(tmp_path / "other.parquet").num_rows
    )


def test_other_channels_are_refused(run, make_store, tmp_path):
    with pytest.raises(RunError, match=r"has the channels .*sensor-05.* was trained on"):
        embed(run, make_store(channels=5), tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())


def test_unknown_pooling_names_the_known(run, store, tmp_path):
    with pytest.raises(
        RunError, match=r"'max' is none of \['mean', 'mean\+std', 'mean\+std\+max'\]"
    ):
        embed(run, store, tmp_path / "out.parquet", pooling="max")


def test_appears_whole_or_not_at_all(run, store, tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(run, store, tmp_path / "out.parquet", on_windows=stop)
    assert not list(tmp_path.iterdir())
