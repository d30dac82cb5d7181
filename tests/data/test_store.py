import json
import pickle

import numpy as np
import pytest

from bandpass.data import Series, Source, Store, StoreError, open_store, prepare


@pytest.fixture
def store(tmp_path) -> Store:
    def read(raw):
        values = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
        yield Series("a", "rig", values, np.zeros(300, np.int8))

    source = Source("rigs", "A rig", "MIT", "", "", ("x", "y"), (), read)
    return prepare(source, tmp_path, tmp_path / "store")


def edit_manifest(store: Store, **changes: object) -> None:
    path = store.path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_it_opens_again_as_it_was(store):
    again = open_store(str(store.path))
    assert again.manifest == store.manifest
    assert again.rows == 300
    assert again.channels == ["x", "y"]
    assert again.regimes == []
    assert again.series.equals(store.series)
    assert again.entity_of_series.tolist() == [0]
    assert "300 rows, 2 channels, 1 series of 1 entities" in repr(again)


def test_columns_are_mapped_once_read_only_and_dropped_on_pickling(store):
    column = store.column("values")
    assert isinstance(column, np.memmap)
    assert store.column("values") is column
    with pytest.raises(ValueError, match="read-only"):
        column[0, 0] = 1.0
    size = len(pickle.dumps(store))
    assert size < 20_000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).column("values"), column)


def test_a_column_it_does_not_have_is_an_error_that_names_those_it_has(store):
    with pytest.raises(StoreError, match="no column 'state', it has values, label"):
        store.column("state")


def test_no_store_there(tmp_path):
    with pytest.raises(StoreError, match=r"no store at .*: run `bandpass prepare` first"):
        open_store(tmp_path / "nothing")


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"format": "something else"}'])
def test_a_folder_that_is_no_store(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match="is not a store"):
        open_store(tmp_path)


def test_another_version_names_both_and_the_mend(store):
    edit_manifest(store, version=99)
    with pytest.raises(StoreError, match=r"version 99, this bandpass reads version 1: .*overwrite"):
        open_store(store.path)


def test_a_column_that_was_cut_short(store):
    with open(store.path / "values.npy", "r+b") as file:
        file.truncate(1000)
    with pytest.raises(StoreError, match=r"values.npy has 1000 bytes, the manifest says 2528"):
        open_store(store.path)


def test_a_column_that_is_gone(store):
    (store.path / "label.npy").unlink()
    with pytest.raises(StoreError, match=r"label.npy is missing"):
        open_store(store.path)


def test_a_table_that_cannot_be_read(store):
    (store.path / "segments.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(StoreError, match=r"a table of .* cannot be read"):
        open_store(store.path)


def test_verify_finds_one_changed_byte(store):
    store.verify()
    with open(store.path / "values.npy", "r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(StoreError, match=r"values.npy has changed"):
        open_store(store.path).verify()


def test_verify_finds_a_changed_table_and_a_changed_manifest(store, tmp_path):
    edit_manifest(store, hash="0" * 64)
    with pytest.raises(StoreError, match=r"manifest.json has changed"):
        open_store(store.path).verify()
    edit_manifest(store, tables=store.manifest["tables"] | {"entities": "0" * 64})
    with pytest.raises(StoreError, match=r"entities.parquet has changed"):
        open_store(store.path).verify()
