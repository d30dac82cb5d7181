"""Evaluation of a schedule run: held-out losses beside controls, and probes; nothing is trained."""

from bandpass.runs.schedule.evaluate import evaluate_schedule
from bandpass.runs.schedule.losses import held_out_losses
from bandpass.runs.schedule.probes import probe_table

__all__ = ["evaluate_schedule", "held_out_losses", "probe_table"]
