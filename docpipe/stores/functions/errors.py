"""SQLSTATE codes as docpipe's errors, wherever they come from."""

from __future__ import annotations

from docpipe.errors import (
    BugError,
    ConfigurationError,
    DocpipeError,
    PermissionDeniedError,
    SchemaError,
    StoreUnavailableError,
)

_UNREADY = frozenset({"42P01", "42703", "42883", "23502"})
_REFUSED_VALUE = frozenset({"22P02", "22003", "22021", "23503"})
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
    if not code or code.startswith(_PASSING) or not code[:1].isdigit():
        return StoreUnavailableError(f"{service} fails ({code}): {message}.")
    return BugError(f"{service} refuses a call ({code}): {message}.")
