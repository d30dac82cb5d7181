"""What `bandpass evaluate` prints of a schedule run."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bandpass.report import blocks, schedule_losses, schedule_probes
from bandpass.report.tables import read_run, rows

REPLACED = schedule_probes.REPLACED
MARKS = {"yes": "+", "no": "-", "open": "?"}


def schedule_tables(run: Path) -> Group:
    """Probes against encoders, held-out losses below, and what both say."""
    tables = read_run(run)
    asked = schedule_probes.asked_of(tables.evaluation)
    shown: list[RenderableType] = [_probes(asked)]
    verdicts = [schedule_probes.verdict(asked)]
    if rows(tables.losses):
        shown.append(_plain(schedule_losses.table_of(tables.losses)))
        verdicts.append(schedule_losses.verdict(tables.losses))
    lines = [
        Text.assemble((f"{MARKS[each.outcome]} {each.label}. ", "bold"), each.sentence)
        for each in verdicts
    ]
    return Group(*shown, *lines)


def _probes(asked: list[schedule_probes.Asked]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))  # narrow: numbers must not break on 80 columns
    for head in ("probe", "", *schedule_probes.PAINT, "beats all"):
        table.add_column(head, no_wrap=True)
    for probe in asked:
        cells = [probe.answers.get(name) for name in schedule_probes.PAINT]
        values = [str(cell).partition(" ")[0] if cell else "n/a" for cell in cells]
        verdict = "yes" if probe.beats else "no" if probe.counts else "not asked"
        result = REPLACED if probe.note.startswith(REPLACED) else verdict
        table.add_row(probe.task, probe.metric, *values, result)
    return table


def _plain(content: blocks.Table) -> Table:
    table = Table(*content.head, title=content.caption, title_justify="left", box=None)
    table.caption, table.caption_justify = content.note, "left"
    for row in content.body:
        table.add_row(*(Text(cell.text) for cell in row))
    return table
