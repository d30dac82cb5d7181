"""The command line. Nothing heavy is imported before a command runs, so ``--help`` is quick."""

from bandpass.cli import curriculum
from bandpass.cli.commands import app, main

__all__ = ["app", "main"]

app.command()(curriculum.enrich)
app.command()(curriculum.quarantine)
