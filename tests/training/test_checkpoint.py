"""A checkpoint is whole or absent, and says what is wrong with it."""

import resource
import sys

import pytest
import torch

from bandpass.training import CheckpointError, checkpoint

WEIGHTS = {"w": torch.arange(4096.0), "transposed": torch.arange(6.0).reshape(2, 3).T}
STATE = {"step": 1, "moments": [torch.arange(40_000.0)], "log": {"warning": None}}


def save(run, step):
    return checkpoint.save(run, step, WEIGHTS, STATE | {"step": step})


def test_comes_back_as_it_was_saved(tmp_path):
    at = save(tmp_path, 7)
    assert checkpoint.latest(tmp_path) == at
    weights, state = checkpoint.load_weights(at), checkpoint.load_state(at)
    assert all(torch.equal(weights[name], value) for name, value in WEIGHTS.items())
    assert state["step"] == 7
    assert torch.equal(state["moments"][0], STATE["moments"][0])


def test_one_of_that_step_that_is_there_already_is_replaced(tmp_path):
    save(tmp_path, 6)
    save(tmp_path, 7)
    other = {"w": torch.ones(3)}
    at = checkpoint.save(tmp_path, 7, other, {"step": 7, "again": True})
    assert torch.equal(checkpoint.load_weights(at)["w"], other["w"])
    assert checkpoint.load_state(at) == {"step": 7, "again": True}
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-00000006", "step-00000007"]


def test_keeps_the_newest_two(tmp_path):
    for step in (900, 1000, 11_000, 99):
        save(tmp_path, step)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step-00001000", "step-00011000"]


def test_keeps_what_it_is_told_to_beside_them(tmp_path):
    for step in range(1, 9):
        checkpoint.save(tmp_path, step, WEIGHTS, STATE, keep={2, 4, 8})
    kept = [int(path.name[-1]) for path in sorted((tmp_path / "checkpoints").iterdir())]
    assert kept == [2, 4, 7, 8]
    assert checkpoint.latest(tmp_path).name == "step-00000008"


def test_a_run_without_any(tmp_path):
    assert checkpoint.latest(tmp_path) is None


def test_half_written_is_never_the_latest(tmp_path):
    whole = save(tmp_path, 1)
    whole.with_name(".step-00000002.partial").mkdir()
    assert checkpoint.latest(tmp_path) == whole
    save(tmp_path, 3)
    assert not list((tmp_path / "checkpoints").glob(".*"))


@pytest.mark.parametrize("allowed", [1_000, 100_000], ids=["in the weights", "in the state"])
def test_a_disk_that_takes_no_more(tmp_path, in_child, allowed):
    """Writing fails for real: the process may not write files longer than ``allowed``."""
    whole = save(tmp_path, 1)

    def doomed() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, allowed))
        with pytest.raises(CheckpointError, match=r"cannot write .*step-00000002: .*make room"):
            save(tmp_path, 2)
        sys.exit(5)

    assert in_child(doomed) == 5
    assert checkpoint.latest(tmp_path) == whole
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]
    assert checkpoint.load_state(whole)["step"] == 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize(
    ("name", "load"),
    [("model.safetensors", checkpoint.load_weights), ("state.pt", checkpoint.load_state)],
)
def test_a_truncated_file_is_named(tmp_path, name, load, share):
    at = save(tmp_path, 1)
    content = (at / name).read_bytes()
    (at / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=rf"cannot read .*step-00000001/{name}: .*delete"):
        load(at)


@pytest.mark.parametrize(
    ("name", "load"),
    [("model.safetensors", checkpoint.load_weights), ("state.pt", checkpoint.load_state)],
)
def test_a_missing_or_foreign_file_is_named(tmp_path, name, load):
    at = save(tmp_path, 1)
    (at / name).write_bytes(b"this was never a checkpoint, whatever its name says")
    with pytest.raises(CheckpointError, match=f"cannot read .*{name}"):
        load(at)
    (at / name).unlink()
    with pytest.raises(CheckpointError, match=f"cannot read .*{name}"):
        load(at)


def test_never_runs_code_from_a_state(tmp_path):
    """A checkpoint is data: one from somebody else must not be able to execute anything."""
    at = save(tmp_path, 1)
    torch.save({"step": print}, at / "state.pt")
    with pytest.raises(CheckpointError, match=r"cannot read .*state\.pt"):
        checkpoint.load_state(at)
