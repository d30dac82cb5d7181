"""What the top of the page claims about the slots, and when it claims nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bandpass.report.glance import glance_section
from bandpass.report.tables import read_run

WriteTable = Callable[[Path, str, dict], None]


def labels(run: Path) -> list[str]:
    return [v.label for block in glance_section(read_run(run), None).blocks for v in block.verdicts]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ([50, 20, 30], "Rare regimes? Drawn more often than they occur"),
        ([50, 49, 1], "Rare regimes? Drawn less often than they occur"),
        ([50, 40, 10], "Rare regimes? Drawn about as often as they occur"),
    ],
)
def test_rare_regimes_are_those_rarer_than_the_commonest_known_one(
    tmp_path: Path,
    make_run: Callable[..., Path],
    write_table: WriteTable,
    drawn: list[int],
    expected: str,
) -> None:
    run = make_run(tmp_path / "run")
    slots = {"step": [9] * 3, "kind": ["regime"] * 3, "name": ["unknown", "normal", "failure"]}
    write_table(run, "slots", slots | {"drawn": drawn, "natural": [0.5, 0.4, 0.1]})
    assert labels(run) == ["Collapse? Warnings were raised", expected]


@pytest.mark.parametrize(("faulty", "word"), [(20, "more often"), (5, "in check")])
def test_corrupt_windows(
    tmp_path: Path,
    make_run: Callable[..., Path],
    write_table: WriteTable,
    faulty: int,
    word: str,
) -> None:
    run = make_run(tmp_path / "run")
    slots = {"step": [9] * 2, "kind": ["corrupt"] * 2, "name": ["clean", "stuck"]}
    write_table(run, "slots", slots | {"drawn": [100 - faulty, faulty], "natural": [0.95, 0.05]})
    assert word in labels(run)[-1]
