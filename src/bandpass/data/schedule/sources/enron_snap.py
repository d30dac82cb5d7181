"""SNAP's email-Enron: who exchanged mail with whom, without times, weights or texts."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bandpass.data.schedule.record import UNDATED, Malformed, Record, ScheduleSource, participants
from bandpass.data.schedule.sources._reading import found, lines
from bandpass.data.schedule.tokens import DAY, EMAIL

LAYOUT = """RAW/enron_snap/email-Enron.txt[.gz]   # comments, then each edge in both directions:
                FromNodeId<TAB>ToNodeId"""


def files(folder: Path) -> list[Path]:
    """The edge list."""
    return found(folder, "email-Enron.txt")


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every row as mail at some unknown time of some unknown day: it marks every slot.

    All that the file knows of a row beyond its two nodes is how many rows the first of them has;
    it and those neighbours are the participants. To count them the file is read twice.

    Args:
        path: The edge list.
        malformed: Gets rows that are not two node numbers.

    Raises:
        DataError: If the file cannot be read to its end.
    """
    degree = Counter(edge[0] for _, line in lines(path) if (edge := _edge(line)))
    for number, line in lines(path):
        edge = _edge(line)
        if edge is None:
            if line.strip() and not line.startswith(b"#"):
                malformed.add(f"{path.name}:{number}", "not two node numbers")
            continue
        sender, recipient = edge
        yield Record(
            id=f"{sender}-{recipient}",
            actors=(f"u:{sender}", f"u:{recipient}"),
            day=UNDATED,
            minute=0,
            minutes=DAY,
            what=EMAIL,
            priority=0,
            participants=participants(degree[sender] + 1),
            text=0,
            completion=0,
            confidence=0.3,
        )


def _edge(line: bytes) -> tuple[int, int] | None:
    """The nodes of a row, None if it is not two numbers."""
    words = line.split()
    if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
        return int(words[0]), int(words[1])
    return None


SOURCE = ScheduleSource(
    name="enron_snap",
    title="SNAP email-Enron, an edge for every pair of addresses that exchanged mail, no times",
    licence="public, free for research; cite Leskovec et al. 2009 and Klimt and Yang 2004",
    home="https://snap.stanford.edu/data/email-Enron.html",
    layout=LAYOUT,
    files=files,
    read=read,
)
