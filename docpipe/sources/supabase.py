"""Objects in Supabase Storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from urllib.parse import quote

import httpx

from docpipe.errors import (
    DocpipeError,
    DocumentTooLargeError,
    RateLimitedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
)
from docpipe.models.masking import masked
from docpipe.sources.locators import parsed

_BLOCK = 1 << 20
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class SupabaseStorage:
    """The `supabase://bucket/key` place.

    Speaks the storage service's own HTTP, because its client library holds whole objects in memory.
    """

    def __init__(self, url: str, key: str, token: str | None = None) -> None:
        self._objects = f"{url.rstrip('/')}/storage/v1/object"
        self._headers = {"apikey": key, "Authorization": f"Bearer {token or key}"}

    def open(self, uri: str) -> Iterator[bytes]:
        address = self._address(uri)
        with _errors(uri), httpx.stream("GET", address, headers=self._headers, timeout=_TIMEOUT) as answer:
            if answer.status_code != 200:
                answer.read()
                raise _translated(answer, uri)
            yield from answer.iter_bytes(_BLOCK)

    def put(self, uri: str, data: IO[bytes]) -> None:
        headers = self._headers | {"content-type": "application/octet-stream", "x-upsert": "true"}
        with _errors(uri):
            answer = httpx.post(self._address(uri), content=data, headers=headers, timeout=_TIMEOUT)
        if answer.status_code != 200:
            raise _translated(answer, uri)

    def remove(self, uri: str) -> None:
        with _errors(uri):
            answer = httpx.delete(self._address(uri), headers=self._headers, timeout=_TIMEOUT)
        if answer.status_code != 200 and _reason(answer)[0] != 404:
            raise _translated(answer, uri)

    def _address(self, uri: str) -> str:
        """Below the objects of the bucket, whatever the key: no part of it is dots, and each is quoted."""
        locator = parsed(uri)
        if not locator.path:
            raise SourceNotFoundError(f"{masked(uri)} names no object. Write supabase://bucket/key.")
        parts = (locator.place, *locator.segments)
        return "/".join([self._objects, *(quote(part, safe="") for part in parts)])


@contextmanager
def _errors(uri: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise SourceUnavailableError(
            f"Supabase Storage cannot be reached for {masked(uri)}: {type(error).__name__} {error}"
        ) from error


def _translated(answer: httpx.Response, uri: str) -> DocpipeError:
    status, reason = _reason(answer)
    if status == 404:
        return SourceNotFoundError(f"There is no object {masked(uri)} in Supabase Storage ({reason}).")
    if status in {401, 403}:
        return SourceForbiddenError(
            f"{masked(uri)} may not be read or written with this Supabase key ({reason})."
        )
    if status == 413:
        return DocumentTooLargeError(f"{masked(uri)} is larger than Supabase Storage allows ({reason}).")
    if status == 429:
        return RateLimitedError(f"Supabase Storage asks for fewer requests ({reason}).")
    if 400 <= status < 500 and status != 408:
        return SourceRejectedError(f"Supabase Storage refuses {masked(uri)}: {reason}.")
    return SourceUnavailableError(f"Supabase Storage fails on {masked(uri)}: {status} {reason}.")


def _reason(answer: httpx.Response) -> tuple[int, str]:
    """Status and message. The service answers 400 to much, and says in the body what it means."""
    try:
        body = answer.json()
        return int(body["statusCode"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        return answer.status_code, answer.reason_phrase
