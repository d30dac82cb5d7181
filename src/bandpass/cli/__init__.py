"""The command line. Nothing heavy is imported before a command runs, so ``--help`` is quick."""

from bandpass.cli.commands import app, main

__all__ = ["app", "main"]
