"""The values by which entities of documents are joined to entities of their project."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EntityName:
    """What an entity of a document is called, in the form in which documents are compared."""

    index: int
    """The entity in its document."""
    key: str
    """Label and comparable name, `PERSON john smith`: equal keys of a project are one thing."""
    name: str
    label: str
    spellings: str
    """Every spelling in lower case, one a line: what a search looks at."""
    mention_count: int
    blocks: tuple[str, ...]
    """Only names that share a block are compared."""


def own_key(key: str, document_uuid: str) -> str:
    """The key of a name that means another thing in this document than in others."""
    return f"{key} @{document_uuid}"


@dataclass(frozen=True, slots=True)
class EntityLink:
    """A pair of keys (`key_a < key_b`) that name the same thing, says `rule` with `score` 0..1."""

    key_a: str
    key_b: str
    rule: str
    score: float


@dataclass(frozen=True, slots=True)
class EntityDecision:
    """What a person decided about a pair of keys (`key_a < key_b`); equal whoever decided it, and why."""

    key_a: str
    key_b: str
    same: bool
    who: str = field(default="", compare=False)
    why: str = field(default="", compare=False)
    at: datetime | None = field(default=None, compare=False)
    """When it was written; the store sets it."""


@dataclass(frozen=True, slots=True)
class EntityMember:
    """An entity of one document, as the entities of a project are made of it."""

    document_uuid: str
    run: int
    index: int
    key: str
    name: str
    label: str
    spellings: str
    mention_count: int
