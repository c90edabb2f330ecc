"""What travels to the database: calls of functions, queries of tables, and how values are written in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from docpipe.models import Failure, Ref
from docpipe.stores.documents import order_of
from docpipe.stores.ledger_terms import Claimant


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `docpipe_<function>`. Arguments are scalars; what is larger travels as JSON in a text."""

    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of a table.

    Args:
        columns: names with commas between them, or `*`.
        match: what the columns are equal to.
        order: the column to sort by; None: one row is asked for.
        at_once: rows of one answer; 1000 is PostgREST's usual cap.
    """

    table: str
    columns: str = "*"
    match: Mapping[str, Any] = field(default_factory=dict)
    order: str | None = None
    at_once: int = 1000


def named_by(api: str) -> str:
    """The fingerprint of the store behind the API at this address."""
    return f"supabase:{urlsplit(api).netloc}"


def keys(ref: Ref) -> dict[str, Any]:
    """The run, as the functions take it."""
    return {"p_document": ref.document_uuid, "p_run": ref.run}


def match(ref: Ref) -> dict[str, Any]:
    """The run, as the tables hold it."""
    return {"document_uuid": ref.document_uuid, "run": ref.run}


def rows_of(part: str, ref: Ref) -> Query:
    """The rows of a part of the document, in order."""
    return Query(f"docpipe_{part}", "*", match(ref), order_of(part))


def asked_by(claimant: Claimant) -> dict[str, Any]:
    """Who claims, as the functions take it."""
    return {f"p_{name}": value for name, value in asdict(claimant).items()}


def failure_json(failure: Failure) -> str:
    return json.dumps(
        {
            "code": failure.code,
            "error_class": failure.error_class,
            "message": failure.message,
            "traceback": failure.traceback,
        }
    )
