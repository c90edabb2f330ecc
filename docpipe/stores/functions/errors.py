"""SQLSTATE codes as docpipe's errors, wherever they come from."""

from __future__ import annotations

import re

from docpipe.errors import (
    BugError,
    ConfigurationError,
    DocpipeError,
    PermissionDeniedError,
    RefusedByDatabaseError,
    SchemaError,
    StoreUnavailableError,
)

_UNREADY = frozenset({"42P01", "42703", "42883", "23502"})
_REFUSED_VALUE = frozenset({"22P02", "22003", "22021", "23503"})
_RULES = frozenset({"23505", "23514", "23P01", "44000"})
"""Constraints of the project's own; docpipe's rows keep its own."""
_RAISED = re.compile(r"(?!XX|F0|HV)[A-Z][0-9A-Z]{4}")
"""What a trigger raises: P0001, or a code of its own. The rest are faults of the server."""
_PASSING = ("5", "08", "40")
"""Classes of codes: resources, the connection, a rollback."""


def error_of(code: str, message: str, details: str, service: str) -> DocpipeError:
    """What the code means. `service` raised it: "Supabase", "Postgres"."""
    if code in _UNREADY:
        return SchemaError(f"The database is not ready for docpipe: {message}.")
    if code == "42501" or code.startswith("28"):
        return PermissionDeniedError(f"{service} refuses the user: {message}.")
    if code in _REFUSED_VALUE:
        more = f" {details}" if details else ""
        return ConfigurationError(
            f"The database refuses a value: {message}.{more} A project id must be one that"
            " source_documents.project_id takes."
        )
    if code in _RULES or _RAISED.fullmatch(code):
        more = f" {details}" if details else ""
        return RefusedByDatabaseError(f"The database refuses it ({code}): {message}.{more}")
    if code == "25006":
        return StoreUnavailableError(
            f"The database takes no writes: {message}. Supabase does so while a project's disk is full."
        )
    if code == "57014":
        return StoreUnavailableError(
            f"{service} gave a statement up: {message}. It is busy, or the user is given too little:"
            " alter role … set statement_timeout = '60s'."
        )
    if not code or code.startswith(_PASSING) or not code[:1].isdigit():
        return StoreUnavailableError(f"{service} fails ({code}): {message}.")
    return BugError(f"{service} refuses a call ({code}): {message}.")
