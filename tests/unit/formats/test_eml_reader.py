"""Mail: headers, the best body, attachments as pages of their own."""

from __future__ import annotations

import binascii
from contextlib import closing
from email.message import EmailMessage
from io import BytesIO

import pytest
from PIL import Image

from docpipe.errors import TooDeepError, TooManyPartsError
from docpipe.formats import open_document
from docpipe.formats.base import Limits, RawPage, Reader


def mail(body: str = "Hello\n", subject: str = "Offer") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ann <ann@example.org>"
    message["To"] = "Bob <bob@example.org>"
    message["Date"] = "Mon, 06 May 2024 10:00:00 +0200"
    message["Subject"] = subject
    message.set_content(body)
    return message


HEADERS = [
    "From: Ann <ann@example.org>",
    "To: Bob <bob@example.org>",
    "Date: Mon, 06 May 2024 10:00:00 +0200",
    "Subject: Offer",
    "",
]


def read(data: bytes | EmailMessage, limits: Limits | None = None) -> tuple[Reader, list[RawPage]]:
    reader = open_document(bytes(data), "a.eml", limits or Limits())
    return reader, list(reader.pages())


def parts(pages: list[RawPage]) -> list[tuple[str, list[str]]]:
    return [(page.part, [line.text for line in page.lines]) for page in pages]


def body_of(data: bytes | EmailMessage) -> list[str]:
    _, (page,) = read(data)
    texts = [line.text for line in page.lines]
    return texts[texts.index("") + 1 :]


def test_headers_come_before_the_body() -> None:
    reader, pages = read(mail())
    assert parts(pages) == [("", [*HEADERS, "Hello"])]
    assert reader.metadata["subject"] == "Offer"


def test_plain_text_is_preferred_unless_it_is_empty() -> None:
    message = mail("The price - is 5.")
    message.add_alternative("<p>The price is <b>5</b>.</p><script>bad</script>", subtype="html")
    assert body_of(message) == ["The price - is 5."]
    message = mail("  \n")
    message.add_alternative("<p>html</p><script>bad</script>", subtype="html")
    assert body_of(message) == ["html"]


def test_attachments_are_pages_with_their_name_as_part() -> None:
    message = mail()
    picture = BytesIO()
    Image.new("RGB", (30, 20)).save(picture, "PNG")
    message.add_attachment(picture.getvalue(), "image", "png", filename="../scan.png")
    message.add_attachment("note text\n", filename="note.txt")
    message.add_attachment("second note\n", filename="note.txt")
    _, pages = read(message)
    assert parts(pages)[1:] == [
        ("scan.png", []),
        ("note.txt", ["note text"]),
        ("note.txt (2)", ["second note"]),
    ]
    image = pages[1].image
    assert image is not None
    assert image(200).pixels.shape == (20, 30, 3)


def test_attachments_of_attached_mails_name_their_path() -> None:
    inner = mail("inner body", "Inner")
    inner.add_attachment("deep\n", filename="contract.txt")
    outer = mail()
    outer.add_attachment(inner)
    _, pages = read(outer)
    assert [page.part for page in pages] == ["", "Inner.eml", "Inner.eml/contract.txt"]
    assert parts(pages)[2][1] == ["deep"]


def test_an_unreadable_attachment_is_a_warning_and_the_mail_completes() -> None:
    message = mail()
    message.add_attachment(b"%PDF-1.7 broken", "application", "pdf", filename="bad.pdf")
    message.add_attachment(b"\x7fELF" + bytes(50), "application", "octet-stream", filename="tool")
    message.add_attachment(b"", "application", "octet-stream", filename="nothing")
    message.add_attachment("fine\n", filename="fine.txt")
    reader, pages = read(message)
    assert [page.part for page in pages] == ["", "fine.txt"]
    assert [warn.code for warn in reader.warnings] == [
        "attachment_corrupt",
        "attachment_unsupported",
        "attachment_empty",
    ]
    assert "bad.pdf" in reader.warnings[0].message


def test_page_numbers_of_an_attachments_warnings_count_the_whole_mail() -> None:
    message = mail()
    message.add_attachment("caf\xe9".encode("latin-1"), "application", "octet-stream", filename="a.txt")
    reader, _ = read(message)
    assert [(warn.code, warn.page) for warn in reader.warnings] == [("charset_guessed", None)]
    assert reader.warnings[0].message.startswith("a.txt: ")


def test_mails_nested_too_deep_become_a_warning() -> None:
    message = mail("core")
    for level in range(4):
        outer = mail(f"level {level}", f"L{level}")
        outer.add_attachment(message)
        message = outer
    reader, pages = read(message, Limits(max_attachment_depth=2))
    assert len(pages) == 3
    assert [warn.code for warn in reader.warnings] == ["attachment_too_deep"]


def test_attachments_beyond_the_limit_become_a_warning() -> None:
    message = mail()
    for index in range(5):
        message.add_attachment("x\n", filename=f"{index}.txt")
    reader, pages = read(message, Limits(max_attachments=3))
    assert [page.part for page in pages] == ["", "0.txt", "1.txt", "2.txt"]
    assert [warn.code for warn in reader.warnings] == ["attachment_too_many_parts"]


def test_a_signature_is_no_attachment() -> None:
    message = mail()
    message.add_attachment(b"\x30\x80\x00", "application", "pkcs7-signature", filename="smime.p7s")
    reader, pages = read(message)
    assert (len(pages), reader.warnings) == (1, [])


def test_encrypted_parts_are_not_taken_for_text() -> None:
    data = (
        b"Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; boundary=b\n\n"
        b"--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\n\nSECRET\n--b--\n"
    )
    reader, pages = read(data)
    assert parts(pages) == [("", ["Subject: x"])]
    assert [warn.code for warn in reader.warnings] == ["attachment_encrypted"]


def test_headers_in_any_encoding_are_read() -> None:
    assert parts(read(b"Subject: =?utf-8?q?caf=C3=A9?=\n\nx")[1])[0][1][0] == "Subject: café"
    assert parts(read("Subject: café\n\nx".encode())[1])[0][1][0] == "Subject: café"
    assert (
        parts(read("Subject: Größe für München\n\nx".encode("cp1252"))[1])[0][1][0]
        == "Subject: Größe für München"
    )


def test_encoded_controls_and_surrogates_do_not_get_through() -> None:
    _, (page,) = read(b"From: =?utf-8?q?a=00b=1Bc?= <x@y.z>\nSubject: =?utf-16?q?=00=D8?=\n\nbo\0dy")
    text = "".join(line.text for line in page.lines)
    assert "\0" not in text and "\x1b" not in text
    text.encode("utf-8")


@pytest.mark.parametrize("charset", ["unicode_escape", "rot13", "x-unknown", "undefined"])
def test_unsafe_charsets_are_not_used(charset: str) -> None:
    data = f"Subject: x\nContent-Type: text/plain; charset={charset}\n\n\\u0041\n"
    assert body_of(data.encode()) == ["\\u0041"]


def test_the_declared_charset_is_used() -> None:
    data = b"Subject: x\nContent-Type: text/plain; charset=koi8-r\n\n" + "Договор".encode("koi8-r")
    assert body_of(data) == ["Договор"]


def test_a_missing_boundary_loses_nothing() -> None:
    reader, pages = read(
        b"Subject: x\nContent-Type: multipart/mixed\n\n--a\nContent-Type: text/plain\n\nbody\n"
    )
    assert "body" in parts(pages)[0][1]
    assert [warn.code for warn in reader.warnings] == ["mail_damaged"]


def test_a_header_that_cannot_be_interpreted_is_shown_as_sent() -> None:
    texts = parts(read(b"From: " + b"(" * 20_000 + b"\nSubject: x\n\nbody")[1])[0][1]
    assert texts[0] == "From: " + "(" * 20_000
    assert texts[1:] == ["Subject: x", "", "body"]


def test_a_huge_header_is_cut_before_it_is_interpreted() -> None:
    texts = parts(read(b"Subject: " + b"=?utf-8?q?a?= " * 30_000 + b"\n\nbody")[1])[0][1]
    assert len(texts[0]) < 70_000
    assert texts[0].endswith("…")
    assert texts[-1] == "body"


def test_a_mail_in_a_mail_may_be_encoded_against_the_standard() -> None:
    import base64

    inner = base64.encodebytes(bytes(mail("inner body", "Inner")))
    data = (
        b"Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nouter\n--b\n"
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n"
        b'Content-Disposition: attachment; filename="inner.eml"\n\n' + inner + b"\n--b--\n"
    )
    _, pages = read(data)
    assert [page.part for page in pages] == ["", "inner.eml"]
    assert parts(pages)[1][1][-1] == "inner body"


def test_too_many_parts_are_refused() -> None:
    data = b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 30 + b"--b--\n"
    with pytest.raises(TooManyPartsError, match="more than 20"):
        open_document(data, "a.eml", Limits(max_parts=20))


def test_parts_nested_too_deep_are_refused() -> None:
    head = b"Subject: x\n"
    for level in range(40):
        head += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level)
    with pytest.raises(TooDeepError):
        open_document(head + b"\ncore\n", "a.eml")


def test_a_plain_part_that_only_points_at_the_html_gives_way_to_it() -> None:
    message = mail("Your mail program cannot show HTML.")
    message.add_alternative("<p>Invoice 17 of Ostmark: EUR 12.00</p>", subtype="html")
    assert body_of(message) == ["Invoice 17 of Ostmark: EUR 12.00"]


def test_a_body_of_rich_text_is_read() -> None:
    data = b"Subject: x\nContent-Type: application/rtf\n\n{\\rtf1\\ansi The price is EUR 12,450.00.}"
    with closing(open_document(data, "a.eml")) as reader:
        read = [line.text for page in reader.pages() for line in page.lines]
        assert (read[-1], reader.warnings) == ("The price is EUR 12,450.00.", [])


def test_an_invitation_is_read_as_its_facts() -> None:
    calendar = (
        "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VTIMEZONE\nDTSTART:19700101T000000\nEND:VTIMEZONE\nBEGIN:VEVENT\n"
        "DTSTART;TZID=Europe/Berlin:20240630T100000\nSUMMARY:Sign\n ing\nLOCATION:Quay 8\\, Rostock\n"
        'ORGANIZER;CN="Weber, Jonas":mailto:jonas@example.org\n'
        "BEGIN:VALARM\nDESCRIPTION:x\nEND:VALARM\nEND:VEVENT\n"
    )
    message = mail("You are invited.")
    message.add_alternative(calendar, subtype="calendar")
    assert body_of(message) == [
        *("You are invited.", "", "Method: REQUEST", "", "Start: 2024-06-30 10:00 (Europe/Berlin)"),
        *("Summary: Signing", "Location: Quay 8, Rostock", "Organizer: Weber, Jonas <jonas@example.org>"),
    ]


def test_a_delivery_report_is_read_as_its_facts() -> None:
    data = (
        b"Subject: x\nContent-Type: multipart/report; boundary=b\n\n--b\n\nNot delivered.\n--b\n"
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        b"Final-Recipient: rfc822; bob@example.org\nAction: failed\n\n--b--\n"
    )
    assert body_of(data) == [
        *("Not delivered.", "", "Reporting-MTA: dns; mx.example"),
        *("", "Final-Recipient: rfc822; bob@example.org", "Action: failed"),
    ]


def test_lines_that_were_only_wrapped_are_joined() -> None:
    data = b"Subject: x\nContent-Type: text/plain; format=flowed; delsp=yes\n\n"
    data += b"EUR 12, \n450.00 to \nMa \nria\n> a \n> b\nBest \n\nAnn\n"
    assert body_of(data) == ["EUR 12,450.00 toMaria", "> ab", "Best", "", "Ann"]


def test_inline_logos_are_no_pages() -> None:
    picture = BytesIO()
    Image.new("RGB", (60, 30)).save(picture, "PNG")
    message = mail("Hello")
    message.add_related(picture.getvalue(), "image", "png", cid="<logo>", filename="logo.png")
    reader, pages = read(message)
    assert (parts(pages), reader.warnings) == ([("", [*HEADERS, "Hello"])], [])


def test_all_who_sent_or_received_it_are_in_the_metadata() -> None:
    reader, _ = read(
        b"From: a@x.org\nSender: b@x.org\nReply-To: c@x.org\nTo: d@x.org\n"
        b"Bcc: e@x.org\nResent-From: f@x.org\n\nHi\n"
    )
    assert reader.metadata == {
        **{"from": "a@x.org", "sender": "b@x.org", "reply-to": "c@x.org"},
        **{"to": "d@x.org", "bcc": "e@x.org", "resent-from": "f@x.org"},
    }


def test_an_attachment_cut_inside_its_encoding_is_read_as_far_as_it_goes() -> None:
    data = (
        b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nbody\n--b\n"
        b"Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n"
        b"Content-Transfer-Encoding: base64\n\nSGVsbG8gd29ybGQuI\n--b--\n"
    )
    reader, pages = read(data)
    assert parts(pages)[1:] == [("a.txt", ["Hello world."])]
    assert [warn.code for warn in reader.warnings] == ["mail_damaged"]


def test_an_attachment_of_too_many_pages_costs_itself_only() -> None:
    message = mail("body")
    message.add_attachment("1\f2\f3\f4", filename="long.txt")
    message.add_attachment("short", filename="short.txt")
    reader, pages = read(message, Limits(max_pages=3))
    assert [part for part, _ in parts(pages)] == ["", "long.txt", "long.txt"]
    assert [warn.code for warn in reader.warnings] == ["attachment_too_many_pages"] * 2


def test_files_that_stand_in_the_text_are_attachments() -> None:
    encoded = b"".join(
        binascii.b2a_uu(b"Annex: the price is EUR 12,450.00.\n"[n : n + 45]) for n in range(0, 36, 45)
    )
    body = b"see below\n\nbegin 644 annex.txt\n" + encoded + b"`\nend\nRegards\nbegin 644 is no file\n"
    reader = open_document(b"From: a@b.example\nSubject: x\n\n" + body, "a.eml")
    pages = [(page.part, [line.text for line in page.lines if line.text]) for page in reader.pages()]
    assert (pages, reader.warnings) == (
        [
            ("", ["From: a@b.example", "Subject: x", "see below", "Regards", "begin 644 is no file"]),
            ("annex.txt", ["Annex: the price is EUR 12,450.00."]),
        ],
        [],
    )


def test_a_header_that_names_another_charset_than_its_own_is_read_as_utf_8() -> None:
    reader = open_document(b"Subject: =?iso-8859-1?Q?F=C3=A4llig?= =?iso-8859-1?Q?_f=FCr?=\n\nx", "a.eml")
    assert reader.metadata["subject"] == "FÃ¤llig für"
    reader = open_document(
        b"Subject: =?iso-8859-1?Q?F=C3=A4llig?=\nFrom: =?iso-8859-1?Q?M=FCller?= <m@a.example>\n\nx", "a.eml"
    )
    assert reader.metadata["subject"] == "Fällig"
    assert reader.metadata["from"] == "Müller <m@a.example>"
