"""The canonical store: Postgres behind PostgREST, through the part of supabase-py that speaks to it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import httpx
from postgrest import CountMethod, SyncPostgrestClient
from postgrest.exceptions import APIError

from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    PermissionDeniedError,
    SchemaError,
    StoreUnavailableError,
)
from docpipe.models.masking import masked
from docpipe.stores import rows
from docpipe.stores.functions.calls import Call, Query, named_by
from docpipe.stores.functions.errors import error_of
from docpipe.stores.functions.store import FunctionStore
from docpipe.stores.supabase import answers

_ADDRESS = re.compile(r"https?://[^\s/?#]+/?")
_SENDABLE = re.compile(r"[!-~]+")
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)

T = TypeVar("T")


class SupabaseStore(FunctionStore):
    """A `Store` in a Supabase project, through its API.

    Args:
        url: the project's address, `https://….supabase.co`.
        key: a secret key (`sb_secret_…`) or the legacy service role key; the public keys cannot write
            without a token.
        token: a JWT of a database role, sent in place of the key where rights are asked for.

    Raises:
        ConfigurationError: the address or the key is none.
    """

    def __init__(self, url: str, key: str, token: str | None = None) -> None:
        if not _ADDRESS.fullmatch(url):
            raise ConfigurationError(
                f"SUPABASE_URL ({masked(url)}) is no address. Set it as the project's page shows it:"
                " https://….supabase.co."
            )
        if not all(map(_SENDABLE.fullmatch, filter(None, (key, token)))) or not key:
            raise ConfigurationError(
                "SUPABASE_SECRET_KEY is empty or holds a blank, a line break or a letter that no key has."
                " Copy it again, in one piece."
            )
        self._url = f"{url.rstrip('/')}/rest/v1"
        self._headers = {"apikey": key, "Authorization": f"Bearer {token or key}"}
        self.fingerprint = named_by(url)
        self._client: SyncPostgrestClient | None = None
        self._http: httpx.Client | None = None
        self._pid = 0
        self._lock = threading.Lock()

    @property
    def client(self) -> SyncPostgrestClient:
        """supabase-py's client of PostgREST, one per process: its connections must not cross a fork."""
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._http = httpx.Client(
                    timeout=_TIMEOUT,
                    limits=httpx.Limits(max_keepalive_connections=4),
                    event_hooks={"response": [answers.check]},
                )
                self._client = SyncPostgrestClient(
                    self._url, headers=self._headers, http_client=self._http, retry_enabled=False
                )
                self._pid = os.getpid()
            return self._client

    def close(self) -> None:
        if self._http is not None and self._pid == os.getpid():
            self._http.close()
        self._client = self._http = None

    def _call(self, call: Call) -> Any:
        function = f"docpipe_{call.function}"
        return _translated(lambda: self.client.rpc(function, dict(call.arguments)).execute().data)

    def _fetch(self, query: Query, start: int, limit: int) -> tuple[list[rows.Row], bool]:
        """The server's cap may be lower than `limit`: it is asked how many rows there are."""
        count = None if limit == 1 else CountMethod.exact
        asked = self.client.from_(query.table).select(query.columns, count=count)
        matched = asked.match(dict(query.match)) if query.match else asked
        ordered = matched.order(query.order) if query.order else matched
        answer = _translated(lambda: _unless_past_the_end(ordered.range(start, start + limit - 1).execute))
        if answer is None:
            return [], False
        found = cast("list[rows.Row]", answer.data)
        return found, bool(found) and start + len(found) < (answer.count or 0)


def _unless_past_the_end(call: Callable[[], T]) -> T | None:
    """Where rows are counted, PostgREST refuses to begin behind the last one."""
    try:
        return call()
    except APIError as error:
        if error.code == "PGRST103":
            return None
        raise


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except APIError as error:
        raise _error_of(error) from error
    except httpx.HTTPError as error:
        raise StoreUnavailableError(f"Supabase does not answer: {type(error).__name__}: {error}.") from error


def _error_of(error: APIError) -> DocpipeError:
    """PostgREST's codes: https://docs.postgrest.org/en/stable/references/errors.html."""
    code, message = str(error.code or ""), error.message or str(error)
    if code == "42501" or code.startswith("PGRST3"):
        return PermissionDeniedError(f"Supabase refuses the key: {message}.")
    if code in {"PGRST202", "PGRST204", "PGRST205"}:
        return SchemaError(f"The database is not ready for docpipe: {message}.")
    return error_of(code, message, error.details or "", "Supabase")
