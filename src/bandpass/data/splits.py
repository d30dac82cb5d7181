"""Which rows of a series may train, which may test, and which separate the two."""

from collections.abc import Sequence
from itertools import pairwise

from bandpass.data.series import DataError, Split

TRAIN, TEST = "train", "test"
Segment = tuple[str, int, int]


def segments(
    rows: int,
    split: Split,
    name: str,
    entity: str,
    fixed: str | None = None,
    gaps: Sequence[int] = (),
) -> list[Segment]:
    """Cut one series into runs that windows may lie in, and may not leave.

    Cutting by time gives the last ``test_share`` of the rows to test and leaves the ``embargo``
    rows before them unused, so that no two windows of different splits are closer than that.

    Args:
        rows: Rows of the series.
        split: The rule.
        name: Name of the series, looked up when cutting by series.
        entity: Entity of the series, looked up when cutting by entity.
        fixed: ``"train"`` or ``"test"`` sends the series there whole, whatever the rule says.
        gaps: Rows at which the clock jumped; a run ends before each.

    Returns:
        (split, start, stop) in row order, half-open and never empty.

    Raises:
        DataError: If the rule or ``fixed`` cannot be understood.
    """
    _check(split, fixed)
    if fixed is not None:
        spans = [(fixed, 0, rows)]
    elif split.by == "time":
        first_test = rows - round(rows * split.test_share)
        last_train = first_test if first_test == rows else first_test - split.embargo
        spans = [(TRAIN, 0, last_train), (TEST, first_test, rows)]
    else:
        held_out = (entity if split.by == "entity" else name) in split.test
        spans = [(TEST if held_out else TRAIN, 0, rows)]
    return [run for span in spans for run in _cut(span, gaps)]


def _cut(span: Segment, gaps: Sequence[int]) -> list[Segment]:
    """Cut a span at the gaps inside it; an empty span has no runs."""
    which, start, stop = span
    edges = [start, *(int(gap) for gap in gaps if start < gap < stop), stop]
    return [(which, a, b) for a, b in pairwise(edges) if a < b]


def _check(split: Split, fixed: str | None) -> None:
    if split.by not in ("time", "entity", "series"):
        raise DataError(f"split.by is {split.by!r}: use 'time', 'entity' or 'series'")
    if not 0.0 <= split.test_share <= 1.0:
        raise DataError(f"split.test_share is {split.test_share}: use a share from 0 to 1")
    if split.embargo < 0:
        raise DataError(f"split.embargo is {split.embargo}: use 0 rows or more")
    if fixed not in (None, TRAIN, TEST):
        raise DataError(f"a series is in split {fixed!r}: use 'train', 'test' or None")
