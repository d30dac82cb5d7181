"""Write a look-alike of the Enron maildir, as an archive and unpacked, bad mails among the good."""

import gzip
import io
import tarfile
from pathlib import Path

DATE = "Fri, 4 May 2001 13:51:00 -0700 (PDT)"
CROWD = ", ".join(f"p{i}@enron.com" for i in range(40))


def mail(*headers: str, body: str = "Hello.\n") -> bytes:
    return ("\r\n".join((*headers, "", "")) + body).encode("latin-1")


MAILS = {
    "allen-p/_sent_mail/1.": mail(
        "Message-ID: <1.JavaMail.evans@thyme>",
        f"Date: {DATE}",
        "From: phillip.allen@enron.com",
        "To: john.lavorato@enron.com",
        "Subject: Re: not a part of the text",
        "Mime-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "Content-Transfer-Encoding: 7bit",
        "X-To: John J Lavorato <John J Lavorato/ENRON@enronXgate@ENRON>",
        body="x" * 785 + "\n",
    ),
    "allen-p/_sent_mail/2.": mail(
        "Message-ID: <2.JavaMail.evans@thyme>",
        "Date: Sat, 5 May 2001 09:00:00 +0000",
        "From: Phillip.Allen@enron.com",
        "To: Ann Lee <ann@enron.com>, bob@enron.com,",
        "\tCarl@enron.com",
        "Cc: bob@enron.com, phillip.allen@enron.com",
        "Bcc: bob@enron.com, dora@enron.com",
        body="\xe9t\xe9 ",
    ),
    "allen-p/_sent_mail/3.": mail(f"Date: {DATE}", "From: a@enron.com", f"To: {CROWD}"),
    "allen-p/inbox/1.": mail("From: a@enron.com", "To: b@enron.com"),
    "allen-p/inbox/2.": mail("Date: soon", "From: a@enron.com"),
    "allen-p/inbox/3.": mail("Date: Mon, 31 Dec 1979 16:00:00 -0800 (PST)", "From: a@enron.com"),
    "allen-p/inbox/4.": mail(f"Date: {DATE}", "To: b@enron.com"),
    "arora-h/inbox/1.": mail("Date: Fri, 4 May 0016 13:51:00 -0700", "From: a@enron.com"),
    "arora-h/inbox/2.": mail("Date: Fri, 4 May 9999 13:51:00 XYZ", "From: a@enron.com"),
    "arora-h/inbox/3.": mail("Date: Fri, 4 May 10000 13:51:00 +0000", "From: a@enron.com"),
}


def archive(mails: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        folder = tarfile.TarInfo("maildir")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in {**mails, "allen-p/.DS_Store": b"\0"}.items():
            member = tarfile.TarInfo(f"maildir/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def write(folder: Path) -> None:
    """Write the first custodian into an archive and the second as files."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = {name: data for name, data in MAILS.items() if name.startswith("allen-p")}
    (folder / "maildir_subset.tar.gz").write_bytes(gzip.compress(archive(packed), mtime=0))
    for name in MAILS.keys() - packed.keys():
        path = folder / "maildir" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MAILS[name])
    (folder / "maildir" / "arora-h" / ".DS_Store").write_bytes(b"\0")
