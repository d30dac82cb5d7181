"""Seeded passes: train, verify, measure, tabulate; stopped at any moment, the next call goes on."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bandpass.data.atomic import alone
from bandpass.runs.confirm.cells import known_row, run_cell
from bandpass.runs.confirm.plan import Cell, Plan
from bandpass.runs.confirm.tables import write_tables
from bandpass.runs.jobs import Listener, OnRow, apart, here
from bandpass.runs.run import RunError
from bandpass.runs.tasks import Row


def confirm(
    plan: Plan,
    *,
    jobs: int = 1,
    on_log: Callable[[Cell, dict[str, Any]], None] = lambda cell, row: None,
    on_row: Callable[[Cell, Row], None] = lambda cell, row: None,
    on_failure: Callable[[Cell, str], None] = lambda cell, why: None,
) -> bool:
    """Make every run of a plan that is not made yet, and write the tables after each.

    The directory of the plan gets ``confirm.parquet`` and the same as ``confirm.csv``, a row a run,
    and ``confirm.json``. A run that fails is noted, and the others go on.

    Args:
        plan: See ``plan``.
        jobs: Processes at once, of one thread each; 1 for none but this one.
        on_log: Told of every logged row of a training.
        on_row: Told of every run that is done, whether now or by an earlier command.
        on_failure: Told of every run that failed, and why.

    Returns:
        Whether all is done; False after Ctrl-C.

    Raises:
        RunError: If a run failed, or another process is at it.
    """
    rows: dict[str, Row] = {}
    failed: dict[str, str] = {}
    for cell in plan.cells:
        row = known_row(cell)
        if row is not None:
            rows[str(cell)] = row

    def done(cell: Cell, row: Row) -> None:
        rows[str(cell)] = row
        write_tables(plan, list(rows.values()), failed)
        on_row(cell, row)

    def failure(cell: Cell, why: str) -> None:
        rows.pop(str(cell), None)
        failed[str(cell)] = why
        write_tables(plan, list(rows.values()), failed)
        on_failure(cell, why)

    def busy(pid: str) -> RunError:
        return RunError(f"process {pid} is confirming in {plan.out}: wait for it or choose another")

    plan.out.mkdir(parents=True, exist_ok=True)
    with alone(plan.out / ".lock", busy):
        write_tables(plan, list(rows.values()), failed)
        listener = Listener(on_log, done, failure)
        work = partial(_make, store=plan.store.path)
        try:
            if jobs == 1:
                finished = here(plan.cells, work, listener)
            else:
                finished = apart(plan.cells, work, listener, jobs)
        except KeyboardInterrupt:
            finished = False
    if failed:
        first, why = next(iter(failed.items()))
        raise RunError(f"{len(failed)} of {len(plan.cells)} runs failed, first {first}: {why}")
    return finished


def _make(cell: Cell, on_row: OnRow, *, store: Path) -> Row | None:
    """Make a run, here or in a process of its own."""
    return run_cell(cell, store, lambda name, row, log: on_row(row))
