"""Confirm a schedule model: seeded passes over every dataset and over all, in one table."""

from bandpass.runs.confirm.datasets import COMBINED, LeftOut
from bandpass.runs.confirm.passes import confirm
from bandpass.runs.confirm.plan import Cell, Plan, plan
from bandpass.runs.confirm.smoke import FEW_STEPS, look_alike
from bandpass.runs.confirm.tables import collapse, summary

__all__ = [
    "COMBINED",
    "FEW_STEPS",
    "Cell",
    "LeftOut",
    "Plan",
    "collapse",
    "confirm",
    "look_alike",
    "plan",
    "summary",
]
