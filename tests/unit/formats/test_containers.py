"""Files that hold other documents: each of them is read, under its name, or named in a warning."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO

import pytest

from docpipe.errors import CorruptDocumentError, EncryptedDocumentError
from docpipe.formats import open_document
from docpipe.formats.base import Apart, Limits
from docpipe.formats.mapi import unpacked_rtf
from tests.unit.formats.compound import Tree, compound

Pages = list[tuple[str, list[str]]]
SIGNED, DATA, SEALED = (bytes.fromhex(f"06092a864886f70d01070{kind}") for kind in (2, 1, 3))


def read(
    data: bytes, name: str, limits: Limits | None = None
) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """The part and the lines of each page, and the codes of the warnings."""
    reader = open_document(data, name, limits or Limits())
    pages = [(page.part, [line.text for line in page.lines]) for page in reader.pages()]
    reader.close()
    return pages, [warn.code for warn in reader.warnings]


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def taken_apart(
    data: bytes, name: str, *, attachments: bool = False, limits: Limits | None = None
) -> tuple[list[str], list[tuple[str, str, bytes]], list[str]]:
    """The lines of the container itself, what was taken out of it, and the codes of the warnings."""
    taken: list[tuple[str, str, bytes]] = []
    apart = Apart(lambda *member: taken.append(member), attachments)
    reader = open_document(data, name, limits or Limits(), apart)
    lines = [line.text for page in reader.pages() for line in page.lines]
    reader.close()
    return lines, taken, [warn.code for warn in reader.warnings]


def test_files_taken_out_of_an_archive_are_listed_and_what_cannot_be_read_is_refused() -> None:
    inner = zipped({"deep.txt": b"deep"})
    data = zipped({"a/one.txt": b"one", "prog.exe": b"MZ" + bytes(70), "empty.txt": b"", "in.zip": inner})
    assert taken_apart(data, "all.zip") == (
        [
            "a/one.txt\ttext/plain\t3 bytes",
            "prog.exe\tnot read",
            "empty.txt\tnot read",
            f"in.zip\tapplication/zip\t{len(inner)} bytes",
        ],
        [("one.txt", "text/plain", b"one"), ("in.zip", "application/zip", inner)],
        ["attachment_unsupported", "attachment_empty"],
    )


def test_no_more_is_taken_out_than_the_limits_allow() -> None:
    data = zipped({f"{number}.txt": b"text" for number in range(3)})
    few = taken_apart(data, "all.zip", limits=Limits(max_parts=2))
    assert ([name for name, *_ in few[1]], few[2]) == (["0.txt", "1.txt"], ["attachment_too_many_parts"])
    deep = taken_apart(data, "all.zip", limits=Limits(max_attachment_depth=0))
    assert (deep[1], deep[2]) == ([], ["attachment_too_deep"] * 3)


def test_mails_taken_out_of_a_mailbox_are_mails_by_themselves() -> None:
    mail = "From x@y Wed Jun 12 10:15:00 2024\nFrom: a@b.org\nSubject: m{}\n\n>From me\n\n"
    assert taken_apart((mail.format(1) + mail.format(2)).encode(), "mails")[1] == [
        (f"{n}. m{n}.eml", "message/rfc822", f"From: a@b.org\nSubject: m{n}\n\nFrom me\n\n".encode())
        for n in (1, 2)
    ]


ATTACHED = b"""\
From: a@b.org
Subject: both
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=X

--X

The body
--X
Content-Disposition: attachment; filename=a.txt

first
--X
Content-Type: message/rfc822

From: c@d.org
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
X-Odd: \xfc

forwarded
--X--
"""


def test_attachments_of_a_mail_are_pages_unless_they_are_asked_for_as_documents() -> None:
    assert taken_apart(ATTACHED, "a.eml")[1] == []
    lines, taken, warnings = taken_apart(ATTACHED, "a.eml", attachments=True)
    forwarded = "From: c@d.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nX-Odd: ü\n\nforwarded".encode()
    assert taken == [("a.txt", "text/plain", b"first"), ("Grüße.eml", "message/rfc822", forwarded)]
    assert lines[-2:] == ["a.txt\ttext/plain\t5 bytes", f"Grüße.eml\tmessage/rfc822\t{len(forwarded)} bytes"]
    assert (lines[:4], warnings) == (["From: a@b.org", "Subject: both", "", "The body"], [])


def test_what_a_signature_covers_is_taken_apart_too() -> None:
    covered = signed(tlv(0x04, zipped({"one.txt": b"one"})))
    assert taken_apart(covered, "all.zip.p7m")[1] == [("one.txt", "text/plain", b"one")]


def tlv(tag: int, *parts: bytes) -> bytes:
    """An element with a mark at its end, as programs stream it, or of known length if it is primitive."""
    content = b"".join(parts)
    if tag & 0x20:
        return bytes([tag, 0x80]) + content + b"\0\0"
    return bytes([tag, 0x82]) + len(content).to_bytes(2) + content


def signed(*content: bytes, kind: bytes = SIGNED) -> bytes:
    enclosed = tlv(0x30, DATA, *([tlv(0xA0, *content)] if content else []))
    return tlv(0x30, kind, tlv(0xA0, tlv(0x30, tlv(0x02, b"\1"), tlv(0x31), enclosed)))


def test_an_archive_gives_each_file_and_names_what_it_cannot_read() -> None:
    inner = zipped({"deep.txt": b"deep"})
    data = zipped(
        {"a/": b"", "a/one.txt": b"one", "prog.exe": b"MZ" + bytes(70), "in.zip": inner, "__MACOSX/._a": b"x"}
    )
    assert read(data, "all.zip") == (
        [("a/one.txt", ["one"]), ("in.zip/deep.txt", ["deep"])],
        ["attachment_unsupported"],
    )


def locked(data: bytes, *names: str) -> bytes:
    """The archive with these files marked as encrypted."""
    marked = bytearray(data)
    for name in names:
        for sign, flags, length in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
            places = [n for n in range(len(data)) if data[n : n + 4] == sign]
            at = next(n for n in places if data[n + length :].startswith(name.encode()))
            marked[at + flags] |= 1
    return bytes(marked)


def test_a_file_that_is_encrypted_costs_itself_and_an_archive_of_such_files_is_encrypted() -> None:
    data = zipped({"a.txt": b"one", "b.txt": b"two"})
    assert read(locked(data, "b.txt"), "all.zip") == ([("a.txt", ["one"])], ["attachment_encrypted"])
    with pytest.raises(EncryptedDocumentError, match=r"all\.zip is an archive protected by a password"):
        read(locked(data, "a.txt", "b.txt"), "all.zip")


def test_archives_in_archives_end_at_the_limit_with_a_warning() -> None:
    data = zipped({"a.txt": b"a"})
    for _ in range(3):
        data = zipped({"a.txt": b"a", "in.zip": data})
    pages, warnings = read(data, "all.zip", Limits(max_attachment_depth=2))
    assert [part for part, _ in pages] == ["a.txt", "in.zip/a.txt"]
    assert warnings == ["attachment_too_deep", "attachment_too_deep"]


def test_a_mailbox_gives_each_mail() -> None:
    mails = [
        f"From x@y Wed Jun 12 10:15:0{n} 2024\nFrom: a@b.org\nSubject: m{n}\n\n>From me {n}\n\n"
        for n in (1, 2)
    ]
    pages, warnings = read("".join(mails).encode(), "mails")
    assert pages == [(f"{n}. m{n}", ["From: a@b.org", f"Subject: m{n}", "", f"From me {n}"]) for n in (1, 2)]
    assert warnings == []


def test_a_signed_file_is_read_as_what_was_signed() -> None:
    assert read(signed(tlv(0x24, tlv(0x04, b"the "), tlv(0x04, b"text"))), "a.txt.p7m") == (
        [("", ["the text"])],
        [],
    )
    mail = b"Content-Type: text/plain\r\n\r\nThe price"
    assert read(signed(tlv(0x04, mail)), "smime.p7m")[0] == [("", ["The price"])]


def test_what_holds_no_content_or_a_sealed_one_says_so() -> None:
    with pytest.raises(CorruptDocumentError, match="a signature only"):
        read(signed(), "a.p7m")
    with pytest.raises(EncryptedDocumentError, match="encrypted"):
        read(signed(tlv(0x04, b"x"), kind=SEALED), "a.p7m")
    with pytest.raises(CorruptDocumentError, match="damaged"):
        read(signed(tlv(0x04, b"text"))[:40], "a.p7m")


def attribute(level: int, number: int, kind: int, data: bytes) -> bytes:
    return struct.pack("<BHHI", level, number, kind, len(data)) + data + b"\0\0"


def winmail(*attributes: bytes) -> bytes:
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(attributes)


def test_winmail_whose_properties_are_damaged_says_so() -> None:
    cut = struct.pack("<I", 2) + struct.pack("<HH", 0x03, 0x0E07)  # two properties; the first has no value
    pages, warnings = read(
        winmail(attribute(1, 0x800C, 2, b"The body\0"), attribute(1, 0x9003, 6, cut)), "winmail.dat"
    )
    assert (pages, warnings) == ([("", ["The body"])], ["mail_damaged"])


def test_winmail_gives_the_body_and_each_attachment() -> None:
    data = winmail(
        *[
            attribute(1, 0x800C, 2, b"The body\0"),
            attribute(2, 0x9002, 6, b"\0" * 14),
            attribute(2, 0x8010, 1, b"a.txt\0"),
            attribute(2, 0x800F, 6, b"first"),
            attribute(2, 0x9002, 6, b"\0" * 14),
            attribute(2, 0x8010, 1, b"b.txt\0"),
            attribute(2, 0x800F, 6, b"second"),
        ]
    )
    pages, warnings = read(data, "winmail.dat")
    assert (pages, warnings) == ([("", ["The body"]), ("a.txt", ["first"]), ("b.txt", ["second"])], [])


def test_compressed_rich_text_is_unpacked() -> None:
    """The example of [MS-OXRTFCP], section 4.1."""
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert unpacked_rtf(packed) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def outlook(subject: str, body: str, **attachments: bytes | Tree) -> Tree:
    """The storages of a message as Outlook names them: property and kind in each stream's name."""
    texts = {"0037": subject, "0C1A": "Ann Lee", "5D01": "ann@lee.example", "0E04": "Bo", "1000": body}
    tree: Tree = {f"__substg1.0_{number}001F": text.encode("utf-16-le") for number, text in texts.items()}
    sent = (1_700_000_000 + 11_644_473_600) * 10_000_000
    tree["__properties_version1.0"] = bytes(32) + struct.pack("<HHIQ", 0x40, 0x39, 6, sent)
    for number, (name, content) in enumerate(attachments.items()):
        kind = "0102" if isinstance(content, bytes) else "000D"
        part: Tree = {"__substg1.0_3707001F": name.encode("utf-16-le"), f"__substg1.0_3701{kind}": content}
        tree[f"__attach_version1.0_#{number:08X}"] = part
    return tree


def test_an_outlook_message_is_read_as_a_mail() -> None:
    inner = outlook("Inner", "Within.")
    data = compound(outlook("Rent", "Due now.\r\n" * 300, note_txt=b"A note.", mail=inner))
    pages, warnings = read(data, "rent.msg")
    assert pages[0][1][:4] == [
        "From: Ann Lee <ann@lee.example>",
        "To: Bo",
        "Date: Tue, 14 Nov 2023 22:13:20 GMT",
        "Subject: Rent",
    ]
    assert pages[0][1].count("Due now.") == 300
    assert [part for part, _ in pages[1:]] == ["note_txt", "mail.msg"]
    assert pages[1][1] == ["A note."]
    assert pages[2][1][-1] == "Within."
    assert warnings == []


@pytest.mark.parametrize("end", [1500, 2600])
def test_an_outlook_message_cut_short_is_damaged(end: int) -> None:
    with pytest.raises(CorruptDocumentError, match=r"damaged Outlook message|holds no message"):
        read(compound(outlook("Rent", "Due now."))[:end], "rent.msg")
