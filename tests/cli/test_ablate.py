"""`bandpass ablate` and `bandpass bench` as a person types them."""

import re
from dataclasses import replace

import pytest

from bandpass.bench import ablation
from bandpass.bench.arms import ARMS, DEFAULT
from bandpass.bench.declared import BENCHMARKS
from bandpass.bench.results import read_results


def joined(text):
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.delenv("BANDPASS_DATA", raising=False)


@pytest.fixture
def small(monkeypatch, store, tiny, tmp_path):
    """Words of an ablation of a tiny store, two of its seeds."""
    words = ["ablate", store, "--out", tmp_path / "out", "--arm", "uniform-again,oracle"]
    for change in tiny:
        words += ["--set", change]
    return [*words, "--seeds", 2]


def test_list_names_every_benchmark_and_every_arm(bandpass):
    done = bandpass("bench", "list")
    assert (done.code, done.err) == (0, "")
    words = done.out.split()
    assert set(BENCHMARKS) | set(ARMS) <= set(words)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_show_says_all_that_is_declared(bandpass, name):
    done, each = bandpass("bench", "show", name), BENCHMARKS[name]
    assert (done.code, done.err) == (0, "")
    out = joined(done.out)
    for metric in (each.rare, each.normal, each.corrupt):
        assert f"{metric.task}: {metric.metric}" in out
    assert " ".join(map(str, each.seeds)) in out
    assert f"may lose {each.margin:g}" in out
    assert all(change in out for change in each.changes)


def test_a_dry_run_says_what_would_be_run_and_writes_nothing(bandpass, tmp_path):
    out = tmp_path / "out"
    done = bandpass("ablate", "plant", "--quick", "--dry-run", "--out", out)
    assert (done.code, done.err) == (0, "")
    assert set(DEFAULT) <= set(done.out.split())
    quarter = ablation.subjects(["plant"], out)[0].base.train.steps // 4
    assert f"plant: {quarter} uniform steps; seeds 0, 1, 2; store {out}" in done.out
    assert "would be prepared" in done.out
    budgets = sum(3 if ARMS[name].half else 2 for name in DEFAULT)
    assert f"at most {3 * budgets} cells into {out / 'results.parquet'}" in done.out
    assert not out.exists()


def test_full_is_every_arm_on_every_benchmark(bandpass, tmp_path):
    done = bandpass("ablate", "--full", "--dry-run", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    assert {(line[0], line[1]) for line in lines if len(line) > 1} >= {
        (name, arm) for name in BENCHMARKS for arm in ARMS
    }


def test_quick_needs_no_download(bandpass, tmp_path):
    done = bandpass("ablate", "--quick", "--dry-run", "--out", tmp_path / "out")
    steps = [line.split(":")[0] for line in done.out.splitlines() if "uniform steps" in line]
    assert steps == [name for name, each in BENCHMARKS.items() if not each.folder] != []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "say which BENCHMARK or STORE, or --quick, or --full; known:"),
        (("plant", "--quick", "--full"), 2, "--quick and --full are two extents: say one of them"),
        (("plant", "--limit", "0"), 2, "--limit 0 begins no cell: give minutes, such as 100"),
        (("plant", "--jobs", "0"), 2, "--jobs"),
        (("plnt",), 1, "no benchmark 'plnt': did you mean 'plant'? known:"),
        (("plnt",), 1, "and there is no store at plnt"),
        (("plant", "--arm", "bnd"), 1, "no arm 'bnd': did you mean 'band'?"),
        (("plant", "--seeds", "99"), 1, "--seeds 99: plant declares 8 seeds"),
        (("plant", "--pilot", "--seeds", "4"), 1, "plant declares 3 screening seeds, 0, 1, 2"),
        (("plant", "--set", "step=5"), 1, "did you mean 'steps'?"),
        (("plant", "--set", "steps"), 1, "'steps' is not of the form key=value"),
        (("skab",), 1, "needs the raw files of skab: give --raw DIR"),
        (("skab", "--raw", "nowhere"), 2, "--raw nowhere is no folder"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_mend(bandpass, tmp_path, words, code, said):
    done = bandpass("ablate", *words, "--out", tmp_path / "out")
    assert done.code == code
    assert said in joined(done.err)
    assert not list(tmp_path.rglob("*.parquet"))


def test_raw_data_are_looked_for_where_the_environment_says(bandpass, tmp_path, monkeypatch):
    monkeypatch.setenv("BANDPASS_DATA", str(tmp_path))
    done = bandpass("ablate", "skab", "--out", tmp_path / "out")
    assert done.code == 1
    assert f"{tmp_path} has no {BENCHMARKS['skab'].folder}" in done.err


def test_two_subjects_of_one_name_are_refused(bandpass, store, tmp_path):
    twin = tmp_path / store.name
    twin.symlink_to(store)
    done = bandpass("ablate", store, twin, "--out", tmp_path / "out")
    assert done.code == 1
    assert f"two subjects are called {store.name}" in done.err


def test_seeds_are_those_that_count_unless_it_is_a_pilot():
    plant = BENCHMARKS["plant"]
    assert ablation.Seeds().of(plant) == plant.seeds
    assert ablation.Seeds(screening=True).of(plant) == plant.screen
    assert ablation.Seeds(count=2).of(plant) == plant.seeds[:2]


def test_a_changed_version_has_a_store_of_its_own(tmp_path, monkeypatch):
    (before,) = ablation.subjects(["plant"], tmp_path)
    monkeypatch.setitem(BENCHMARKS, "plant", replace(BENCHMARKS["plant"], version=99))
    (after,) = ablation.subjects(["plant"], tmp_path)
    assert before.store != after.store


@pytest.mark.slow
def test_an_ablation_from_a_store_to_a_page(bandpass, small, store, tmp_path):
    out = tmp_path / "out"
    done = bandpass(*small)
    assert (done.code, done.err) == (0, "")
    assert "cells, 0 of them in the table" in done.out
    assert "2 of " in done.out
    assert f"{store.name} is not known to be able to judge a sampler" in done.out
    table, page = out / "results.parquet", out / "ablation.html"
    assert done.out.splitlines()[-1] == f"table: {table}; report: {page}"
    assert page.exists()
    rows = read_results(table)
    assert {row["arm"] for row in rows} == {"uniform", "uniform-again", "oracle"}
    assert {row["seed"] for row in rows} == {100, 101}
    assert all(row["flops"] > 0 and row["reference_seconds"] > 0 for row in rows)
    at_full = {row["steps"] for row in rows if "flops" in row["budgets"].split("+")}
    assert at_full == {8}, "these arms cost what uniform does"
    assert list((out / "cells").iterdir()) == [], "measured runs are not kept"

    prices = (out / "prices.parquet").read_bytes()
    again = bandpass(*small)
    assert (again.code, again.err) == (0, "")
    assert "nothing is left to run" in again.out
    assert read_results(table) == rows
    assert (out / "prices.parquet").read_bytes() == prices

    other = bandpass(*small, "--set", "lr=0.1")
    assert other.code == 1
    assert "choose another table, or delete these rows" in other.err


@pytest.mark.slow
def test_a_fresh_machine_goes_on_from_a_committed_table(bandpass, small, tmp_path):
    words = [word if word != tmp_path / "out" else tmp_path / "first" for word in small]
    words[words.index("--seeds") + 1] = 1
    assert bandpass(*words).code == 0
    table = tmp_path / "first" / "results.parquet"
    before = read_results(table)
    done = bandpass(*small, "--results", table)
    assert done.code == 0, done.err
    after = read_results(table)
    assert all(row in after for row in before)
    assert {row["seed"] for row in after} == {100, 101}
    assert not (tmp_path / "out" / "results.parquet").exists()


@pytest.mark.slow
def test_failed_cells_are_listed_and_the_others_are_in_the_table(
    bandpass, small, tmp_path, monkeypatch
):
    run_cell = ablation.run_cell

    def failing(cell, *rest):
        if (cell.arm, cell.seed) == ("oracle", 100):
            raise ablation.RunError("this one is unlucky")
        return run_cell(cell, *rest)

    monkeypatch.setattr(ablation, "run_cell", failing)
    done = bandpass(*small)
    assert done.code == 1
    assert "oracle, seed 100, 8 steps failed: this one is unlucky" in done.out
    assert "this one is unlucky" in joined(done.out.split("report: ")[1])
    rows = read_results(tmp_path / "out" / "results.parquet")
    assert {row["seed"] for row in rows if row["arm"] == "oracle"} == {101}
    assert "this one is unlucky" in (tmp_path / "out" / "ablation.html").read_text()


def test_a_setting_of_the_band_is_refused_as_every_arm_would_lose_it(bandpass, tmp_path):
    done = bandpass("ablate", "plant", "--set", "ess=0.9", "--out", tmp_path, "--dry-run")
    assert done.code
    assert "settings of the band are those of each arm" in joined(done.err + done.out)
