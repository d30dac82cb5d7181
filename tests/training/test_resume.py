"""A run that was stopped at any moment is, once continued, the run that was not."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from bandpass.training import checkpoint
from bandpass.training.log import RunLog

TIMING = ["windows_per_s", "seconds"]

EVERYTHING = (
    *("policy=surprise-band", "score=disagreement", "gate=true", "pool=2", "rescore_every=3"),
    *("guard_every=4", "guard_labels=8", "balance=1", "keep=3", "min_effective=20"),
)

# Every policy with and without loader processes; some of them say most in little time.
combinations = pytest.mark.parametrize(
    ("changes", "workers"),
    [
        pytest.param(("policy=uniform",), 0, id="uniform"),
        pytest.param(("policy=surprise-band",), 2, id="band, 2 workers"),
        pytest.param(EVERYTHING, 2, id="everything, 2 workers"),
        pytest.param(EVERYTHING, 0, id="everything", marks=pytest.mark.slow),
        pytest.param(("policy=surprise-band",), 0, id="band", marks=pytest.mark.slow),
        pytest.param(("policy=uniform",), 2, id="uniform, 2 workers", marks=pytest.mark.slow),
    ],
)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_step(step: int):
    def die(row, log):
        if row["step"] == step:
            kill()

    return die


def in_the_weights() -> None:
    """Dies with half of the second weights file written."""
    write, calls = checkpoint.save_file, []

    def save_file(weights, path):
        write(weights, path)
        calls.append(path)
        if len(calls) == 2:
            os.truncate(path, path.stat().st_size // 2)
            kill()

    checkpoint.save_file = save_file


def in_the_state() -> None:
    """Dies with half of the state written."""
    write = torch.save

    def save(state, path):
        write(state, path)
        os.truncate(path, path.stat().st_size // 2)
        kill()

    torch.save = save


def before_publishing() -> None:
    Path.rename = lambda self, target: kill()


def between_tables_and_checkpoint() -> None:
    write = RunLog.write

    def and_die(self, run) -> None:
        write(self, run)
        kill()

    RunLog.write = and_die


def in_dropping_an_old_one() -> None:
    remove = shutil.rmtree

    def rmtree(folder, **options):
        if Path(folder).name.startswith(".step-"):
            (Path(folder) / "state.pt").unlink()
            kill()
        remove(folder, **options)

    shutil.rmtree = rmtree


MOMENTS = [
    in_the_weights,
    in_the_state,
    before_publishing,
    between_tables_and_checkpoint,
    in_dropping_an_old_one,
]


def assert_same(a: object, b: object) -> None:
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            if key not in TIMING:
                assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b) or torch.equal(a.nan_to_num(-1), b.nan_to_num(-1))
    else:
        assert a == b or (a != a and b != b)


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, optimiser, sampler and tables, bit for bit; how long it took aside."""
    first, second = checkpoint.latest(one), checkpoint.latest(other)
    assert first is not None
    assert second is not None
    assert first.name == second.name
    assert_same(checkpoint.load_weights(first), checkpoint.load_weights(second))
    assert_same(checkpoint.load_state(first), checkpoint.load_state(second))
    tables = sorted(path.name for path in one.glob("*.parquet"))
    assert tables == sorted(path.name for path in other.glob("*.parquet"))
    assert {"metrics.parquet", "slots.parquet"} <= set(tables)
    for name in tables:
        rows = [pq.read_table(run / name).to_pylist() for run in (one, other)]
        assert_same(*rows)


@combinations
def test_killed_run_ends_as_the_uninterrupted_one(
    recipe, train, in_child, tmp_path, changes, workers
):
    """The same run is killed again and again: between steps and inside checkpoints."""
    chosen = recipe(*changes, f"workers={workers}")
    assert in_child(lambda: train(chosen, tmp_path / "whole")) == 0
    run = tmp_path / "killed"

    for step in (4, 10):  # before the first checkpoint, and between two
        assert in_child(lambda step=step: train(chosen, run, at_step(step))) == -signal.SIGKILL
    for moment in MOMENTS:

        def doomed(moment=moment) -> None:
            moment()
            train(chosen, run)

        assert in_child(doomed) == -signal.SIGKILL
        newest = checkpoint.latest(run)
        assert newest is not None
        checkpoint.load_state(newest)  # whole, whatever was going on
        checkpoint.load_weights(newest)

    assert in_child(lambda: train(chosen, run)) == 0
    assert_same_run(run, tmp_path / "whole")
    assert not list((run / "checkpoints").glob(".*"))


@combinations
def test_ctrl_c_saves_where_it_stands_and_the_run_continues(
    recipe, train, in_child, tmp_path, changes, workers
):
    """Ctrl-C reaches every process of the group: workers must not die of it."""
    chosen = recipe(*changes, f"workers={workers}")
    run, whole = tmp_path / "stopped", tmp_path / "whole"

    def interrupt(row, log):
        if row["step"] == 8:
            os.killpg(0, signal.SIGINT)

    def stopped() -> None:
        os.setpgid(0, 0)
        sys.exit(3 if train(chosen, run, interrupt) is False else 4)

    assert in_child(stopped) == 3
    newest = checkpoint.latest(run)
    assert newest is not None
    assert newest.name == "step-00000008"
    assert in_child(lambda: train(chosen, run)) == 0
    assert in_child(lambda: train(chosen, whole)) == 0
    assert_same_run(run, whole)


def test_second_ctrl_c_stops_at_once(recipe, train, tmp_path):
    before = signal.getsignal(signal.SIGINT)

    def twice(row, log):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(recipe(), tmp_path, twice)
    assert checkpoint.latest(tmp_path) is None
    assert signal.getsignal(signal.SIGINT) is before


def test_a_finished_run_stays_as_it_is(recipe, train, tmp_path):
    chosen = recipe("steps=6")
    assert train(chosen, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert train(chosen, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_seconds_run_on_over_a_resume(recipe, train, in_child, tmp_path):
    assert in_child(lambda: train(recipe(), tmp_path, at_step(20))) == -signal.SIGKILL
    assert train(recipe(), tmp_path)
    seconds = pq.read_table(tmp_path / "metrics.parquet")["seconds"].to_numpy()
    assert (seconds[1:] > seconds[:-1]).all()


def test_another_seed_is_another_run(recipe, train, tmp_path):
    """Else the comparisons above could not fail."""
    for seed in (3, 4):
        train(recipe("steps=4", f"seed={seed}"), tmp_path / str(seed))
    with pytest.raises(AssertionError):
        assert_same_run(tmp_path / "3", tmp_path / "4")


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["uniform", "surprise-band"])
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_from_outside_at_any_moment(tiny, store, tmp_path, policy, workers):
    """The command itself, killed as soon as a checkpoint of a certain step is seen."""
    changes = [*tiny, "checkpoint_every=1", f"policy={policy}", f"workers={workers}"]
    command = [sys.executable, "-c", "from bandpass.cli import main; main()", "train", "series"]
    command += [*changes, "--no-control", "--store", str(store.path), "--run"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    for step in (2, 5, 11, 17, 23):
        wanted = tmp_path / "killed" / "checkpoints" / f"step-{step:08d}"
        process = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
        while not wanted.exists() and process.poll() is None:
            os.sched_yield()
        process.kill()
        process.wait()
        assert process.returncode == -signal.SIGKILL
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    assert_same_run(tmp_path / "killed", tmp_path / "whole")
