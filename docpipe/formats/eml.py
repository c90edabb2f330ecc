"""E-mail (RFC 5322, MIME), by the standard library: headers, body, then each attachment's own pages.

The `email` package is cheap to attack (a 300 kB Subject of encoded words takes gigabytes), so headers
are cut before it interprets them, and parts are counted while it makes them.
"""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.errors import MessageError
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.policy import EmailPolicy
from functools import partial
from typing import Any, TypeVar, cast

from docpipe.errors import (
    CorruptDocumentError,
    MemoryExhaustedError,
    PermanentError,
    TooDeepError,
    TooManyPartsError,
)
from docpipe.formats.base import Limits, RawPage, Reader
from docpipe.formats.clean import clean_label, clean_line
from docpipe.formats.html import declared_charset, visible_text
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode
from docpipe.models import Warn

T = TypeVar("T")

_SHOWN_HEADERS = ("From", "To", "Cc", "Date", "Subject")
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
        self._headers = {name: text for name in _SHOWN_HEADERS if (text := _header(message, name))}
        self.metadata = {name.lower(): text for name, text in self._headers.items()}
        self._contents = _contents(message, request, 0)
        self._children: list[Reader] = []
        self._count = 0

    def pages(self) -> Iterator[RawPage]:
        self.warnings.extend(self._contents.warnings)
        lines = [f"{name}: {text}" for name, text in self._headers.items()]
        text = "\n".join([*lines, "", self._contents.text])
        for page in paginate(lines_of(text), self._request.limits.max_page_characters):
            self._count += 1
            yield page
        for label, attachment in self._labelled():
            yield from self._attachment_pages(label, attachment)

    def close(self) -> None:
        for child in self._children:
            child.close()

    def _labelled(self) -> Iterator[tuple[str, _Attachment]]:
        """Attachments with labels that differ; those beyond the limit become a warning."""
        limit = self._request.limits.max_attachments
        seen: dict[str, int] = {}
        for attachment in self._contents.attachments[:limit]:
            seen[attachment.label] = seen.get(attachment.label, 0) + 1
            repeat = seen[attachment.label]
            yield (attachment.label if repeat == 1 else f"{attachment.label} ({repeat})"), attachment
        if (left := len(self._contents.attachments) - limit) > 0:
            message = f"{left} attachment(s) beyond the limit of {limit} were not read."
            self.warnings.append(Warn("attachment_too_many_parts", message))

    def _attachment_pages(self, label: str, attachment: _Attachment) -> Iterator[RawPage]:
        before = self._count
        try:
            child = attachment.open()
            self._children.append(child)
            for page in child.pages():
                self._count += 1
                yield replace(page, part=f"{label}/{page.part}" if page.part else label)
        except (PermanentError, MemoryExhaustedError) as error:
            message = f"The attachment {label} was not read: {error.message}"
            self.warnings.append(Warn(f"attachment_{error.code}", message))
        else:
            self.warnings.extend(_moved(warn, label, before) for warn in child.warnings)


@dataclass(frozen=True, slots=True)
class _Attachment:
    label: str
    open: Callable[[], Reader]


@dataclass(slots=True)
class _Contents:
    """What one MIME part holds: its text, and the documents in it."""

    text: str = ""
    attachments: list[_Attachment] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)

    @classmethod
    def joined(cls, parts: list[_Contents], text: str) -> _Contents:
        attachments = [attachment for part in parts for attachment in part.attachments]
        return cls(text, attachments, [warn for part in parts for warn in part.warnings])


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
    """A header as text on one line; as it was sent where it cannot be interpreted."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    text = _attempt(lambda: str(message[name] or ""), raw)
    return " ".join(clean_line(text or raw).split())


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
    if part.is_multipart():
        children = [_contents(child, request, depth + 1) for child in part.iter_parts()]
        return _Contents.joined(children, _joined_text(kind, children))
    return _leaf(part, kind, request)


def _joined_text(kind: str, children: list[_Contents]) -> str:
    """All texts; of alternatives the first that says anything, for the plainest comes first."""
    texts = [child.text for child in children if child.text.strip()]
    return texts[0] if kind == "multipart/alternative" and texts else "\n\n".join(texts)


def _leaf(part: MIMEPart, kind: str, request: ReadRequest) -> _Contents:
    if kind in _SIGNATURES:
        return _Contents()
    filename = _attempt(part.get_filename, None)
    attached = _attempt(part.get_content_disposition, None) == "attachment"
    data = _payload(part)
    if kind.startswith("multipart/"):  # without a boundary the parser gives one undivided text
        warn = Warn("mail_damaged", f"{request.name} says it has parts but does not divide them.")
        return _Contents(_text(data, part, "text/plain"), warnings=[warn])
    if not filename and not attached and kind.startswith(("text/plain", "text/html", "message/")):
        return _Contents(_text(data, part, kind))
    label = clean_label(filename or "", "attachment" + (mimetypes.guess_extension(kind) or ""))
    return _Contents(attachments=[_Attachment(label, partial(request.open_part, data, label))])


def _payload(part: MIMEPart) -> bytes:
    """The part's bytes; as they were sent where their transfer encoding is broken."""
    decoded = _attempt(lambda: part.get_payload(decode=True), None)
    if isinstance(decoded, bytes):
        return decoded
    return str(part.get_payload()).encode("utf-8", "surrogateescape")


def _text(data: bytes, part: MIMEPart, kind: str) -> str:
    declared = _attempt(part.get_content_charset, None)
    if kind != "text/html":
        return decode(data, declared).text
    return visible_text(decode(data, declared or declared_charset(data)).text)[0]


def _forwarded(part: MIMEPart, request: ReadRequest) -> _Attachment:
    """A mail inside this one, already parsed; or encoded, against the standard, and not yet parsed."""
    inner = next(part.iter_parts())
    label = clean_label(_attempt(part.get_filename, None) or _header(inner, "Subject"), "message")
    label = label if label.lower().endswith(".eml") else f"{label}.eml"
    encoding = _attempt(lambda: str(part["Content-Transfer-Encoding"] or ""), "").strip().lower()
    if encoding == "base64" and not inner.keys():
        return _Attachment(label, lambda: request.open_part(_from_base64(_payload(inner)), label))
    return _Attachment(label, lambda: EmlReader(_inner_request(request, label), inner))


def _inner_request(request: ReadRequest, label: str) -> ReadRequest:
    return replace(request, name=label, limits=request.part_limits())


def _from_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data)
    except ValueError as error:
        raise CorruptDocumentError(f"The encoding of the forwarded mail is broken ({error}).") from error


def _moved(warn: Warn, label: str, pages_before: int) -> Warn:
    page = None if warn.page is None else warn.page + pages_before
    return Warn(warn.code, f"{label}: {warn.message}", page)
