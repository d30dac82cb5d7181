"""The command that runs an ablation, and what it says before, meanwhile and afterwards."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from bandpass.cli import ablate_words
from bandpass.cli.commands import console, say
from bandpass.cli.many import Many

if TYPE_CHECKING:
    from bandpass.bench.ablation import Subject
    from bandpass.bench.arms import Arm
    from bandpass.bench.block import Ending
    from bandpass.bench.cost import Price

DATA = "BANDPASS_DATA"
"""Folder of all raw data, where ``--raw`` does not say another."""

LIMIT = 100.0
UNFINISHED = 3
"""Exit status where the time is over and cells are left."""


def ablate(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="BENCHMARK_OR_STORE", help="From `bandpass bench list`, or stores."),
    ] = None,
    *,
    raw: Annotated[
        Path | None,
        typer.Option("--raw", help=f"Folder of all raw data. (${DATA})", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where all goes. (runs/ablation[-quick])")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A quarter of the steps, 3 screening seeds: minutes.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every arm, and by default every benchmark; days.")
    ] = False,
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", metavar="NAME", help="This one, beside uniform; a,b is two. (roles)"),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="Only the first N of those declared.")
    ] = None,
    pilot: Annotated[
        bool, typer.Option("--pilot", help="Screening seeds; those that count stay unused.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Cells at once.")] = 1,
    limit: Annotated[
        float, typer.Option("--limit", help="Minutes after which no further cell begins.")
    ] = LIMIT,
    results: Annotated[
        Path | None,
        typer.Option("--results", help="A table to go on with. (OUT/results.parquet)"),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe under all arms."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run; write nothing.")
    ] = False,
) -> None:
    """Train arms at equal compute over paired seeds; say whether the curriculum helps.

    The same command goes on where it was stopped; what the table holds is not run again. Exit
    status 3: the time is over and cells are left.
    """
    import torch

    from bandpass.bench import ablation, block, grid
    from bandpass.runs.jobs import Listener

    if quick and full:
        raise typer.BadParameter("--quick and --full are two extents: say one of them")
    if not limit > 0:
        raise typer.BadParameter(f"--limit {limit:g} begins no cell: give minutes, such as 100")
    out = out or Path("runs") / ("ablation-quick" if quick else "ablation")
    table = results or out / "results.parquet"
    subjects = ablation.subjects(_names(names, quick, full), out, changes or [], quick=quick)
    arms = ablation.arms_of(_split(arm), every=full)
    chosen = ablation.Seeds(pilot or quick, seeds or (ablation.QUICK_SEEDS if quick else None))
    for subject in subjects:
        chosen.of(subject.benchmark)
        for each in arms:
            each.recipe(subject.base)  # what does not fit is refused before anything is made
    if dry_run:
        return ablate_words.dry(subjects, arms, chosen, table)
    torch.set_num_threads(1)  # as in the processes of --jobs: sums do not depend on either
    stores, prices = _ready(subjects, arms, _raw(raw), table)
    for subject in subjects:
        of = (subject.benchmark, arms, prices[subject.benchmark.name], subject.base.train.steps)
        for line in grid.unpaid(*of):
            say(line)
    cells = grid.ordered(
        [
            cell
            for subject in subjects
            for cell in grid.plan(
                *(subject.benchmark, arms, chosen.of(subject.benchmark)),
                *(prices[subject.benchmark.name], subject.base, out / "cells"),
            )
        ]
    )
    rows = block.known(cells, table)
    todo = block.missing(cells, rows)
    say(ablate_words.extent(cells, todo, ablation.pace(rows), jobs))
    with Many(console, {str(c): c.seconds for c in todo}, "reference s", noun="cells") as progress:
        ending = block.run(
            cells,
            partial(ablation.make, stores=stores),
            block.Block(table, jobs, limit),
            Listener(
                lambda cell, row: progress.at(*ablate_words.at(cell, row)),
                lambda cell, found: progress.done(*ablate_words.done(cell, found)),
                lambda cell, why: progress.failed(str(cell), why),
            ),
        )
    ablate_words.tell(subjects, arms, prices, (table, out / "ablation.html"), ending)
    _leave(ending, limit)


def _names(names: list[str] | None, quick: bool, full: bool) -> list[str]:
    """What was named, else what the extent comes to."""
    from bandpass.bench.declared import BENCHMARKS

    if names:
        return names
    if quick:
        return [name for name, each in BENCHMARKS.items() if not each.folder]
    if full:
        return list(BENCHMARKS)
    raise typer.BadParameter(
        f"say which BENCHMARK or STORE, or --quick, or --full; known: {', '.join(BENCHMARKS)}"
    )


def _split(given: list[str] | None) -> list[str]:
    return [name.strip() for text in given or [] for name in text.split(",") if name.strip()]


def _raw(given: Path | None) -> Path | None:
    """The folder of raw data: as given, else as the environment says."""
    if given is not None and not given.is_dir():
        raise typer.BadParameter(f"--raw {given} is no folder: give the folder of all raw data")
    return given or (Path(os.environ[DATA]) if os.environ.get(DATA) else None)


def _ready(
    subjects: "Sequence[Subject]", arms: "Sequence[Arm]", raw: Path | None, table: Path
) -> tuple[dict[str, Path], dict[str, dict[str, "Price"]]]:
    """Prepare the stores and take the prices that are not there yet; by benchmark."""
    from bandpass.bench import ablation, price_list

    prices: dict[str, dict[str, Price]] = {}
    with console.status("") as status:
        for subject in subjects:
            name = subject.benchmark.name
            status.update(f"{name}: store")
            store = ablation.prepared(subject, raw)
            status.update(f"{name}: what a step of each arm costs")
            prices[name] = price_list.priced(subject, store, arms, price_list.beside(table))
    return {subject.benchmark.name: subject.store for subject in subjects}, prices


def _leave(ending: "Ending", limit: float) -> None:
    """Say what failed and what is left, by words and by the exit status."""
    for cell, why in ending.failed:
        console.print(Text.assemble((f"failed: {cell}: ", "bold red"), why), soft_wrap=True)
    if ending.interrupted:
        say(f"stopped, {len(ending.left)} cells are left; the same command continues")
        raise typer.Exit(130)
    if ending.left:
        say(
            f"{limit:g} minutes are over, {len(ending.left)} cells are left; the same command "
            "continues"
        )
        raise typer.Exit(UNFINISHED)
    if ending.failed:
        raise typer.Exit(1)
