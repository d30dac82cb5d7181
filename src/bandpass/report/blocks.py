"""What the page is made of: plain records that the template turns into HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Text:
    """A plain paragraph; also what stands where a table is missing."""

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Picture:
    """One figure: ``title`` says what to look for, ``svg`` is finished inline SVG."""

    title: str
    svg: str
    note: str = ""


@dataclass(frozen=True)
class Pictures:
    """Figures side by side where there is room; ``legend`` rows are (token, glyph, name)."""

    pictures: Sequence[Picture]
    legend: Sequence[tuple[str, str, str]] = ()
    kind: ClassVar[str] = "pictures"


@dataclass(frozen=True)
class Cell:
    """A table cell: the value, a quieter detail behind it, and whether it stands out."""

    text: str
    detail: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table in its own scroll box; the first column holds the row names.

    ``stacked`` puts the detail of a cell under its text, for tables that would be too wide.
    """

    caption: str
    head: Sequence[str]
    body: Sequence[Sequence[Cell]]
    note: str = ""
    stacked: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Card:
    """A quarantined window: heading, facts in words, its signals, and (token, channel) names."""

    heading: str
    facts: Sequence[tuple[str, str]]
    svg: str
    legend: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Cards:
    """Small multiples."""

    cards: Sequence[Card]
    kind: ClassVar[str] = "cards"


@dataclass(frozen=True)
class Film:
    """A clip as a row of frames: heading, facts in words, the image as a data URI, and in words."""

    heading: str
    facts: Sequence[tuple[str, str]]
    image: str
    alt: str


@dataclass(frozen=True)
class Films:
    """Filmstrips under a common caption."""

    caption: str
    films: Sequence[Film]
    kind: ClassVar[str] = "films"


@dataclass(frozen=True)
class Verdict:
    """One finding: ``outcome`` is ``yes``, ``no`` or ``open``; the rest are plain sentences."""

    outcome: str
    label: str
    sentence: str
    more: Sequence[str] = ()


@dataclass(frozen=True)
class Verdicts:
    """Findings, one line each."""

    verdicts: Sequence[Verdict]
    kind: ClassVar[str] = "verdicts"


@dataclass(frozen=True)
class Folded:
    """A table that opens on demand."""

    summary: str
    table: Table
    kind: ClassVar[str] = "folded"


Block = Text | Pictures | Table | Cards | Films | Verdicts | Folded


@dataclass(frozen=True)
class Section:
    """A chapter of the page."""

    anchor: str
    title: str
    lead: str
    blocks: Sequence[Block]
