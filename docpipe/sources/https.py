"""Documents on web servers. Off unless the settings allow it.

Only public addresses: the host is resolved first, every address it has must be a public one, and a
redirect is not followed but refused, so that a server cannot point docpipe into the host's network.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import IO

import httpx

from docpipe.errors import (
    RateLimitedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
)

_BLOCK = 1 << 20


class Https:
    """The `https://` place; it only reads."""

    def open(self, uri: str) -> Iterator[bytes]:
        _check_address(uri)
        try:
            with httpx.stream("GET", uri, timeout=30.0, follow_redirects=False) as response:
                _check_answer(uri, response)
                yield from response.iter_bytes(_BLOCK)
        except httpx.HTTPError as error:
            raise SourceUnavailableError(f"{uri} cannot be read: {type(error).__name__}: {error}.") from error

    def put(self, uri: str, data: IO[bytes]) -> None:  # noqa: ARG002 - the Protocol's signature
        raise SourceForbiddenError(f"{uri}: https:// is for reading only, not for DOCPIPE_UPLOADS.")


def _check_address(uri: str) -> None:
    host = _host(uri)
    try:
        found = socket.getaddrinfo(host, 443, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that no host may have
        raise SourceUnavailableError(f"{uri}: the host {host!r} cannot be resolved: {error}.") from error
    for *_, numbers in found:
        address = ipaddress.ip_address(numbers[0])
        if not address.is_global or address.is_multicast:
            raise SourceForbiddenError(f"{uri}: {host} is not a public address ({address}).")


def _host(uri: str) -> str:
    try:
        host = httpx.URL(uri).host
    except httpx.InvalidURL:
        host = ""
    if not host:
        raise SourceRejectedError(f"{uri} is not an address. Write https://host/path.")
    return host


def _check_answer(uri: str, response: httpx.Response) -> None:
    status = response.status_code
    if response.is_redirect:
        raise SourceForbiddenError(
            f"{uri} redirects to {response.headers.get('location')}. Submit that address."
        )
    if status in {404, 410}:
        raise SourceNotFoundError(f"There is no document at {uri} ({status}).")
    if status in {401, 403}:
        raise SourceForbiddenError(f"{uri} may not be read ({status}).")
    if status == 429:
        raise RateLimitedError(f"{uri}: the server asks for fewer requests (429).")
    if status != 200:
        raise SourceUnavailableError(f"{uri} answers {status}.")
