"""The Enron corpus: RFC 822 messages of a maildir, in a tar archive or unpacked."""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from io import BufferedIOBase
from pathlib import Path, PurePosixPath

from bandpass.data.schedule.record import (
    Malformed,
    Record,
    ScheduleSource,
    participants,
    text,
    when,
)
from bandpass.data.schedule.sources._reading import LONGEST, Unusable
from bandpass.data.schedule.tokens import EMAIL
from bandpass.data.series import DataError

LAYOUT = """RAW/enron_maildir/NAME.tar.gz, .tgz or .tar  the maildir in an archive, or
RAW/enron_maildir/maildir/allen-p/_sent_mail/1. ...  the maildir itself; one message a file"""

ARCHIVES = (".tar.gz", ".tgz", ".tar")

MOST_ACTORS = 20
"""Of a mail, its sender among them: one to everybody tells little of anybody's day."""

PLACEHOLDER = datetime(1980, 1, 1, tzinfo=UTC)
"""What the corpus writes where it knows no date, as ``31 Dec 1979 16:00:00 -0800``."""

_EARLY = re.compile(r"[a-z][\s,.-]+00\d\d\b", re.IGNORECASE)
"""A year of four digits below 100, after the name of its month: 0001 is neither 1 nor 2001."""

_DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error)
_BLOCK = 2**20


def files(folder: Path) -> list[Path]:
    """The archives, then the folder of every custodian of an unpacked maildir."""
    archives = [path for path in folder.glob("*") if path.name.endswith(ARCHIVES)]
    custodians = [path for path in folder.glob("maildir/*") if path.is_dir()]
    return [p for some in (archives, custodians) for p in sorted(some) if _is_visible(p.name)]


def read(path: Path, malformed: Malformed) -> Iterator[Record]:
    """Yield every mail at the moment of its ``Date``.

    Participants are the distinct addresses of From, To, Cc and Bcc, and the sender is the owner.
    The text is that of the body without the subject, decoded; of several text parts, all. Dates are
    read as ``email.utils`` does, which takes years of two digits for those from 1969 to 2068, and
    a zone that it does not know for none. Years such as 0016, which it would take for 2016, are
    malformed: nobody knows what the mailer meant. An id is the Message-ID, or the path where there
    is none.

    Args:
        path: An archive, which is read without unpacking it, or a folder of messages.
        malformed: Gets mails without a date or a sender, those whose date is none or of a year
            below 100, and those with the ``PLACEHOLDER`` for one.

    Raises:
        DataError: If the archive is none, is cut short or damaged, or a file cannot be read.
    """
    messages = _archived(path) if path.name.endswith(ARCHIVES) else _unpacked(path)
    for number, (name, data) in enumerate(messages, 1):
        try:
            yield _record(name, data)
        except Unusable as reason:
            malformed.add(f"{path.name}:{number}", str(reason))


def _archived(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file of an archive, as it streams by."""
    count = 0
    try:
        with _opened(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            while member := archive.next():
                # Or it would remember half a million of them.
                archive.members.clear()  # pyrefly: ignore[missing-attribute]  # undocumented
                file = archive.extractfile(member) if _is_visible(member.name) else None
                if file:  # and no folder or link
                    data = file.read(LONGEST)
                    count += 1
                    yield member.name, data
            while stream.read(_BLOCK):  # up to the checksum of a gzip file
                pass
    except _DAMAGE as error:
        far = f"after message {count} " if count else ""
        raise DataError(
            f"{path}: the tar archive cannot be read {far}({error}); download the file again"
        ) from error


def _opened(path: Path) -> BufferedIOBase:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


def _unpacked(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name, as an archive would have it, and bytes of every file of a custodian."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; download or unpack the maildir again")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _is_visible(path.name):
            try:
                with path.open("rb") as file:
                    data = file.read(LONGEST)
            except OSError as error:
                raise DataError(f"{path}: cannot be read: {error.strerror}") from error
            yield path.relative_to(folder.parent.parent).as_posix(), data


def _is_visible(name: str) -> bool:
    """Whether a file is more than what a desktop leaves behind, such as ``.DS_Store``."""
    return not PurePosixPath(name).name.startswith(".")


def _record(name: str, data: bytes) -> Record:
    message = message_from_bytes(data)
    written = str(message.get("Date", "")).strip()
    if not written:
        raise Unusable("no date")
    moment = _moment(written)
    if moment == PLACEHOLDER:
        raise Unusable("placeholder date")
    sender = _addresses(message, "From")
    if not sender:
        raise Unusable("no sender")
    people = list(dict.fromkeys(sender + _addresses(message, "To", "Cc", "Bcc")))
    day, minute = when(moment)
    return Record(
        id=str(message.get("Message-ID", "")).strip() or name,
        actors=tuple(f"u:{address}" for address in people[:MOST_ACTORS]),
        day=day,
        minute=minute,
        minutes=0,
        what=EMAIL,
        priority=0,
        participants=participants(len(people)),
        text=text(_characters(message)),
        completion=0,
        confidence=0.8,
    )


def _moment(written: str) -> datetime:
    if _EARLY.search(written):
        raise Unusable("year below 100")
    try:
        return parsedate_to_datetime(written)
    except (ValueError, OverflowError, TypeError, IndexError):
        raise Unusable("not a date") from None


def _addresses(message: Message, *headers: str) -> list[str]:
    """The addresses of all headers of these names, in small letters."""
    # One by one: `getaddresses` drops all that it is given when it doubts one.
    written = [str(value) for name in headers for value in message.get_all(name, [])]
    found = (address for value in written for _, address in getaddresses([value]))
    return [address.lower() for address in found if address]


def _characters(message: Message) -> int:
    parts = (part for part in message.walk() if part.get_content_maintype() == "text")
    return sum(_length(part) for part in parts)


def _length(part: Message) -> int:
    """Characters of a text part, decoded; its bytes where its character set is none."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return 0
    try:
        return len(payload.decode(part.get_content_charset("latin-1"), "replace"))
    except (LookupError, ValueError):
        return len(payload)


SOURCE = ScheduleSource(
    name="enron_maildir",
    title="Enron mail corpus, the messages of some 150 employees 1999-2002",
    licence="public, released by FERC; its distributor asks to respect the people's privacy",
    home="https://www.cs.cmu.edu/~enron/",
    layout=LAYOUT,
    files=files,
    read=read,
)
