"""The chapters of a schedule run: what they say, from tables alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bandpass.report import write_report
from bandpass.report.schedule_losses import verdict as losses_verdict
from bandpass.report.schedule_probes import asked_of, encoders_of
from bandpass.report.schedule_probes import verdict as probes_verdict
from bandpass.report.tables import Columns, read_run

MakeRun = Callable[..., Path]
WriteTable = Callable[[Path, str, dict], None]
ENCODERS = {"pretrained": 0.8, "random-init": 0.7, "raw": 0.6, "raw+hourly": 0.75}


def losses(*, beyond: float = 0.4, rank: float = 20.0, trained: float = 0.1) -> dict:
    measured = {
        ("trained", "loss"): trained,
        ("trained", "mse"): trained,
        ("fresh", "loss"): 1.0,
        ("position's mean", "loss"): 0.2,
        ("mean target", "loss"): 0.5,
        ("collapsed encoder", "loss"): 0.0,
        ("trained", "variance"): 0.5,
        ("trained", "variance_within_position"): 0.2,
        ("trained", "explained"): 0.8,
        ("trained", "explained_beyond_position"): beyond,
        ("trained", "effective_rank"): rank,
        ("trained", "top_direction"): 0.3,
        ("windows", "count"): 640.0,
    }
    rows = [
        (*key, dataset, value) for dataset in ("all", "mail") for key, value in measured.items()
    ]
    what, metric, dataset, value = (list(column) for column in zip(*rows, strict=True))
    return {"what": what, "dataset": dataset, "metric": metric, "value": value}


def probes(**gains: tuple[float, float]) -> dict[str, list]:
    """Every task with its differences to random init, raw and raw+hourly, intervals of +-.05."""
    names = "encoder pooling task metric value low high count note".split()
    table: dict[str, list] = {name: [] for name in names}

    def add(encoder: str, task: str, metric: str, value: float, note: str) -> None:
        pooling = "mean+std"
        row = (encoder, pooling, task, metric, value, value - 0.05, value + 0.05, 300, note)
        for name, entry in zip(names, row, strict=True):
            table[name].append(entry)

    for task, differences in gains.items():
        note = "replaced: raw reaches 0.991" if task == "easy" else ""
        for encoder, value in ENCODERS.items():
            add(encoder, task, "auroc", value, note)
        every = (differences[0], *differences)  # raw is as far behind as random init
        for rival, value in zip(("random-init", "raw", "raw+hourly"), every, strict=True):
            add("pretrained", task, f"auroc - {rival}", value, note)
    return table


def columns(table: dict) -> Columns:
    return {name: np.array(column) for name, column in table.items()}


@pytest.fixture
def run(tmp_path: Path, make_run: MakeRun, write_table: WriteTable) -> Path:
    path = make_run(tmp_path / "run")
    write_table(path, "losses", losses())
    write_table(path, "evaluation", probes(weekend=(0.1, 0.1), hour=(0.1, 0.0), easy=(0.2, 0.2)))
    return path


def test_a_low_loss_that_explains_nothing_is_called_what_it_is() -> None:
    found = losses_verdict(columns(losses(beyond=0.02, trained=0.001)))
    assert (found.outcome, found.label) == ("no", "Collapse? Near-collapse")
    assert "99.90% lower" in found.sentence
    assert "2.0% beyond each position's mean" in found.sentence


def test_a_single_direction_is_a_collapse_whatever_it_explains() -> None:
    found = losses_verdict(columns(losses(rank=1.04)))
    assert found.outcome == "no"
    assert "effective rank 1.04" in found.sentence


def test_a_model_that_explains_more_than_positions_is_none() -> None:
    assert losses_verdict(columns(losses())).outcome == "yes"


def test_targets_without_any_variance_are_a_collapse() -> None:
    found = losses_verdict(columns(losses(beyond=float("nan"))))
    assert found.outcome == "no"
    assert "none beyond each position's mean" in found.sentence


def test_a_loss_above_the_fresh_one_is_said_to_be_higher() -> None:
    assert "50.00% higher" in losses_verdict(columns(losses(trained=1.5))).sentence


def test_a_probe_is_won_against_all_controls_only() -> None:
    table = columns(probes(weekend=(0.1, 0.1), hour=(0.1, 0.0), load=(-0.2, 0.1)))
    asked = {probe.task: probe for probe in asked_of(table)}
    assert [name for name, probe in asked.items() if probe.beats] == ["weekend"]
    sentence = probes_verdict(list(asked.values())).sentence
    assert "on 1 of 3 probes (weekend)" in sentence
    assert "worse than one of them on 1 (load)" in sentence


def test_a_replaced_probe_does_not_count() -> None:
    asked = asked_of(columns(probes(weekend=(0.1, 0.1), easy=(0.2, 0.2))))
    sentence = probes_verdict(asked).sentence
    assert "on 1 of 1 probes" in sentence
    assert "a control answers it: easy" in sentence


def test_an_encoder_is_shown_where_it_was_asked() -> None:
    table = probes(weekend=(0.1, 0.1))
    assert encoders_of(asked_of(columns(table))) == list(ENCODERS)
    for column in table.values():
        column.append(column[0])
    table["encoder"][-1] = "raw-patch"
    shown = encoders_of(asked_of(columns(table)))
    assert shown == ["pretrained", "random-init", "raw-patch", "raw", "raw+hourly"]


def test_the_figure_of_differences_names_those_it_draws(run: Path) -> None:
    text = "Pretrained minus random-init and minus raw and minus raw+hourly, by probe"
    assert text in write_report(run).read_text()


def test_the_page_has_both_chapters_and_none_of_the_series(run: Path) -> None:
    page = write_report(run).read_text()
    for text in ('id="losses"', 'id="evaluation"', "Collapse? No", "mail", "replaced: raw reaches"):
        assert text in page
    assert 'id="map"' not in page


def test_no_loss_is_drawn_as_a_zero(run: Path) -> None:
    page = write_report(run).read_text()
    figure = page[page.index("Held-out loss of the model") :]
    assert ">0</text>" in figure[: figure.index("</svg>")]


def test_a_schedule_run_that_was_not_evaluated_says_so(
    tmp_path: Path, make_run: MakeRun, write_table: WriteTable
) -> None:
    path = make_run(tmp_path / "run")
    write_table(path, "losses", losses())
    (path / "evaluation.parquet").unlink()
    assert "has not been evaluated yet" in write_report(path).read_text()


def test_a_series_run_has_its_own_chapters(tmp_path: Path, make_run: MakeRun) -> None:
    path = make_run(tmp_path / "run")
    assert not read_run(path).of_schedules
    page = write_report(path).read_text()
    assert 'id="map"' in page
    assert 'id="losses"' not in page
