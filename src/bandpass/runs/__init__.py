"""What a person does with a run: train it, evaluate it, embed with it, compare it, review it."""

from bandpass.runs.demo import demo
from bandpass.runs.embed import embed, slot_encoder
from bandpass.runs.enrich import Reference, enrich, reference_of, train_reference
from bandpass.runs.evaluate import evaluate
from bandpass.runs.exporting import export_windows
from bandpass.runs.mixed import members, train_mixed
from bandpass.runs.quarantine import decide, export, quarantined
from bandpass.runs.run import Run, RunError, create_run, open_run
from bandpass.runs.train import train

__all__ = [
    "Reference",
    "Run",
    "RunError",
    "create_run",
    "decide",
    "demo",
    "embed",
    "enrich",
    "evaluate",
    "export",
    "export_windows",
    "members",
    "open_run",
    "quarantined",
    "reference_of",
    "slot_encoder",
    "train",
    "train_mixed",
    "train_reference",
]
