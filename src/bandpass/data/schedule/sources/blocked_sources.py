"""Sources that nobody publishes, kept as one empty entry so that their absence is on record."""

from bandpass.data.schedule.record import ScheduleSource
from bandpass.data.schedule.sources import _blocked

SOURCE = ScheduleSource(
    name="blocked_sources",
    title="Private calendars, mailboxes and task lists with the times at which things were done",
    licence="none: not published",
    home="none: not published",
    layout=_blocked.LAYOUT,
    files=_blocked.files,
    read=_blocked.read,
    blocked=(
        "no public dump exists of private calendars, mailboxes and task lists, and none may be "
        "made without the consent of their owners; use the eleven public sources"
    ),
)
