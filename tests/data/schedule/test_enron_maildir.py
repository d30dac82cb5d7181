"""The Enron maildir: mails in an archive or a folder."""

import gzip
import os
import runpy
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from bandpass.data.schedule.record import EPOCH, Malformed, Record
from bandpass.data.schedule.records import Hasher, pack, runs_of
from bandpass.data.schedule.sources.enron_maildir import MOST_ACTORS, SOURCE
from bandpass.data.schedule.tokens import EMPTY, FEATURES, dense
from bandpass.data.series import DataError

made = runpy.run_path(str(Path(__file__).parent / SOURCE.name / "make.py"))
write, archive, mail, MAILS = made["write"], made["archive"], made["mail"], made["MAILS"]
TAR = "maildir_subset.tar.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def one(tmp_path: Path, *headers: str, body: str = "") -> Record:
    """The record of one mail in a folder."""
    path = tmp_path / "maildir" / "someone" / "1."
    path.parent.mkdir(parents=True)
    path.write_bytes(mail(*headers, body=body))
    (record,) = SOURCE.read(path.parent, Malformed())
    return record


def assert_is_the_worked_example(record: Record) -> None:
    runs = runs_of(pack([record], Hasher(b"key", SOURCE.name)).records)
    window = dense(runs, np.zeros(1, np.int64), np.empty((1, *EMPTY.shape), np.float32))[0]
    expected = EMPTY.copy()
    for name, value in {
        "email_activity": 1,
        "participant_count": 0.08,
        "text_length": 0.393,
        "source_confidence": 0.8,
    }.items():
        expected[83, FEATURES.index(name)] = value
    np.testing.assert_array_equal(window, expected)


def test_the_worked_example_comes_out_exactly(folder: Path, malformed: Malformed) -> None:
    first = next(SOURCE.read(folder / TAR, malformed))
    assert_is_the_worked_example(first)
    assert first.id == "<1.JavaMail.evans@thyme>"
    assert first.actors == ("u:phillip.allen@enron.com", "u:john.lavorato@enron.com")
    assert first.day == 11_446


def test_archives_come_before_folders(folder: Path) -> None:
    assert [path.name for path in SOURCE.files(folder)] == [TAR, "arora-h"]


def test_an_archive_and_its_tree_hold_the_same(folder: Path, malformed: Malformed) -> None:
    tree = folder / "maildir" / "allen-p"
    for name, data in MAILS.items():
        if name.startswith("allen-p"):
            (folder / "maildir" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "maildir" / name).write_bytes(data)
    packed = list(SOURCE.read(folder / TAR, malformed))
    assert list(SOURCE.read(tree, malformed)) == packed
    plain = folder / "maildir.tar"
    plain.write_bytes(gzip.decompress((folder / TAR).read_bytes()))
    assert list(SOURCE.read(plain, malformed)) == packed


def test_people_are_the_distinct_addresses_and_the_sender_comes_first(
    folder: Path, malformed: Malformed
) -> None:
    _, second, _ = SOURCE.read(folder / TAR, malformed)
    names = ("phillip.allen", "ann", "bob", "carl", "dora")
    assert second.actors == tuple(f"u:{name}@enron.com" for name in names)
    assert second.participants == 5 / 25


def test_a_mail_to_a_crowd_has_few_actors_and_no_more_than_all_participants(
    folder: Path, malformed: Malformed
) -> None:
    *_, third = SOURCE.read(folder / TAR, malformed)
    assert (len(third.actors), third.participants) == (MOST_ACTORS, 1)
    assert third.actors[0] == "u:a@enron.com"
    assert third.id == "maildir/allen-p/_sent_mail/3."  # it has no Message-ID


def test_what_is_no_mail_of_a_day_is_counted(folder: Path, malformed: Malformed) -> None:
    found = [r for path in SOURCE.files(folder) for r in SOURCE.read(path, malformed)]
    assert len(found) == 4
    assert malformed.samples == [
        (f"{TAR}:4", "no date"),
        (f"{TAR}:5", "not a date"),
        (f"{TAR}:6", "placeholder date"),
        (f"{TAR}:7", "no sender"),
        ("arora-h:1", "year below 100"),
        ("arora-h:3", "not a date"),
    ]


def test_dates_are_read_as_the_mail_package_does(folder: Path, malformed: Malformed) -> None:
    (far,) = SOURCE.read(folder / "maildir" / "arora-h", malformed)
    assert (far.day, far.minute) == (2_932_655, 13 * 60 + 51)  # a zone XYZ moves nothing


@pytest.mark.parametrize(
    ("written", "year"),
    [("4 May 16", 2016), ("4 May 99", 1999), ("4 May 0100", 100), ("Fri, 4-May-2001", 2001)],
)
def test_years_of_two_digits_are_near_and_others_as_written(
    tmp_path: Path, written: str, year: int
) -> None:
    record = one(tmp_path, f"Date: {written} 13:51:00 +0000", "From: a@enron.com")
    assert record.day == date(year, 5, 4).toordinal() - EPOCH


@pytest.mark.parametrize("written", ["4 May 0000", "Sat, 24 Dec 0001", "Fri, 4-May-0099"])
def test_four_digits_below_100_are_no_year(
    tmp_path: Path, malformed: Malformed, written: str
) -> None:
    folder = tmp_path / "maildir" / "a"
    folder.mkdir(parents=True)
    (folder / "1.").write_text(f"Date: {written} 13:51:00 +0000\nFrom: a@enron.com\n\n")
    assert list(SOURCE.read(folder, malformed)) == []
    assert malformed.counts == {"year below 100": 1}


@pytest.mark.parametrize(
    ("headers", "body", "characters"),
    [
        (("Content-Type: text/plain; charset=utf-8",), "\xc3\xa9t\xc3\xa9", 3),
        (("Content-Type: text/plain; charset=no-such",), "\xc3\xa9t\xc3\xa9", 5),
        (("Content-Transfer-Encoding: quoted-printable",), "a =\r\nb=20c", 5),
        (("Content-Transfer-Encoding: base64",), "aGVsbG8=", 5),
        (("Content-Type: image/png", "Content-Transfer-Encoding: base64"), "aGVsbG8=", 0),
        (
            ("Content-Type: multipart/mixed; boundary=b",),
            "--b\n\nHello\n--b\nContent-Type: image/png\n\nxxxx\n--b\n\nagain\n--b--\n",
            10,
        ),
        ((), "", 0),
    ],
)
def test_the_text_is_the_decoded_body(
    tmp_path: Path, headers: tuple[str, ...], body: str, characters: int
) -> None:
    common = ("Date: Sat, 5 May 2001 09:00:00 +0000", "From: a@enron.com")
    assert one(tmp_path, *common, *headers, body=body).text == characters / 2000


def test_one_header_that_is_no_address_loses_no_other(tmp_path: Path) -> None:
    record = one(
        tmp_path,
        "Date: Sat, 5 May 2001 09:00:00 +0000",
        "From: =?latin-1?q?Andr=E9?= <A@enron.com>",
        "To: undisclosed-recipients:;",
        "Cc: <<b@enron.com",
        "Bcc: c@enron.com",
    )
    assert {"u:a@enron.com", "u:c@enron.com"} <= set(record.actors)


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
def test_an_archive_cut_short_says_how_far_it_went(tmp_path: Path, packed: bool) -> None:
    noise = np.random.default_rng(0)
    many = {f"allen-p/{n}.": MAILS["allen-p/_sent_mail/1."] + noise.bytes(3000) for n in range(20)}
    data = gzip.compress(archive(many)) if packed else archive(many)
    path = tmp_path / ("maildir.tar.gz" if packed else "maildir.tar")
    path.write_bytes(data[: len(data) // 2 + 100])
    found: list[Record] = []
    with pytest.raises(DataError, match="; download the file again") as caught:
        found.extend(SOURCE.read(path, Malformed()))
    assert 0 < len(found) < 20
    assert f"{path}: the tar archive cannot be read after message {len(found)} " in str(
        caught.value
    )


def test_a_flipped_bit_is_found_by_the_checksum(folder: Path, malformed: Malformed) -> None:
    data = bytearray((folder / TAR).read_bytes())
    data[-6] ^= 1
    (folder / TAR).write_bytes(data)
    with pytest.raises(DataError, match="CRC"):
        list(SOURCE.read(folder / TAR, malformed))


def test_what_is_no_archive_is_named(tmp_path: Path, malformed: Malformed) -> None:
    path = tmp_path / "notes.tar"
    path.write_text("a diary " * 1000)
    with pytest.raises(DataError, match=r"notes.tar: the tar archive cannot be read \(.*header"):
        list(SOURCE.read(path, malformed))


@pytest.mark.skipif(
    "BANDPASS_DATA" not in os.environ, reason="BANDPASS_DATA, the root of the real data, is unset"
)
def test_the_real_archive(malformed: Malformed) -> None:
    (path,) = SOURCE.files(Path(os.environ["BANDPASS_DATA"], "schedule", SOURCE.name))
    found = {r.id: r for r in SOURCE.read(path, malformed)}
    assert malformed.counts == {"placeholder date": 2, "year below 100": 2}
    assert len(found) == 803
    assert_is_the_worked_example(found["<15464986.1075855378456.JavaMail.evans@thyme>"])
