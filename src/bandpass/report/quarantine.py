"""The chapter on quarantine: the windows that were taken out of the draws, as signals."""

from collections.abc import Sequence

import numpy as np

from bandpass.report.blocks import Block, Card, Cards, Cell, Section, Table
from bandpass.report.drawing import colour, panel, to_svg
from bandpass.report.tables import Columns, Run, rows

MOST_CARDS = 18
_TOKENS = ("c1", "c2", "c3", "c4")


def quarantine_section(run: Run, films: Sequence[Block] = ()) -> Section:
    """Draw the most extreme quarantined windows and count all of them by reason.

    Args:
        run: The run.
        films: Of clips: the same windows as frames, shown before their signals.
    """
    section = ("quarantine", "Quarantined windows")
    table = run.quarantine
    if rows(table) == 0:
        return Section(*section, "No window was quarantined in this run.", ())
    # NaN z means a loss that was not finite: the clearest case, so it comes first.
    order = np.argsort(-np.nan_to_num(table["z"].astype(float), nan=np.inf), kind="stable")
    shown = _spread(table, order)
    lead = (
        f"{rows(table):,} windows were so surprising that they were set aside: sensor faults if "
        "all went well, or rare events if not, which only a look can tell. "
        f"Drawn: {len(shown)}, the most extreme of every reason, with the channels that deviate "
        "most; values are in standard deviations of the entity."
    )
    blocks: list[Block] = [_reasons(table), *films, Cards([_card(table, i) for i in shown])]
    return Section(*section, lead, blocks)


def _spread(table: Columns, order: np.ndarray) -> list[int]:
    """Take the reasons in turn, most extreme first, so that no reason hides another."""
    queues = {
        reason: [int(i) for i in order if table["reason"][i] == reason]
        for reason in np.unique(table["reason"])
    }
    chosen: list[int] = []
    while len(chosen) < min(MOST_CARDS, len(order)):
        for queue in queues.values():
            if queue and len(chosen) < MOST_CARDS:
                chosen.append(queue.pop(0))
    return chosen


def _reasons(table: Columns) -> Table:
    body = []
    for reason in np.unique(table["reason"]):
        here = table["reason"] == reason
        z = table["z"][here].astype(float)
        finite = z[np.isfinite(z)]
        median = f"{np.median(finite):.1f}" if len(finite) else "not finite"
        series = len(np.unique(table["series"][here]))
        body.append([Cell(reason), Cell(f"{here.sum():,}"), Cell(f"{series:,}"), Cell(median)])
    head = ("reason", "windows", "series", "median z")
    return Table("Quarantined windows by reason", head, body)


def _card(table: Columns, i: int) -> Card:
    z = float(table["z"][i])
    facts = (
        ("reason", str(table["reason"][i])),
        ("z", f"{z:.1f}" if np.isfinite(z) else "not finite"),
        ("window", f"{table['id'][i]:,}"),
        ("start row", f"{table['start'][i]:,}"),
        ("visits", f"{table['visits'][i]:,}"),
    )
    legend = [(_token(k), str(name)) for k, name in enumerate(table["channels"][i])]
    return Card(str(table["series"][i]), facts, _signals(table, i), legend)


def _token(channel: int) -> str:
    return _TOKENS[channel % len(_TOKENS)]


def _signals(table: Columns, i: int) -> str:
    with panel(width=3.0, height=1.6) as (figure, axes):
        for k, signal in enumerate(table["values"][i]):
            y = np.array(signal, dtype=float)  # None (missing) becomes NaN: a gap in the line
            axes.plot(y, color=colour(_token(k)), linewidth=1.1)
        axes.set(xlabel="row of the window", ylabel="value (sd)")
        axes.margins(x=0.01)
        names = ", ".join(map(str, table["channels"][i]))
        return to_svg(figure, f"Quarantined window {table['id'][i]}, channels {names}")
