"""Schedules and work activity: one window schema over many public sources."""

from bandpass.data.schedule.record import Malformed, Record, ScheduleSource
from bandpass.data.schedule.store import ScheduleStore, ScheduleWriter

__all__ = ["Malformed", "Record", "ScheduleSource", "ScheduleStore", "ScheduleWriter"]
