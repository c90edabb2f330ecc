"""Objects in Supabase Storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import httpx
from storage3.exceptions import StorageApiError
from supabase import ClientOptions, create_client

from docpipe.errors import DocpipeError, SourceForbiddenError, SourceNotFoundError, SourceUnavailableError

_BLOCK = 1 << 20


class SupabaseStorage:
    """The `supabase://bucket/key` place."""

    def __init__(self, url: str, key: str) -> None:
        options = ClientOptions(auto_refresh_token=False, persist_session=False)
        self._storage = create_client(url, key, options).storage

    def open(self, uri: str) -> Iterator[bytes]:
        bucket, key = _split(uri)
        try:
            data = self._storage.from_(bucket).download(key)
        except (StorageApiError, httpx.HTTPError) as error:
            raise _translated(error, uri) from error
        for start in range(0, len(data), _BLOCK):
            yield data[start : start + _BLOCK]

    def put(self, uri: str, data: IO[bytes]) -> None:
        bucket, key = _split(uri)
        options = {"content-type": "application/octet-stream", "upsert": "true"}
        try:
            self._storage.from_(bucket).upload(key, data.read(), options)  # type: ignore[arg-type]
        except (StorageApiError, httpx.HTTPError) as error:
            raise _translated(error, uri) from error


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def _translated(error: StorageApiError | httpx.HTTPError, uri: str) -> DocpipeError:
    status = str(error.status) if isinstance(error, StorageApiError) else ""
    if status in {"404", "400"}:
        return SourceNotFoundError(f"There is no object {uri} in Supabase Storage: {error}.")
    if status in {"401", "403"}:
        return SourceForbiddenError(f"{uri} may not be read or written with this Supabase key.")
    return SourceUnavailableError(f"Supabase Storage fails on {uri}: {error}.")
