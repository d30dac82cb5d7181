"""What a person does with a run: train it, evaluate it, embed with it, compare it."""

from bandpass.runs.demo import demo
from bandpass.runs.embed import embed
from bandpass.runs.evaluate import evaluate
from bandpass.runs.run import Run, RunError, create_run, open_run
from bandpass.runs.train import train

__all__ = ["Run", "RunError", "create_run", "demo", "embed", "evaluate", "open_run", "train"]
