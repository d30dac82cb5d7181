"""`bandpass bench`: what is declared, before anything is run."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from bandpass.cli.ablate_words import names_table
from bandpass.cli.commands import console

bench = typer.Typer(help="Show the benchmarks that `ablate` runs.", no_args_is_help=True)

GENERATED = "none: generated"


@bench.command("list")
def list_all() -> None:
    """List the declared benchmarks and the arms."""
    from bandpass.bench.arms import ARMS
    from bandpass.bench.declared import BENCHMARKS

    table = names_table("benchmark", "raw files", "what it is")
    for each in BENCHMARKS.values():
        table.add_row(*map(Text, (each.name, each.folder or GENERATED, each.title)))
    console.print(table)
    console.print()
    table = names_table("arm", "group", "what is different")
    for arm in ARMS.values():
        half = "; at half of the budget too" if arm.half else ""
        table.add_row(*map(Text, (arm.name, arm.group, f"{arm.about}{half}")))
    console.print(table)


@bench.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="From `bandpass bench list`.")],
) -> None:
    """Show everything that a benchmark declares."""
    from bandpass.bench.declared import find

    each = find(name)
    lines = {
        "version": str(each.version),
        "source": each.source,
        "raw files": each.folder or GENERATED,
        "prepared": " ".join(f"{key}={value}" for key, value in each.prepare.items()),
        "stream": "; ".join(map(str, each.stream)) or "as prepared",
        "rare": ", ".join(each.rare_entities) or "as the store names them",
        "recipe": " ".join((each.recipe, *each.changes)),
        "split": each.split,
        "folds": each.folds,
        "classes": each.classes or "rare against the rest",
        "metric, rare": f"{each.rare.task}: {each.rare.metric}, more is better",
        "metric, normal": f"{each.normal.task}: {each.normal.metric}, may lose {each.margin:g}",
        "metric, corrupt": f"{each.corrupt.task}: {each.corrupt.metric}, less is better",
        "screening seeds": " ".join(map(str, each.screen)),
        "seeds": " ".join(map(str, each.seeds)),
        "chosen": each.chosen,
    }
    lines |= {f"slice, {key}": text for key, text in each.slices.items() if text}
    console.print(Text(each.name, style="bold"), Text(each.title))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for key, text in lines.items():
        if text:
            table.add_row(Text(key), Text(text))
    console.print(table)
