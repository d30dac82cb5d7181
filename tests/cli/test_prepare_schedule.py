"""`bandpass prepare schedule` on raw files in the real formats, as a person types it."""

import re
import runpy
from pathlib import Path

import pytest

from bandpass.data import open_store
from bandpass.data.schedule.sources import SCHEDULE_SOURCES

MAKE = Path(__file__).parents[1] / "data" / "schedule"
SOME = ("gharchive", "ms_latte", "public_jira")


@pytest.fixture
def raw(tmp_path) -> Path:
    """A look-alike of each of three datasets, in its folder."""
    for name in SOME:
        folder = tmp_path / "raw" / name
        folder.mkdir(parents=True)
        runpy.run_path(str(MAKE / name / "make.py"))["write"](folder)
    return tmp_path / "raw"


def test_all_that_is_there_is_read_and_the_rest_is_named_with_its_reason(bandpass, raw, tmp_path):
    words = ("--dataset", "all", "--raw", raw, "--workers", 1, "--store", tmp_path / "store")
    made = bandpass("prepare", "schedule", *words)
    assert (made.code, made.err) == (0, "")
    store = open_store(tmp_path / "store")
    assert store.datasets == list(SCHEDULE_SOURCES)
    assert f"made a key for the identifiers, {tmp_path / 'store.key'}" in made.out
    for entry in store.manifest["datasets"]:
        counts = [*entry["windows"].values(), *(day or "-" for day in entry["days"])]
        assert re.search(rf"{entry['name']} .*" + r"\s+".join(map(str, counts)), made.out)
        assert (entry["name"] in SOME) == bool(entry["records"])
    assert "epa: no raw files\n" in made.out
    blocked = SCHEDULE_SOURCES["blocked_sources"].blocked
    assert f"blocked_sources: {blocked}\n" in made.out
    assert re.search(
        r"gharchive: left out: .*1 not JSON \(first 2015-01-01-0\.json\.gz:\d+\)", made.out
    )


def test_datasets_are_named_one_by_one_or_with_commas(bandpass, raw, tmp_path):
    words = ("prepare", "schedule", "--raw", raw, "--workers", 1, "--key", tmp_path / "key")
    (tmp_path / "key").write_bytes(bytes(32))
    for number, names in enumerate((["public_jira,gharchive"], ["public_jira", "gharchive"])):
        given = [word for name in names for word in ("--dataset", name)]
        assert bandpass(*words, *given, "--store", tmp_path / f"{number}").code == 0
    one, two = (open_store(tmp_path / f"{number}") for number in range(2))
    assert one.hash == two.hash
    assert one.datasets == ["gharchive", "public_jira"], "in their own order"
    assert not list(tmp_path.glob("?.key")), "none is made where one is given"
    assert bandpass(*words, "--dataset", "ms_latte", "--store", tmp_path / "1").code == 1
    again = ("--dataset", "ms_latte", "--store", tmp_path / "1", "--overwrite")
    assert bandpass(*words, *again).code == 0
    assert open_store(tmp_path / "1").datasets == ["ms_latte"]


def test_what_is_left_of_a_damaged_file_is_kept_on_demand_only(bandpass, raw, tmp_path):
    file = raw / "public_jira" / "issues_full.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-20])
    words = ("prepare", "schedule", "--raw", raw, "--workers", 1, "--store", tmp_path / "store")
    failed = bandpass(*words)
    assert failed.code == 1
    assert re.fullmatch(
        rf"error: {file}: .*download the file again; keep_damaged=true keeps .*\n", failed.err
    )
    kept = bandpass(*words, "keep_damaged=true")
    assert kept.code == 0
    assert "files were read before" in kept.out
    assert "1 damaged file (first issues_full.jsonl.gz)" in kept.out
    assert "public_jira: what came before the damage in a damaged file was kept" in kept.out


def test_the_folder_of_one_dataset_is_recognised(bandpass, raw, tmp_path):
    words = ("prepare", "schedule", "--workers", 1, "--store", tmp_path / "store")
    failed = bandpass(*words, "--raw", raw / "ms_latte")
    assert failed.code == 1
    assert "say --dataset ms_latte\n" in failed.err
    (raw / "ms_latte").rename(raw / "mine")
    assert "say which with --dataset NAME\n" in bandpass(*words, "--raw", raw / "mine").err
    assert bandpass(*words, "--raw", raw / "mine", "--dataset", "ms_latte").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "ms_late"], "no schedule source 'ms_late': did you mean 'ms_latte'"),
        (["--dataset", "all,ms_latte"], "--dataset all takes no other name"),
        (["--dataset", "enron_snap"], r"'enron_snap' cannot be read: no raw files in .*it should"),
        (["--dataset", "blocked_sources"], "'blocked_sources' cannot be read: no public dump"),
        (["keep=true"], "schedule has no option 'keep': it takes keep_damaged"),
        (["keep_damaged=perhaps"], "option keep_damaged='perhaps': must be one of true"),
        (["--key", "nowhere"], "the key nowhere cannot be read"),
        (["--raw", "nowhere"], "nowhere is no folder"),
    ],
)
def test_expected_problems_are_one_line(bandpass, raw, tmp_path, words, message):
    failed = bandpass("prepare", "schedule", "--raw", raw, "--store", tmp_path / "s", *words)
    assert failed.code == 1
    assert failed.err.startswith("error: ")
    assert failed.err.count("\n") == 1, failed.err
    assert re.search(message, failed.err), failed.err
    assert not (tmp_path / "s").exists()
    assert not list(tmp_path.glob("*.key"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["schedule"], "say where with --raw DIR"),
        (["schedule", "--raw", ".", "--workers", "0"], "greater than or equal to 1"),
        (["schedule", "--raw", ".", "--dataset", ""], "names none"),
        (["schedule", "--raw", ".", "--dataset", " ,"], "names none"),
        (["plant", "--workers", "2"], "only"),
        (["plant", "--dataset", "epa"], "only"),
    ],
)
def test_options_that_do_not_fit_are_refused(bandpass, tmp_path, words, message):
    failed = bandpass("prepare", *words, "--store", tmp_path / "s")
    assert failed.code == 2
    assert message in failed.err


def test_sources_lists_the_datasets_and_why_some_are_blocked(bandpass):
    out = re.sub(r"\s+", " ", bandpass("sources").out)
    for source in SCHEDULE_SOURCES.values():
        assert f"{source.name} schedule, {source.title} licence {source.licence}" in out
        assert not source.blocked or f"blocked {source.blocked}" in out
