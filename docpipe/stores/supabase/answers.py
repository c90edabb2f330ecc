"""Answers that are not PostgREST's but a gateway's, a proxy's or a page's: each is told for what it is."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from docpipe.errors import (
    ConfigurationError,
    DocpipeError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTooLargeError,
    StoreUnavailableError,
)

_CODE = re.compile(r"PGRST\w+|[0-9A-Z]{5}")
_NO_CONTENT = 204


def check(response: httpx.Response) -> None:
    """A hook of the HTTP client: PostgREST's own answers pass, its errors too.

    Raises:
        PermissionDeniedError: a gateway does not know the key.
        RateLimitedError: a gateway asks for fewer requests.
        RequestTooLargeError: a gateway takes no request of this size.
        ConfigurationError: it is no project's address.
        StoreUnavailableError: all else.
    """
    response.read()
    if response.is_success:
        _require_data(response)
    elif not _CODE.fullmatch(str(_told(response).get("code", ""))):
        raise _refusal(response)


def _require_data(response: httpx.Response) -> None:
    if response.status_code == _NO_CONTENT:
        return
    if not response.content:
        raise StoreUnavailableError("Supabase's answer is empty: something between cut it off.")
    if "json" not in response.headers.get("content-type", ""):
        raise _wrong_address(response)


def _refusal(response: httpx.Response) -> DocpipeError:
    status, told = response.status_code, _told(response)
    words = next((str(told[key]) for key in ("message", "msg", "error") if told.get(key)), "")
    said = (words or response.reason_phrase or "no reason is given").rstrip(".")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return PermissionDeniedError(f"Supabase refuses the key: {said} ({status}).")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return RateLimitedError(f"Supabase asks for fewer requests ({status}).")
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        size = len(response.request.content)
        return RequestTooLargeError(
            f"What stands before Supabase takes no request of {size:,} bytes ({status})."
        )
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
        return StoreUnavailableError(f"Supabase fails ({status}): {said}.")
    return _wrong_address(response)


def _wrong_address(response: httpx.Response) -> ConfigurationError:
    kind = response.headers.get("content-type", "").partition(";")[0] or "nothing"
    return ConfigurationError(
        f"SUPABASE_URL ({response.url.host}) is not the address of a project's API: it answers"
        f" {response.status_code} with {kind}. Set it as the project's page shows it: https://….supabase.co."
    )


def _told(response: httpx.Response) -> dict[str, Any]:
    try:
        told = json.loads(response.content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
