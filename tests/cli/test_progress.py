import io

import pytest
from rich.console import Console

from bandpass.cli.progress import Training, comparison, counting


class Log:
    """The part of a run log that progress looks at."""

    def __init__(self) -> None:
        self.natural = {("regime", "build-up"): 0.02, ("regime", "never"): 0.0}

    def share(self, kind: str, name: str) -> float:
        return 0.08


def row(step: int, warning: str | None = None) -> dict:
    numbers = {"loss": 0.5, "prediction": 0.4, "rank": 7.0, "windows_per_s": 100.0, "seconds": 2.0}
    return {"step": step, "fraction": step / 40, "warning": warning, **numbers}


def shown(*rows: dict, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, color_system=None, width=120)
    with Training(console) as progress:
        for each in rows:
            progress.log("series", each, Log())
    return file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_collapse_warning_is_printed_once_while_it_lasts(terminal):
    warnings = [f"collapse: tokens are nearly constant in time (sample .9{i})" for i in range(3)]
    rows = row(10, warnings[0]), row(20, warnings[1]), row(30), row(40, warnings[2])
    out = shown(*rows, terminal=terminal)
    assert out.count("nearly constant in time") == 2
    assert "step 10" in out
    assert "step 40" in out


def test_without_a_terminal_it_is_lines_with_an_eta():
    out = shown(row(10), row(11), row(40), terminal=False)
    lines = [line for line in out.splitlines() if "ETA" in line]
    assert len(lines) == 2, "a line now and then, and one for the last step"
    assert lines[0].startswith("series 10/40  loss 0.500")
    assert lines[0].endswith("ETA 6 s")
    assert "100 windows/s" in lines[1]


@pytest.mark.parametrize(("step", "terminal"), [(10, True), (40, False)])
def test_slots_stand_beside_natural_shares(step, terminal):
    """As it goes in a terminal, at the end elsewhere."""
    out = shown(row(step), terminal=terminal)
    assert "build-up" in out
    assert "0.020" in out
    assert "0.080" in out
    assert "never" not in out


def estimate(encoder: str, value: float, pooling: str = "mean+std", half: float = 0.125) -> dict:
    task = {"task": "rare slice, logistic", "metric": "average_precision"}
    interval = {"value": value, "low": value - half, "high": value + half}
    return {"encoder": encoder, "pooling": pooling, **task, **interval}


def test_comparison_shows_runs_then_controls_once():
    nan = float("nan")
    runs = {
        "band": [estimate("raw-features", 0.5), estimate("pretrained", 0.75)],
        "uniform": [
            estimate("raw-features", 0.25),
            estimate("pretrained", 0.125, pooling="mean"),
            estimate("pretrained", 0.625, half=nan),
        ],
    }
    table = comparison(runs)
    columns = {str(column.header): list(column.cells) for column in table.columns}
    assert list(columns) == ["", "band", "uniform", "raw-features"]
    row = columns[""].index("rare AP")
    assert columns["band"][row] == "0.75 ±0.12"
    assert columns["uniform"][row] == "0.62", "mean+std, and no interval where there is none"
    assert columns["raw-features"][row] == "0.50 ±0.12"
    assert columns["band"][columns[""].index("regime F1")] == "-"


def test_counting_runs_to_its_total():
    console = Console(file=io.StringIO(), width=80)
    with counting(console, "windows") as progress:
        progress(3, 9)
        progress(9, 9)
