"""One self-contained HTML page per run, drawn from the run's own logged tables."""

from bandpass.report.page import write_report
from bandpass.report.tables import ReportError

__all__ = ["ReportError", "write_report"]
