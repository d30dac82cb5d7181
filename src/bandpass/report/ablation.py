"""The page of an ablation: does the curriculum help, how much, at what cost, what did it hurt?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bandpass.evaluation.paired import Comparison
from bandpass.report.ablation_bars import cost_section, slots_section
from bandpass.report.ablation_cells import Cells, Row, cells_of, styles
from bandpass.report.ablation_inputs import (
    About,
    Benchmark,
    Failed,
    Metric,
    Price,
    Told,
)
from bandpass.report.ablation_primary import primary_section
from bandpass.report.ablation_ran import others_section, ran_section
from bandpass.report.ablation_seeds import budget_section, seeds_section
from bandpass.report.ablation_tradeoff import tradeoff_section
from bandpass.report.ablation_verdict import verdict_section
from bandpass.report.blocks import Section
from bandpass.report.page import needs_packages, page, publish

__all__ = ["About", "Benchmark", "Comparison", "Failed", "Metric", "Price", "Told", "write"]


def write(
    rows: Sequence[Row],
    benchmarks: Sequence[Benchmark],
    prices: Mapping[str, Mapping[str, Price]],
    verdicts: Mapping[str, Told],
    path: Path,
    about: About | None = None,
) -> Path:
    """Write the page of an ablation as one self-contained HTML file.

    What is missing (an arm, an interval, half of the budget, a price) is said on the page.

    Args:
        rows: The results table, one dict per cell and metric. Values are by seed; a None or NaN is
            left out and counted.
        benchmarks: Those to report, in this order.
        prices: By benchmark and arm, in FLOPs and seconds.
        verdicts: By benchmark.
        path: The file.
        about: Where the table comes from; unknown if None.

    Returns:
        The file written.

    Raises:
        ReportError: If a number is in the table twice, a budget or the role of a comparison is
            unknown, the page cannot be written, or the packages of the extra ``report`` are not
            installed.
    """
    needs_packages()
    every = [
        cells_of(each, rows, prices.get(each.name, {}), verdicts.get(each.name))
        for each in benchmarks
    ]
    names = ", ".join(each.name for each in benchmarks) or "nothing"
    publish(path, page(f"Ablation: {names}", _sections(every, about or About())))
    return path


def _sections(every: Sequence[Cells], about: About) -> list[Section]:
    look = styles(every)
    return [
        verdict_section(every),
        primary_section(every),
        tradeoff_section(every, look),
        cost_section(every),
        slots_section(every),
        seeds_section(every, look),
        budget_section(every, look),
        others_section(every),
        ran_section(every, about),
    ]
