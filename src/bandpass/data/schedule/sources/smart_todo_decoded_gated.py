"""SmartToDo with its words: blocked, as they come from a collection that takes two agreements."""

from bandpass.data.schedule.record import ScheduleSource
from bandpass.data.schedule.sources import _blocked

SOURCE = ScheduleSource(
    name="smart_todo_decoded_gated",
    title="SmartToDo to-do items for commitments in e-mails, in words",
    licence="LDC agreements for Avocado, and Microsoft Research License Terms",
    home="https://catalog.ldc.upenn.edu/LDC2015T03",
    layout=_blocked.LAYOUT,
    files=_blocked.files,
    read=_blocked.read,
    blocked=(
        "the words of SmartToDo can only be decoded with the Avocado e-mails (LDC2015T03), which "
        "take two signed agreements; use smart_todo_coded"
    ),
)
