"""E-mail (RFC 5322, MIME), by the standard library: headers, body, then each attachment's own pages.

The `email` package is cheap to attack (a 300 kB Subject of encoded words takes gigabytes), so headers
are cut before it interprets them, and parts are counted while it makes them.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.errors import InvalidBase64LengthDefect, MessageError
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.policy import EmailPolicy
from functools import partial
from typing import Any, TypeVar, cast

from docpipe.errors import (
    CorruptDocumentError,
    PermanentError,
    TooDeepError,
    TooManyPartsError,
)
from docpipe.formats.base import Limits, RawPage, Reader
from docpipe.formats.clean import clean_label, clean_line
from docpipe.formats.cms import signed_content
from docpipe.formats.html import declared_charset, pictures_inside, visible_text
from docpipe.formats.ics import facts
from docpipe.formats.members import Member, Members
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.pictures import is_decoration
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode
from docpipe.formats.uuencoded import without_files
from docpipe.models import Warn

T = TypeVar("T")

_SHOWN_HEADERS = ("From", "To", "Cc", "Bcc", "Date", "Subject")
_KNOWN_HEADERS = (
    *_SHOWN_HEADERS,
    *("Sender", "Reply-To", "Delivered-To", "Return-Path", "Message-ID", "In-Reply-To"),
    *(f"Resent-{name}" for name in ("From", "Sender", "To", "Cc", "Bcc", "Date")),
)
"""Those that say who wrote to whom, and which mail is meant."""
_MAX_HEADER = 65_536
_MAX_MIME_HEADER = 16_384  # every part may have three
_MAX_ADDRESSES = 2_000
_HEADER_ERRORS = (
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    RecursionError,
    MessageError,
)
"""What the email package was seen to raise while it interprets a hostile header."""
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_WORD = re.compile(r"\w+")
_ALONE = {"", "-- "}
"""Lines that go on with none before them: one that parts paragraphs, and the one above a signature."""
_REPORTS = {"message/delivery-status", "message/disposition-notification", "message/feedback-report"}
_SIGNED = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
_SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}


def open_reader(request: ReadRequest) -> Reader:
    """Open a mail; attachments are opened one by one while its pages are read.

    An attachment that cannot be read becomes a warning, `attachment_<code of its error>`.

    Raises:
        TooManyPartsError: more MIME parts than the limit.
        TooDeepError: parts nested deeper than the limit.
    """
    data = request.content().removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    factory = _PartCounter(request)
    try:
        message = BytesParser(policy=_CappedPolicy(message_factory=factory)).parsebytes(data)
    except (ValueError, LookupError, AttributeError, TypeError, AssertionError, MessageError) as error:
        raise CorruptDocumentError(f"{request.name} is a damaged mail ({error}).") from error
    return EmlReader(request, cast(EmailMessage, message))


class EmlReader:
    """An open mail, or one that was forwarded inside another."""

    def __init__(self, request: ReadRequest, message: MIMEPart) -> None:
        self.file_type = request.file_type
        self.warnings: list[Warn] = []
        self._request = request
        headers = {name: text for name in _KNOWN_HEADERS if (text := _header(message, name))}
        self._headers = {name: text for name, text in headers.items() if name in _SHOWN_HEADERS}
        self.metadata = {name.lower(): text for name, text in headers.items()}
        self._contents = _contents(message, request, 0)
        self._members = Members(request, self.warnings, apart=request.apart_from_mail)

    def pages(self) -> Iterator[RawPage]:
        self.warnings.extend(self._contents.warnings)
        lines = [f"{name}: {text}" for name, text in self._headers.items()]
        text = "\n".join([*lines, "", self._contents.text])
        for page in paginate(lines_of(text), self._request.limits.max_page_characters):
            yield self._members.counted(page)
        yield from self._members.pages(self._contents.attachments, self._request.limits.max_attachments)

    def close(self) -> None:
        self._members.close()


@dataclass(slots=True)
class _Contents:
    """What one MIME part holds: its text, and the documents in it."""

    text: str = ""
    attachments: list[Member] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)
    is_html: bool = False
    is_facts: bool = False
    """Whether it is what a program made of it, and no wording of a person."""

    @classmethod
    def joined(cls, parts: list[_Contents], text: str) -> _Contents:
        attachments = [attachment for part in parts for attachment in part.attachments]
        html = any(part.is_html for part in parts)
        return cls(text, attachments, [warn for part in parts for warn in part.warnings], html)


class _CappedPolicy(EmailPolicy):
    """The default policy with headers cut before they are interpreted, and their 8-bit bytes decoded."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        limit = _MAX_MIME_HEADER if name.lower().startswith("content-") else _MAX_HEADER
        if len(value) > limit or value.count(",") > _MAX_ADDRESSES:
            value = ",".join(value[:limit].split(",")[:_MAX_ADDRESSES]) + " …"
        if not value.isascii():
            value = decode(value.encode("utf-8", "surrogateescape")).text
        return name, value


class _PartCounter:
    """Makes the parts of one mail, up to the limit."""

    def __init__(self, request: ReadRequest) -> None:
        self._name = request.name
        self._limits: Limits = request.limits
        self._count = 0

    def __call__(self, policy: Any = None) -> EmailMessage:
        self._count += 1
        if self._count > self._limits.max_parts:
            raise TooManyPartsError(f"{self._name} has more than {self._limits.max_parts:,} parts.")
        return EmailMessage(policy)


def _attempt(ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except _HEADER_ERRORS:
        return otherwise


def _header(message: MIMEPart, name: str) -> str:
    """A header as text on one line, each where it is repeated; as sent where it cannot be interpreted."""
    raw = ", ".join(str(value) for key, value in message.raw_items() if key.lower() == name.lower())
    text = _attempt(lambda: ", ".join(str(value) for value in message.get_all(name, [])), raw)
    return _on_one_line(_as_utf8(text or raw))


def _as_utf8(text: str) -> str:
    """A header whose letters were named Latin-1 and are UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _on_one_line(text: str) -> str:
    return " ".join(clean_line(text).split())


def _contents(part: MIMEPart, request: ReadRequest, depth: int) -> _Contents:
    if depth > request.limits.max_depth:
        raise TooDeepError(
            f"The parts of {request.name} are nested more than {request.limits.max_depth} deep."
        )
    kind = _attempt(part.get_content_type, "text/plain")
    if kind == "multipart/encrypted":
        message = f"A part of {request.name} is encrypted and was not read."
        return _Contents(warnings=[Warn("attachment_encrypted", message)])
    if kind in {"message/rfc822", "message/global", "message/news"} and part.is_multipart():
        return _Contents(attachments=[_forwarded(part, request)])
    if kind in _REPORTS and part.is_multipart():
        return _Contents("\n\n".join(_fields(block) for block in part.iter_parts()))
    if part.is_multipart():
        children = [_contents(child, request, depth + 1) for child in part.iter_parts()]
        return _Contents.joined(children, _joined_text(kind, children))
    if kind in _SIGNED and not _is_attached_file(part):
        return _signed(part, request, depth)
    return _leaf(part, kind, request)


def _joined_text(kind: str, children: list[_Contents]) -> str:
    """All texts; of alternatives the plain one, or the HTML where that says more, and what is neither."""
    if kind == "multipart/alternative":
        plain = next((child.text for child in children if child.text.strip() and not child.is_html), "")
        html = next((child.text for child in children if child.text.strip() and child.is_html), "")
        others = [child.text for child in children if child.is_facts]
        best = html if _says_less(plain, html) else plain
        return "\n\n".join(text for text in [best, *others] if text.strip())
    return "\n\n".join(child.text for child in children if child.text.strip())


def _says_less(plain: str, html: str) -> bool:
    """Whether the plain text lacks a fifth of the words of the HTML, as one that is cut or a notice."""
    words = set(_WORD.findall(html.casefold()))
    return len(words - set(_WORD.findall(plain.casefold()))) > 0.2 * len(words)


def _leaf(part: MIMEPart, kind: str, request: ReadRequest) -> _Contents:
    if kind in _SIGNATURES:
        return _Contents()
    filename = _attempt(part.get_filename, None)
    attached = _attempt(part.get_content_disposition, None) == "attachment"
    data, warnings = _payload(part, request)
    if kind.startswith("multipart/"):  # without a boundary the parser gives one undivided text
        warn = Warn("mail_damaged", f"{request.name} says it has parts but does not divide them.")
        return _Contents(_decoded(data, part, "text/plain"), warnings=[warn])
    if kind == "text/calendar" and not attached:
        return _Contents(facts(decode(data, "utf-8").text), warnings=warnings, is_facts=True)
    if (
        not filename
        and not attached
        and kind.startswith(("text/plain", "text/html", "text/rfc822", "message/"))
    ):
        data, files = without_files(data) if kind == "text/plain" else (data, [])
        members = [_member(request, clean_label(name, "attachment"), content) for name, content in files]
        text = _decoded(data, part, kind)
        if kind == "text/html":
            members = pictures_inside(text, request)
            return _Contents(visible_text(text)[0], members, warnings, is_html=True)
        return _Contents(text, members, warnings)
    if kind.startswith("image/") and part["Content-ID"] and is_decoration(data):
        return _Contents()
    label = clean_label(filename or "", "attachment" + (mimetypes.guess_extension(kind) or ""))
    return _Contents(attachments=[_member(request, label, data)], warnings=warnings)


def _member(request: ReadRequest, label: str, data: bytes) -> Member:
    return Member.of(request, label, label, lambda: data)


def _fields(block: MIMEPart) -> str:
    """The header fields of a report, such as that a mail was not delivered: its facts."""
    values: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for name, value in block.raw_items():
        shown = _attempt(partial(_interpreted, block, name, value), str(value))
        values.setdefault(names.setdefault(name.lower(), name), []).append(shown)
    return "\n".join(f"{name}: {_on_one_line(', '.join(found))}" for name, found in values.items())


def _interpreted(block: MIMEPart, name: str, value: Any) -> str:
    return str(block.policy.header_fetch_parse(name, value))


def _is_attached_file(part: MIMEPart) -> bool:
    """Whether a signed part is a document with a name of its own, not the mail's body."""
    name = (_attempt(part.get_filename, None) or "smime.p7m").lower()
    return name not in {"smime.p7m", "smime.p7", "smime"}


def _signed(part: MIMEPart, request: ReadRequest, depth: int) -> _Contents:
    """The body of a mail that is inside its signature."""
    data, warnings = _payload(part, request)
    try:
        body = signed_content(data, "The mail's body")
    except PermanentError as error:
        message = f"The body of {request.name} was not read: {error.message}"
        return _Contents(warnings=[*warnings, Warn(f"attachment_{error.code}", message)])
    message_in = BytesParser(policy=_CappedPolicy(message_factory=_PartCounter(request))).parsebytes(body)
    return _contents(cast(EmailMessage, message_in), request, depth + 1)


def _payload(part: MIMEPart, request: ReadRequest) -> tuple[bytes, list[Warn]]:
    """The part's bytes; what can be read of them, with a warning, where their transfer encoding is broken."""
    decoded = _attempt(lambda: part.get_payload(decode=True), None)
    raw = str(part.get_payload()).encode("utf-8", "surrogateescape")
    if any(isinstance(defect, InvalidBase64LengthDefect) for defect in part.defects):
        letters = _NOT_BASE64.sub(b"", raw)
        warn = Warn("mail_damaged", f"A part of {request.name} is cut or broken; its end may be missing.")
        return base64.b64decode(letters[: len(letters) // 4 * 4]), [warn]
    return (decoded if isinstance(decoded, bytes) else raw), []


def _decoded(data: bytes, part: MIMEPart, kind: str) -> str:
    """The part's text, unwrapped where its lines flow; the markup of HTML."""
    declared = _attempt(part.get_content_charset, None)
    if kind == "text/html":
        return decode(data, declared or declared_charset(data)).text
    text = decode(data, declared).text
    if _attempt(lambda: str(part.get_param("format", "")), "").lower() != "flowed":
        return text
    return _unflowed(text, _attempt(lambda: str(part.get_param("delsp", "")), "").lower())


def _unflowed(text: str, delete_space: str) -> str:
    """The paragraphs of a text whose lines end in a space where they were only wrapped (RFC 3676)."""
    pieces: list[str] = []
    open_depth = -1
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip(">"))
        content = line[depth:].removeprefix(" ")
        if depth != open_depth or content in _ALONE:
            pieces.append("\n" + ">" * depth + " " * bool(depth))
        flows = content.endswith(" ") and content not in _ALONE
        pieces.append(content[:-1] if flows and delete_space == "yes" else content)
        open_depth = depth if flows else -1
    return "".join(pieces).removeprefix("\n")


def _forwarded(part: MIMEPart, request: ReadRequest) -> Member:
    """A mail inside this one, already parsed; or encoded, against the standard, and not yet parsed."""
    inner = next(part.iter_parts())
    label = clean_label(_attempt(part.get_filename, None) or _header(inner, "Subject"), "message")
    label = label if label.lower().endswith(".eml") else f"{label}.eml"
    encoding = _attempt(lambda: str(part["Content-Transfer-Encoding"] or ""), "").strip().lower()
    if encoding == "base64" and not inner.keys():
        return Member.of(request, label, label, lambda: _from_base64(_payload(inner, request)[0]))
    return Member(
        label, lambda: EmlReader(_inner_request(request, label), inner), label, lambda: _as_sent(inner)
    )


def _inner_request(request: ReadRequest, label: str) -> ReadRequest:
    return replace(request, name=label, limits=request.part_limits())


def _as_sent(message: MIMEPart) -> bytes:
    """The mail's bytes, its headers as they came."""
    try:
        return message.as_bytes(policy=_CappedPolicy(refold_source="none", utf8=True))
    except _HEADER_ERRORS as error:
        raise CorruptDocumentError(f"The forwarded mail is damaged ({error}).") from error


def _from_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data)
    except ValueError as error:
        raise CorruptDocumentError(f"The encoding of the forwarded mail is broken ({error}).") from error
