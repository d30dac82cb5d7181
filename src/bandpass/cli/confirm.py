"""The command that trains a schedule model several times over, and what it shows meanwhile."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bandpass.cli.commands import console, say
from bandpass.cli.many import Many

if TYPE_CHECKING:
    from bandpass.recipes import Recipe
    from bandpass.runs.confirm import Cell, Plan
    from bandpass.runs.tasks import Row

SMOKE_PASSES, PASSES = 2, 6
WIDTH = 112
"""Columns that the table needs; a narrower terminal breaks its lines rather than lose numbers."""


def confirm(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STORE] [KEY=VALUE]...", help="The store; changes of the recipe."),
    ] = None,
    *,
    recipe: Annotated[
        str, typer.Option("--recipe", help="A schedule recipe from `bandpass recipes`.")
    ] = "schedule-base",
    passes: Annotated[
        int | None, typer.Option("--passes", min=1, help="Seeds 0 .. N-1 (6; 2 with --smoke).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where runs and tables go (runs/confirm-RECIPE).")
    ] = None,
    datasets: Annotated[
        list[str] | None,
        typer.Option("--datasets", metavar="NAME", help="Only this one; mail,code is two."),
    ] = None,
    combined_only: Annotated[
        bool, typer.Option("--combined-only", help="No runs of single datasets.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Runs at once.")] = 1,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A few steps; on made-up days if there is no STORE.")
    ] = False,
) -> None:
    """Train on each dataset and on all of them, in seeded passes; verify, measure, tabulate.

    The same command continues what was stopped and leaves finished runs as they are.
    """
    import torch

    from bandpass.data import open_store
    from bandpass.report.confirm import write_confirmation
    from bandpass.runs.confirm import confirm as run
    from bandpass.runs.confirm import look_alike, plan

    store, changes = _store_and_changes(words or [])
    if store is None and not smoke:
        raise typer.BadParameter("say which STORE, or --smoke to try it on made-up days")
    if smoke:  # in steps this small a second thread only waits, on a busy machine for minutes
        torch.set_num_threads(1)
    folder = out or Path("runs") / f"confirm-{'smoke-' if smoke else ''}{recipe}"
    planned = plan(
        _recipe(recipe, changes, datasets or [], smoke=smoke),
        open_store(store) if store else look_alike(folder / "store"),
        folder,
        passes=passes or (SMOKE_PASSES if smoke else PASSES),
        combined_only=combined_only,
    )
    for line in _about(planned):
        say(line)
    with Confirming(console, planned) as progress:
        try:
            done = run(
                planned,
                jobs=jobs,
                on_log=progress.log,
                on_row=progress.row,
                on_failure=progress.failed,
            )
        finally:
            progress.stop()
            if progress.rows:
                Console(width=max(console.width, WIDTH)).print(rows_table(progress.rows))
    for line in _summary(progress.rows):
        console.print(line, soft_wrap=True)
    if not done:
        say(f"stopped; what is done is in {folder}, the same command continues")
        raise typer.Exit(130)
    say(f"table: {folder / 'confirm.csv'}; report: {write_confirmation(folder)}")


class Confirming:
    """Live progress over all runs: a bar of steps with ETA; a line for every run that is done.

    Args:
        console: Where to draw; without a terminal a line is printed now and then instead.
        plan: All runs.

    Attributes:
        rows: Of the runs that are done.
    """

    def __init__(self, console: Console, plan: "Plan") -> None:
        from bandpass.training import checkpoint

        self.rows: list[Row] = []
        newest = {str(cell): checkpoint.latest(cell.path) for cell in plan.cells}
        before = {name: checkpoint.step_of(path) for name, path in newest.items() if path}
        steps = {str(cell): cell.recipe.train.steps for cell in plan.cells}
        self._many = Many(console, steps, "steps", before=before)

    def __enter__(self) -> "Confirming":
        """Start drawing if there is a terminal to draw on."""
        self._many.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop drawing."""
        self.stop()

    def stop(self) -> None:
        """Stop drawing."""
        self._many.stop()

    def log(self, cell: "Cell", row: dict[str, Any]) -> None:
        """Show a logged step."""
        line = f"{cell}: step {row['step']}, loss {row['prediction']:.4g}"
        self._many.at(str(cell), row["step"], line)

    def row(self, cell: "Cell", row: "Row") -> None:
        """Say that a run is done."""
        self.rows.append(row)
        loss, fresh = (cast(float, row[name]) for name in ("loss_trained", "loss_fresh"))
        self._many.done(str(cell), f"{cell}: held-out loss {loss:.4g}, fresh {fresh:.4g}")

    def failed(self, cell: "Cell", why: str) -> None:
        """Say that a run failed; the others go on."""
        self._many.failed(str(cell), why)


def rows_table(rows: Sequence["Row"]) -> Table:
    """Every run a line; the file has all columns."""
    table = Table("pass", "dataset", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown = {
        "train_windows": ("train", ",d"),
        "validation_windows": ("held out", ",d"),
        "training_loss": ("training", ".4g"),
        "loss_trained": ("loss", ".4g"),
        "loss_fresh": ("fresh", ".4g"),
        "lower": ("lower", ".2%"),
        "loss_position": ("position", ".4g"),
        "loss_mean": ("mean", ".4g"),
        "explained_beyond": ("beyond", ".3f"),
        "effective_rank": ("rank", ".2f"),
        "target_variance": ("variance", ".4g"),
    }
    for title, _ in shown.values():
        table.add_column(title, justify="right")
    for row in sorted(rows, key=lambda row: (cast(int, row["pass"]), cast(int, row["order"]))):
        numbers = (format(cast(float, row[name]), spec) for name, (_, spec) in shown.items())
        table.add_row(str(row["pass"]), str(row["dataset"]), *numbers)
    return table


def _summary(rows: Sequence["Row"]) -> list[Text]:
    """The combined runs in two lines: the loss never without what it is worth."""
    from bandpass.runs.confirm import summary

    found = summary(rows)
    if not found:
        return []
    lines = [
        Text(
            f"combined, {found['passes']} passes: held-out loss {found['loss_trained']:.4g} "
            f"({found['lowest']:.4g} to {found['highest']:.4g}) against {found['loss_fresh']:.4g} "
            f"fresh, {1 - found['loss_trained'] / found['loss_fresh']:.2%} lower; explained beyond "
            f"each position's mean {found['explained_beyond']:.3f}, effective rank "
            f"{found['effective_rank']:.2f}"
        )
    ]
    if found["warning"]:
        lines.append(Text.assemble(("warning: ", "bold yellow"), found["warning"]))
    return lines


def _about(plan: "Plan") -> list[str]:
    """What a person should know before hours of training."""
    from bandpass.runs.confirm import COMBINED

    combined = sum(cell.name == COMBINED for cell in plan.cells)
    lines = [f"{len(plan.cells)} runs, {combined} of them combined, into {plan.out}"]
    if plan.left_out:
        each = ", ".join(f"{one.name} ({one.records}: {one.why})" for one in plan.left_out)
        lines.append(f"without runs of their own, by records: {each}")
    counts = ", ".join(f"{name} {count:,}" for name, count in plan.combined.items())
    lines.append(f"combined training windows: {counts}")
    if plan.timeless and len(plan.combined) > len(plan.timeless):
        most = plan.recipe.schedule.timeless
        lines.append(f"of them without any time, at most {most:.0%}: {', '.join(plan.timeless)}")
    return lines


def _store_and_changes(words: list[str]) -> tuple[Path | None, list[str]]:
    """The store comes first, if there is one; changes have an equals sign."""
    if words and ("=" not in words[0] or Path(words[0]).exists()):
        return Path(words[0]), words[1:]
    return None, words


def _recipe(name: str, changes: list[str], datasets: list[str], *, smoke: bool) -> "Recipe":
    from bandpass.recipes import find, override
    from bandpass.runs.confirm import FEW_STEPS

    named = find(name)
    chosen = override(override(named, FEW_STEPS if smoke else ()), changes)
    if (chosen.train.seed, chosen.schedule.split_seed) != (
        named.train.seed,
        named.schedule.split_seed,
    ):
        raise typer.BadParameter("every pass sets seed and split_seed itself: leave them out")
    asked = [each.strip() for text in datasets for each in text.split(",") if each.strip()]
    return override(chosen, [f"schedule.datasets={','.join(asked)}"] if asked else ())
