"""Blocks of cells: one table that grows, whatever happens on the way."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from bandpass.bench import block
from bandpass.bench.block import Block, key_of, known, run
from bandpass.bench.results import read_results, write_results
from bandpass.runs.jobs import Listener
from bandpass.runs.run import RunError

from . import grid_script as toy

SCRIPT = Path(__file__).with_name("grid_script.py")


@pytest.fixture
def made():
    """Runs cells in this process; returns how it ended and which were worked on."""

    def made(cells, table, *, work=None, limit=100.0, log=toy.silent):
        worked = []

        def noted(cell, on_row):
            worked.append(cell)
            return (work or toy.work)(cell, on_row)

        listener = Listener(log, toy.silent, toy.silent)
        return run(cells, noted, Block(table, limit=limit), listener), worked

    return made


def seeds(table):
    return sorted({row["seed"] for row in read_results(table)})


def test_the_table_holds_every_cell_after_it_and_known_ones_are_not_made_again(made, tmp_path):
    table = tmp_path / "somewhere" / "results.parquet"
    ending, worked = made(toy.CELLS[:2], table)
    assert [cell.seed for cell in ending.done] == [0, 1]
    assert (ending.failed, ending.left, ending.interrupted) == ([], [], False)
    before = read_results(table)
    ending, worked = made(toy.CELLS[:4], table)
    assert [cell.seed for cell in worked] == [2, 3]
    after = read_results(table)
    assert after[: len(before)] == before
    assert {key_of(row) for row in after} == {cell.key for cell in toy.CELLS[:4]}
    assert {row["budgets"] for row in after} == {"flops+time"}


def test_a_cell_is_known_by_all_that_tells_it_from_others(made, tmp_path):
    table = tmp_path / "results.parquet"
    made([toy.cell(0)], table)
    others = [
        toy.cell(1),
        toy.cell(0, "band"),
        toy.cell(0, steps=5, budgets=("half",)),
        toy.cell(0, "other", changes=["lr=0.1"]),
    ]
    _, worked = made([toy.cell(0), *others], table)
    assert worked == others


def test_the_table_is_written_after_every_cell(made, tmp_path):
    table, lengths = tmp_path / "results.parquet", []
    made(toy.CELLS, table, log=lambda *told: lengths.append(table.exists() and len(seeds(table))))
    assert lengths == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_goes_on_with_what_the_table_lacks(made, tmp_path, jobs):
    table = tmp_path / "results.parquet"
    words = [sys.executable, str(SCRIPT), str(table), str(jobs), "0.4"]
    with subprocess.Popen(words) as grid:
        until = time.monotonic() + 120
        while not (table.exists() and len(seeds(table)) >= 2):
            assert grid.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        grid.send_signal(signal.SIGKILL)
    there = seeds(table)
    assert 2 <= len(there) < 6, "it was killed on the way"
    ending, worked = made(toy.CELLS, table)
    assert [cell.seed for cell in worked] == [s for s in range(6) if s not in there]
    assert (seeds(table), ending.left) == (list(range(6)), [])
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" not in path.name) == [
        ".results.parquet.lock",
        "results.parquet",
    ]


def test_nothing_begins_after_the_limit_and_the_next_block_goes_on(made, tmp_path, monkeypatch):
    table, clock = tmp_path / "results.parquet", [0.0]
    monkeypatch.setattr(block, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def slow(cell, on_row):
        clock[0] += 180.0
        return toy.work(cell, on_row)

    ending, worked = made(toy.CELLS, table, work=slow, limit=4.0)
    assert [cell.seed for cell in worked] == [0, 1], "the second had begun, and ended"
    assert [cell.seed for cell in ending.left] == [2, 3, 4, 5]
    assert not ending.interrupted
    assert seeds(table) == [0, 1]
    ending, _ = made(toy.CELLS, table)
    assert (ending.left, seeds(table)) == ([], [0, 1, 2, 3, 4, 5])


def test_a_run_directory_goes_when_its_rows_are_kept_and_not_before(made, tmp_path, monkeypatch):
    table, one = tmp_path / "results.parquet", replace(toy.cell(0), path=tmp_path / "cell")

    def work(cell, on_row):
        cell.path.mkdir(exist_ok=True)
        return toy.work(cell, on_row)

    def full(path, rows):
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(block, "write_results", full)
        with pytest.raises(OSError, match="no space left"):
            made([one], table, work=work)
    assert one.path.exists()
    made([one], table, work=work)
    assert not one.path.exists()


def test_a_failed_cell_is_listed_and_stops_no_other(made, tmp_path):
    table = tmp_path / "results.parquet"

    def failing(cell, on_row):
        if cell.seed in (0, 3):
            raise RunError(f"seed {cell.seed} is unlucky")
        return toy.work(cell, on_row)

    ending, _ = made(toy.CELLS, table, work=failing)
    assert [(cell.seed, why) for cell, why in ending.failed] == [
        (0, "seed 0 is unlucky"),
        (3, "seed 3 is unlucky"),
    ]
    assert (ending.left, seeds(table)) == ([], [1, 2, 4, 5])
    _, worked = made(toy.CELLS, table)
    assert [cell.seed for cell in worked] == [0, 3], "the next call tries them again"


@pytest.mark.parametrize("kind", ["saved", "between"])
def test_after_ctrl_c_the_rest_is_left(made, tmp_path, kind):
    table = tmp_path / "results.parquet"

    def stopped(cell, on_row):
        if cell.seed < 2:
            return toy.work(cell, on_row)
        if kind == "between":
            raise KeyboardInterrupt
        return None

    ending, _ = made(toy.CELLS, table, work=stopped)
    assert ending.interrupted
    assert [cell.seed for cell in ending.left] == [2, 3, 4, 5]
    assert seeds(table) == [0, 1]


def test_one_grid_at_a_time(made, tmp_path):
    table = tmp_path / "results.parquet"
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'a+'); fcntl.lockf(file, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(tmp_path / ".results.parquet.lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=r"is writing .*results.parquet: wait for it or choose"):
            made(toy.CELLS, table)
        other.communicate("")
    assert not table.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"changes": ["lr=0.1"]}, r"holds uniform on toy by recipe \w{12}, which is \w{12} now"),
        ({"steps": 20}, r"seed 0, with 10 steps for budget flops, which are 20 now"),
    ],
)
def test_a_table_at_other_settings_is_refused_and_kept(made, tmp_path, changed, said):
    table = tmp_path / "results.parquet"
    made(toy.CELLS[:1], table)
    before = table.read_bytes()
    with pytest.raises(RunError, match=said + ": choose another table, or delete these rows"):
        made([toy.cell(0, **changed)], table)
    assert table.read_bytes() == before


def test_rows_of_arms_and_benchmarks_that_are_not_asked_for_stay(made, tmp_path):
    table = tmp_path / "results.parquet"
    made(toy.CELLS[:1], table)
    rows = read_results(table)
    strangers = [row | {"version": 0, "recipe": "0" * 12} for row in rows]
    strangers += [row | {"arm": "mine", "recipe": "1" * 12} for row in rows]
    write_results(table, [*rows, *strangers])
    made(toy.CELLS[:2], table)
    after = read_results(table)
    assert all(row in after for row in strangers)


def test_known_cells_count_for_the_budgets_that_the_plan_has_now(made, tmp_path):
    table = tmp_path / "results.parquet"
    made([toy.cell(0, budgets=("flops",))], table)
    rows = known([toy.cell(0, budgets=("flops", "time"))], table)
    assert {row["budgets"] for row in rows} == {"flops+time"}


@pytest.mark.parametrize("wrong", [{"limit": 0.0}, {"jobs": 0}, {"limit": float("nan")}])
def test_a_block_in_which_nothing_could_be_done_is_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be over 0"):
        Block(tmp_path / "results.parquet", **wrong)


@pytest.mark.slow
def test_processes_make_the_same_table(made, tmp_path):
    here, apart = tmp_path / "here.parquet", tmp_path / "apart.parquet"
    made(toy.CELLS, here, work=partial(toy.work))
    words = [sys.executable, str(SCRIPT), str(apart), "2", "0"]
    subprocess.run(words, check=True, timeout=120)
    rows = [sorted(map(str, read_results(table))) for table in (here, apart)]
    assert len(rows[0]) == 12
    assert [r.replace("'wall_seconds': 0.0", "") for r in rows[0]] == [
        r.replace("'wall_seconds': 0.0", "") for r in rows[1]
    ]
