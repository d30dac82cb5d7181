"""Every command: parse, call, print. The work is done in ``bandpass.runs`` and below it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

app = typer.Typer(
    help="Train JEPAs on long temporal streams, spending compute where windows still teach.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
problems = Console(stderr=True)

RunDir = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
StoreDir = Annotated[Path, typer.Option("--store", help="A prepared store.")]


def main() -> None:
    """Run the command line; expected problems become one line and exit status 1."""
    try:
        app()
    except _expected() as error:
        problems.print(f"[bold red]error:[/] {_plain(error)}", highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where store and runs go. (runs/demo, runs/demo-video)"),
    ] = None,
    modality: Annotated[
        str, typer.Option("--modality", help="series of a plant, or video of a simulated world.")
    ] = "series",
) -> None:
    """Generate data, train with the surprise band and uniformly, compare, write report.html."""
    from bandpass import runs
    from bandpass.cli.evaluation import side_by_side
    from bandpass.cli.progress import Training
    from bandpass.report import write_report

    folder = folder or Path("runs/demo" if modality == "series" else f"runs/demo-{modality}")
    with Training(console) as progress:
        found = runs.demo(folder, modality=modality, on_stage=progress.stage, on_log=progress.log)
    if found is None:
        say("stopped; the same command continues")
        raise typer.Exit(130)
    console.print(side_by_side(found))
    page = write_report(folder / "surprise-band", beside=[folder / "uniform"])
    say(f"report: {page}")


@app.command()
def sources() -> None:
    """List what can be read: what each is, its licence, its home and its exact raw layout."""
    from bandpass.cli.sources import cards

    cards(console)


@app.command()
def recipes() -> None:
    """List the recipes and every key that `train` can override."""
    from bandpass.recipes import RECIPES, keys

    table = Table()
    table.add_column("recipe", min_width=max(map(len, RECIPES)))
    for head in ("source", "policy", "steps", "batch", "encoder dim x depth"):
        table.add_column(head)
    for name, recipe in RECIPES.items():
        encoder, train = recipe.model.encoder, recipe.train
        size = f"{encoder.dim} x {encoder.depth}"
        table.add_row(name, recipe.source, recipe.policy, str(train.steps), str(train.batch), size)
    console.print(table)
    console.print("keys: " + ", ".join(keys()), highlight=False)


@app.command()
def prepare(
    source: Annotated[
        str,
        typer.Argument(help="A name from `bandpass sources`, or schedule, or video, for theirs."),
    ],
    store: Annotated[Path, typer.Option("--store", help="The store to write.")],
    options: Annotated[
        list[str] | None,
        typer.Argument(help="Options of the source, as name=value, from `bandpass sources`."),
    ] = None,
    *,
    raw: Annotated[
        Path | None, typer.Option("--raw", help="Folder with the raw files; not for plant.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a store that is there.")
    ] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            help="schedule: names from `bandpass sources`; a,b is two. (all) video: one. (folder)",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="schedule, video: processes that read. (CPUs)"),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="schedule: key of the identifiers. (STORE.key)")
    ] = None,
) -> None:
    """Read raw files once and write a store of memory-mapped series, schedules or videos."""
    pairs: dict[str, Any] = dict(_pairs(options or []))
    if source == "schedule":
        from bandpass.cli import schedule

        settings = schedule.Options(workers, key, overwrite)
        return schedule.prepare(raw, store, dataset or [], pairs, settings)
    if key:
        raise typer.BadParameter("--key is for `prepare schedule` only")
    if source == "video":
        from bandpass.cli import video

        return video.prepare(raw, store, dataset or [], pairs, (workers, overwrite))
    if dataset or workers:
        raise typer.BadParameter(
            "--dataset and --workers are only for `prepare schedule` and `video`"
        )
    from bandpass.cli.progress import preparing, store_summary
    from bandpass.data import prepare as run
    from bandpass.data.sources import find

    chosen = find(source)
    if raw is None:
        if source != "plant":
            raise typer.BadParameter(f"{source} reads raw files: say where with --raw DIR")
        raw = store
    with preparing(console) as progress:
        made = run(chosen, raw, store, overwrite=overwrite, progress=progress, **pairs)
    console.print(store_summary(made))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A name from `bandpass recipes`.")],
    store: Annotated[
        list[Path], typer.Option("--store", help="A prepared store; several make a mixed run.")
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes of the recipe, e.g. steps=500 seed=1.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="The run directory (runs/RECIPE).")
    ] = None,
    control: Annotated[
        bool,
        typer.Option(help="Train the raw-patch control at the same budget too; not of mixed runs."),
    ] = True,
    cut: Annotated[
        list[str] | None,
        typer.Option(
            "--cut",
            help="Mixed: the recipe that each store is cut by, in their order, and changes of it: "
            "'video windows.stride=8'. (by modality)",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train a recipe; the same command continues a run that was stopped at any moment."""
    from bandpass import runs
    from bandpass.cli.progress import Training
    from bandpass.data import open_store
    from bandpass.recipes import find, override

    chosen = override(find(recipe), overrides or [])
    path = run or Path("runs") / recipe
    stores = [open_store(each) for each in store]
    with Training(console) as progress:
        told: dict[str, Any] = {"on_log": progress.log, "on_note": say}
        if len(stores) > 1 or cut or recipe == "mixed":
            done = runs.train_mixed(chosen, stores, path, cuts=cut or [], **told)
        else:
            done = runs.train(chosen, stores[0], path, with_control=control, **told)
    if not done:
        say(f"stopped and saved in {path}; the same command continues")
        raise typer.Exit(130)
    say(f"trained: {path}; next: bandpass evaluate {path}")


@app.command()
def evaluate(
    run: RunDir,
    batches: Annotated[
        int,
        typer.Option(
            min=0,
            help="Schedules: batches of 32 for the held-out loss; 100 is the reference. (all)",
            show_default=False,
        ),
    ] = 0,
) -> None:
    """Probe the frozen encoder of a run beside its controls; nothing is retrained."""
    from bandpass import runs
    from bandpass.cli.evaluation import tables

    for each in runs.members(run):
        if each != run:
            say(str(each))
        with console.status("evaluating") as status:
            rows = runs.evaluate(
                each, lambda name: status.update(f"measuring {name}"), batches=batches
            )
        console.print(tables(each, rows))


@app.command()
def embed(
    run: RunDir,
    store: StoreDir,
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.")],
    pooling: Annotated[
        str | None,
        typer.Option(
            help="mean, mean+std or mean+std+max over tokens. By default mean+std of series and "
            "mean+std+max of schedules."
        ),
    ] = None,
) -> None:
    """Embed every window of a store with the frozen encoder of a run."""
    from bandpass import runs
    from bandpass.cli.progress import counting
    from bandpass.data import open_store

    with counting(console, "windows") as progress:
        rows = runs.embed(run, open_store(store), out, pooling=pooling, on_windows=progress)
    say(f"{out}: {rows} embeddings")


@app.command()
def report(
    run: RunDir,
    beside: Annotated[
        list[Path] | None, typer.Option("--beside", help="Another run to compare with.")
    ] = None,
) -> None:
    """Write report.html from the tables of a run."""
    from bandpass.report import write_report

    say(f"report: {write_report(run, beside=beside or [])}")


def say(text: str) -> None:
    """Print a line as it is: a path or a command must not break where the window ends."""
    console.print(Text(text), soft_wrap=True)


def _pairs(options: list[str]) -> dict[str, str]:
    for option in options:
        if "=" not in option:
            raise typer.BadParameter(f"{option!r} is not of the form name=value")
    return dict(option.split("=", 1) for option in options)


def _expected() -> tuple[type[Exception], ...]:
    """Errors whose message already says what to do; loaded only once something was raised."""
    if "bandpass.data" not in sys.modules:
        return ()
    from bandpass.data import DataError, StoreError

    # The text of an OSError names the file and what is wrong with it: a full disk, say.
    found: list[type[Exception]] = [DataError, StoreError, OSError]
    if "bandpass.recipes" in sys.modules:
        from bandpass.recipes import RecipeError

        found.append(RecipeError)
    if "bandpass.runs" in sys.modules:
        from bandpass.runs import RunError
        from bandpass.training import CheckpointError, DeviceError, Diverged
        from bandpass.training.quarantine import ReviewError

        found += [RunError, CheckpointError, DeviceError, Diverged, ReviewError]
    if "bandpass.report" in sys.modules:
        from bandpass.report import ReportError

        found.append(ReportError)
    return tuple(found)


def _plain(error: Exception) -> str:
    from rich.markup import escape

    return escape(" ".join(str(error).split()))
