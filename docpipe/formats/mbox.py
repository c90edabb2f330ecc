"""Mailbox files (mbox, RFC 4155): each mail is a member."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header

from docpipe.formats.base import Reader
from docpipe.formats.clean import clean_label
from docpipe.formats.members import Member, MembersReader
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode

_START = re.compile(rb"(?:\A|(?<=\n)\r?\n)(?=From [^\r\n]{1,300}\r?\n[!-9;-~]{1,70}:)")
"""A mail starts after a blank line, with a line of the mailbox and then a header."""
_QUOTED_START = re.compile(rb"^>(?=>*From )", re.MULTILINE)
_SUBJECT = re.compile(rb"^subject:[ \t]*([^\r\n]{1,200})", re.MULTILINE | re.IGNORECASE)


def open_reader(request: ReadRequest) -> Reader:
    """Open a mailbox; its mails are opened one by one while its pages are read."""
    mails = enumerate(_mails(request.content()), start=1)
    return MembersReader(request, [_member(request, mail, number) for number, mail in mails], "mail")


def _member(request: ReadRequest, mail: bytes, number: int) -> Member:
    label = _label(mail, number)
    return Member.of(request, label, f"{label}.eml", lambda: mail)


def _mails(data: bytes) -> Iterator[bytes]:
    starts = [found.end() for found in _START.finditer(data)]
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        yield _QUOTED_START.sub(b"", data[start:end].partition(b"\n")[2])


def _label(mail: bytes, number: int) -> str:
    found = _SUBJECT.search(mail[:65_536])
    return f"{number}. {clean_label(_decoded(found[1]) if found else '', 'mail')}"


def _decoded(subject: bytes) -> str:
    text = decode(subject).text
    try:
        return str(make_header(decode_header(text)))
    except (ValueError, LookupError, MessageError):
        return text
