"""The command line. Nothing heavy is imported before a command runs, so ``--help`` is quick."""

from bandpass.cli import ablate, bench, confirm, curriculum, schedule_export
from bandpass.cli.commands import app, main

__all__ = ["app", "main"]

app.command()(curriculum.enrich)
app.command()(curriculum.quarantine)
app.command()(confirm.confirm)
app.command()(ablate.ablate)
app.add_typer(bench.bench, name="bench")
app.command()(schedule_export.export)
app.command("import")(schedule_export.take_in)
