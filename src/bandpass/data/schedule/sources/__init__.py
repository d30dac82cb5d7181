"""Public datasets of schedules and work activity, each behind one ``ScheduleSource``."""

from difflib import get_close_matches

from bandpass.data.schedule.record import ScheduleSource
from bandpass.data.schedule.sources import (
    blocked_sources,
    calendar_ics_thunderbird,
    enron_cornell,
    enron_maildir,
    enron_snap,
    epa,
    gharchive,
    ms_latte,
    project_openproject,
    project_taiga,
    public_jira,
    smart_todo_coded,
    smart_todo_decoded_gated,
)
from bandpass.data.series import DataError

__all__ = ["SCHEDULE_SOURCES", "find"]

SCHEDULE_SOURCES: dict[str, ScheduleSource] = {
    source.name: source
    for source in (
        calendar_ics_thunderbird.SOURCE,
        project_openproject.SOURCE,
        project_taiga.SOURCE,
        gharchive.SOURCE,
        ms_latte.SOURCE,
        epa.SOURCE,
        enron_maildir.SOURCE,
        enron_cornell.SOURCE,
        enron_snap.SOURCE,
        public_jira.SOURCE,
        smart_todo_coded.SOURCE,
        smart_todo_decoded_gated.SOURCE,
        blocked_sources.SOURCE,
    )
}


def find(name: str) -> ScheduleSource:
    """Return a source by its name.

    Raises:
        DataError: If there is none of that name; names the nearest.
    """
    if name not in SCHEDULE_SOURCES:
        near = get_close_matches(name, SCHEDULE_SOURCES, n=1, cutoff=0.0)[0]
        known = ", ".join(SCHEDULE_SOURCES)
        raise DataError(f"no schedule source {name!r}: did you mean {near!r}? known: {known}")
    return SCHEDULE_SOURCES[name]
