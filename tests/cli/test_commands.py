"""Every command on tiny data, as a person types it."""

import importlib
import re
import signal
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import torch

from bandpass.data import open_store
from bandpass.data.sources import SOURCES
from bandpass.recipes import RECIPES, keys, override

MAIN = "from bandpass.cli import main; main()"


def test_the_main_path(bandpass, tmp_path, tiny):
    """Prepare, train, evaluate, embed, report: each says where its result lies."""
    store, run, out = tmp_path / "store", tmp_path / "run", tmp_path / "embeddings.parquet"
    options = ("series=2", "rows=1500", "channels=4", "failure_rate=3")
    made = bandpass("prepare", "plant", *options, "--store", store)
    assert made.code == 0
    assert "3,000" in made.out
    assert open_store(store).rows == 3000

    trained = bandpass("train", "series", *tiny, "--store", store, "--run", run)
    assert (trained.code, trained.err) == (0, "")
    assert "series 8/8" in trained.out
    assert "series:raw-patch 8/8" in trained.out
    assert trained.out.endswith(f"next: bandpass evaluate {run}\n"), "can be copied"
    again = bandpass("train", "series", *tiny, "--store", store, "--run", run)
    assert again.code == 0
    assert "8/8" not in again.out, "nothing was left to train"

    probed = bandpass("evaluate", run)
    assert probed.code == 0
    assert (run / "evaluation.parquet").exists()

    embedded = bandpass("embed", run, "--store", store, "--out", out, "--pooling", "mean")
    assert embedded.code == 0
    assert embedded.out.lstrip() == f"{out}: {pq.read_table(out).num_rows} embeddings\n"

    page = bandpass("report", run)
    assert page.code == 0
    assert "report.html" in page.out
    assert (run / "report.html").exists()


def test_demo_compares_both_policies(bandpass, tmp_path, tiny, monkeypatch):
    """The demo as it is, but for its size."""
    module = importlib.import_module("bandpass.runs.demo")
    monkeypatch.setattr(module, "PLANT", {"series": 2, "rows": 1500, "channels": 4})
    monkeypatch.setattr(module, "find", lambda name: override(RECIPES[name], tiny))
    done = bandpass("demo", "--folder", tmp_path)
    assert done.code == 0
    assert "training with policy surprise-band" in done.out
    assert "training with policy uniform" in done.out
    assert (tmp_path / "surprise-band" / "report.html").exists()
    assert (tmp_path / "uniform" / "evaluation.parquet").exists()
    assert not (tmp_path / "uniform" / "raw-patch").exists()


def test_demo_does_not_touch_a_folder_of_somebody_else(bandpass, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("years of work")
    failed = bandpass("demo", "--folder", tmp_path)
    assert failed.code == 1
    assert (tmp_path / "store" / "thesis.txt").read_text() == "years of work"


def test_sources_shows_each_with_licence_and_options(bandpass):
    out = re.sub(r"\s+", " ", bandpass("sources").out)
    for source in SOURCES.values():
        assert f"{source.name} {source.title} licence {source.licence}" in out
        for option in source.options:
            assert f"option {option}=" in out


def test_recipes_shows_each_and_every_key(bandpass):
    out = bandpass("recipes").out
    assert all(name in out for name in RECIPES)
    assert all(key in re.sub(r"\s+", "", out) for key in keys())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepare", "plantt", "--raw", "."], r"no source 'plantt': did you mean 'plant'"),
        (["prepare", "plant", "sories=3"], r"no option 'sories': did you mean 'series'"),
        (["prepare", "plant", "rows=many"], r"option rows='many': not int"),
        (["prepare", "plant", "rows=0"], r"option rows=0: must be at least 1"),
        (["prepare", "smd", "--raw", "nowhere"], r"nowhere"),
        (["train", "serise"], r"no recipe 'serise': did you mean 'series'"),
        (["train", "series", "stepz=5"], r"no recipe key 'stepz': did you mean 'steps'"),
        (["train", "series", "dim=8"], r"'dim' is ambiguous: say one of model.encoder.dim"),
        (["train", "series", "steps=0"], r"train.steps must be at least 1, got 0"),
        (["train", "series", "rule=best"], r"band.rule is 'best': expected one of"),
        (["train", "series"], r"nowhere.* is not a store|nowhere.*"),
    ],
)
def test_expected_problems_are_one_line(bandpass, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    failed = bandpass(*words, "--store", tmp_path / "nowhere")
    assert_one_line(failed, message)
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "runs").exists()


def assert_one_line(failed, message: str) -> None:
    assert failed.code == 1
    assert failed.err.startswith("error: ")
    assert failed.err.count("\n") == 1, failed.err
    assert re.search(message, failed.err), failed.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["mask_ratio=0.001"], r"mask ratio 0.001 hides 0 of 8 tokens"),
        (["windows.length=30"], r"window length 30 is not a multiple of the patch size 4"),
        (["windows.length=4000"], r"no window of 4000 rows fits"),
        (["policy=best"], r"no policy 'best': did you mean"),
        (["device=cuda"], r"device 'cuda' was asked for, but torch sees no GPU"),
        (["lr=1e30", "warmup=0", "steps=50"], r"training diverged at step \d+"),
    ],
)
def test_what_only_training_can_tell_is_one_line_too(train, monkeypatch, changes, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_one_line(train(*changes), message)


def test_a_torn_checkpoint_is_one_line(train, tmp_path):
    assert train().code == 0
    state = tmp_path / "run" / "checkpoints" / "step-00000008" / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    assert_one_line(train(), r"cannot read .*state\.pt")


def test_an_output_that_cannot_be_written_is_one_line(bandpass, train, store, tmp_path):
    assert train().code == 0
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "embeddings.parquet"
    words = ("embed", tmp_path / "run", "--store", store, "--out", out)
    assert_one_line(bandpass(*words), r"file")
    bad = bandpass(*words, "--pooling", "max")
    assert_one_line(bad, r"pooling 'max' is none of")


@pytest.mark.parametrize("command", ["evaluate", "embed", "report"])
def test_a_folder_that_is_no_run_is_one_line(bandpass, store, tmp_path, command):
    more = ("--store", store, "--out", tmp_path / "out") if command == "embed" else ()
    assert_one_line(bandpass(command, tmp_path / "nowhere", *more), r"nowhere")


def test_a_store_is_replaced_only_on_demand(bandpass, tmp_path):
    words = ("prepare", "plant", "series=1", "rows=600", "--store", tmp_path / "store")
    assert bandpass(*words).code == 0
    assert_one_line(bandpass(*words), r"--overwrite")
    assert bandpass(*words, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepare", "smd"], r"--raw DIR"),
        (["prepare", "plant", "rows"], r"'rows' is not of the form name=value"),
        (["tran"], r"tran"),
        (["train", "series", "--colour"], r"--colour"),
    ],
)
def test_wrong_usage_says_so(bandpass, tmp_path, words, message):
    failed = bandpass(*words, *(["--store", tmp_path / "s"] if len(words) > 1 else []))
    assert failed.code == 2
    assert re.search(message, failed.err)


def test_help_is_quick_because_it_loads_nothing(tmp_path):
    """`bandpass --help` and a mistyped command must not wait for PyTorch."""
    check = (
        "import sys, contextlib\n"
        "from bandpass.cli import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "print([name for name in ('torch', 'numpy', 'pyarrow') if name in sys.modules])"
    )
    for word in ("--help", "tran"):
        done = subprocess.run([sys.executable, "-c", check, word], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "bandpass", "bench", "list"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "smd-rare-machine" in done.stdout


def test_ctrl_c_saves_exits_130_and_continues(bandpass, store, tiny, tmp_path):
    words = [*tiny, "steps=2000", "log_every=1", "--no-control", "--store", str(store)]
    words = ["train", "series", *words, "--run", str(tmp_path / "run")]
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        while "series 1/2000" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "the same command continues" in rest
    (saved,) = (tmp_path / "run" / "checkpoints").glob(f"step-{_last_step(tmp_path):08d}")
    assert saved.is_dir()


def _last_step(folder) -> int:
    return pq.read_table(folder / "run" / "metrics.parquet")["step"].to_pylist()[-1]
