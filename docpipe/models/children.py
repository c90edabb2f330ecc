"""Documents that were found inside another one: the files of an archive, the mails of a mailbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Child:
    """A document inside another, as the other one lists it."""

    name: str
    file_type: str
    size: int
    """Bytes."""
    document_uuid: str | None = None
    """The document that it is; None: it has not been registered yet, or is deleted."""


@dataclass(frozen=True, slots=True)
class NewChild:
    """A document that was taken out of another and is to be registered."""

    name: str
    file_type: str
    size: int
    digest: str
    """SHA-256 of the bytes, hex."""
    uri: str
    """Where docpipe's copy of the bytes rests."""
