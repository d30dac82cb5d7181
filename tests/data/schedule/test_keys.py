import stat
from pathlib import Path

import pytest

from bandpass.data import DataError
from bandpass.data.schedule.keys import LENGTH, VARIABLE, find_key, fingerprint


@pytest.fixture(autouse=True)
def _no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path):
    store = tmp_path / "store"
    key, note = find_key(store, None)
    file = tmp_path / "store.key"
    assert (len(key), file.read_bytes()) == (LENGTH, key)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in note
    assert find_key(store, None) == (key, ""), "the next time it is there"
    assert find_key(tmp_path / "other", None)[0] != key


def test_a_given_key_goes_before_the_environment_and_both_before_the_own(tmp_path, monkeypatch):
    files = {name: tmp_path / name for name in ("given", "named", "store.key")}
    for number, file in enumerate(files.values()):
        file.write_bytes(bytes([number]) * LENGTH)
    store = tmp_path / "store"
    assert find_key(store, None)[0] == bytes([2]) * LENGTH
    monkeypatch.setenv(VARIABLE, str(files["named"]))
    assert find_key(store, None)[0] == bytes([1]) * LENGTH
    assert find_key(store, files["given"])[0] == bytes([0]) * LENGTH


def test_a_key_that_is_missing_is_never_made_in_its_place(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"nowhere cannot be read: No such file"):
        find_key(tmp_path / "store", tmp_path / "nowhere")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"nowhere cannot be read"):
        find_key(tmp_path / "store", None)
    assert list(tmp_path.iterdir()) == []


def test_a_key_of_another_length_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"secret\n")
    with pytest.raises(DataError, match=r"key has 7 bytes, a key has 32"):
        find_key(tmp_path / "store", tmp_path / "key")


@pytest.mark.parametrize("inside", ["key", "deep/key", "../store/key"])
def test_a_key_inside_the_store_is_refused(tmp_path, inside):
    store = tmp_path / "store"
    (store / "deep").mkdir(parents=True)
    file = store / inside
    Path(file).write_bytes(bytes(LENGTH))
    with pytest.raises(DataError, match="inside the store"):
        find_key(store, file)


def test_a_fingerprint_tells_keys_apart_and_holds_nothing_of_them():
    one, other = bytes(LENGTH), bytes([1]) * LENGTH
    assert fingerprint(one) == fingerprint(one) != fingerprint(other)
    assert other.hex()[:8] not in fingerprint(other)
