"""The training loop, its step, schedules, checkpoints and log, and frozen encoders after it."""

from bandpass.training.checkpoint import CheckpointError
from bandpass.training.feed import Feed, Plan
from bandpass.training.loop import Curriculum, DeviceError, Diverged, fit, pick_device
from bandpass.training.settings import TrainSettings
from bandpass.training.step import adamw, parameter_groups, train_step

__all__ = [
    "CheckpointError",
    "Curriculum",
    "DeviceError",
    "Diverged",
    "Feed",
    "Plan",
    "TrainSettings",
    "adamw",
    "fit",
    "parameter_groups",
    "pick_device",
    "train_step",
]
