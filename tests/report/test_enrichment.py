"""The chapter on scores: what it says follows from the tables, whatever they hold."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandpass.report import write_report
from bandpass.report.findings import choices, findings, targets_verdict
from bandpass.report.tables import Columns, read_run

MakeRun = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, make_run: MakeRun) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def tables(run: Path) -> tuple[Columns, Columns]:
    read = read_run(run)
    return read.enrichment, read.shares


def only(table: Columns, column: str, *wanted: object) -> Columns:
    keep = np.isin(table[column], wanted)
    return {name: values[keep] for name, values in table.items()}


def section(page: Path) -> str:
    found = re.search(r'<section id="enrichment".*?</section>', page.read_text(), flags=re.S)
    assert found is not None
    return found[0]


def test_says_which_scores_find_the_rare_windows(tables) -> None:
    rare, corrupt, draws, shuffle = findings(*tables)
    assert rare.outcome == "yes"
    assert "1 score of the model" in rare.sentence
    assert "residual-max (0.80 [0.72, 0.88], 7.0 times" in rare.sentence
    assert "Without a model: max-abs-z (0.70" in rare.sentence
    assert corrupt.outcome == "no"
    assert draws.outcome == shuffle.outcome == "yes"


def test_corrupt_windows_must_stay_at_their_share(tables) -> None:
    """The policy with the most rare windows does not win by drawing corrupt ones too."""
    best, *rest = choices(tables[1])
    assert (best.policy, best.score) == ("two-level with gate", "residual-max")
    assert best.rare == pytest.approx(4.2)
    assert max(choice.rare for choice in rest) == pytest.approx(4.5)
    assert "at least 3 times" in findings(*tables)[2].label
    without = only(tables[1], "gate", False)
    assert findings(tables[0], without)[2].outcome == "no"


def test_self_off_when_nothing_outdoes_its_own_shuffle(tables) -> None:
    weak = only(tables[1], "score", "loss", "none")
    verdict = findings(tables[0], weak)[3]
    assert verdict.label.endswith("stay with policy=uniform")
    assert "0 of 3 ways" in verdict.sentence


@pytest.mark.parametrize(
    ("column", "before", "now"),
    [("score", "residual-max", "alignment"), ("normalisation", "none", "regime")],
)
def test_what_looks_at_labels_is_not_called_label_free(tables, column, before, now) -> None:
    shares = {name: values.astype(object) for name, values in tables[1].items()}
    shares[column][shares[column] == before] = now
    assert all(choice.rare < 2 for choice in choices(shares))


def test_a_control_that_beats_the_model_leaves_it_open(tables) -> None:
    table = {name: values.copy() for name, values in tables[0].items()}
    table["top10"][table["score"] == "max-abs-z"] *= 3
    assert findings(table, tables[1])[0].outcome == "open"


def test_without_labels_only_weak_regimes_are_shown(run, tables, write_table) -> None:
    write_table(run, "enrichment", only(tables[0], "slice", "weak: transition"))
    write_table(run, "shares", only(tables[1], "group", "normal"))
    text = section(write_report(run))
    assert "Only weak regimes are shown" in text
    assert "Weak: transition" in text


def test_draws_time_heat_and_slots(run) -> None:
    text = section(write_report(run))
    assert len(re.findall("<figure", text)) == 2 + 2 + 3
    assert text.count("<details>") == 3
    for name in ("two-level + gate", "hard-only", "residual-max"):
        assert name in text


def test_is_a_sentence_where_nothing_was_compared(run) -> None:
    (run / "enrichment.parquet").unlink()
    (run / "shares.parquet").unlink()
    assert "`bandpass enrich` fills this chapter" in section(write_report(run))


def test_survives_scores_that_could_not_be_told(run, tables, write_table) -> None:
    table = {name: values.copy() for name, values in tables[0].items()}
    lost = table["score"] == "loss"
    for name in ("auroc", "low", "high", "top10", "top20", "top30", "top10_low", "top10_high"):
        table[name][lost] = np.nan
    write_table(run, "enrichment", table)
    text = section(write_report(run))
    assert "n/a" in text
    assert not re.search(r">\s*nan\b", text)


def test_the_pair_of_targets_that_agrees_least_is_named():
    targets = {
        "target": np.array(["ema", "ema", "ema", "ema"]),
        "other": np.array(["patch", "patch", "same-encoder", "same-encoder"]),
        "measure": np.array(["spearman", "top_overlap"] * 2),
        "value": np.array([0.97, 0.87, 0.51, 0.43]),
    }
    (verdict,) = targets_verdict(targets)
    assert "least alike under ema and same-encoder: rank correlation 0.51, 43%" in verdict.sentence
    assert targets_verdict({}) == []
