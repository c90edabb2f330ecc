"""Documents on web servers. Only those of hosts that the settings name.

Only public addresses, on port 443: a host is resolved once, every address it has must be a public one, and
the connection goes to an address that was checked. So it is at each redirect.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from docpipe.errors import (
    DocumentTooLargeError,
    RateLimitedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRejectedError,
    SourceUnavailableError,
)
from docpipe.models.masking import masked
from docpipe.sources.addresses import Address, is_public
from docpipe.sources.checked_network import CheckedNetwork, Resolve, resolve
from docpipe.sources.locators import Locator, parsed

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TIMEOUTS = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 10.0}
_HEADERS: list[tuple[bytes | str, bytes | str]] = [
    ("User-Agent", "docpipe"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "identity"),  # unpacking is a way to attack, and documents are packed already
]


class Https:
    """The `https://` place; it only reads.

    Proxies and passwords of the environment are not used: they would lead into the host's network, too.

    Args:
        max_bytes: a document that says it is larger is not begun.
        max_seconds: for one document, with all its redirects.
        resolve: finds a host's addresses.
        allowed: says whether an address may be connected to.
        context: whose certificates are believed; the usual authorities if not given.
        permitted: says whether a redirect may lead to a place.
        port: the only one that is connected to.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 200_000_000,
        max_seconds: float = 300.0,
        resolve: Resolve = resolve,
        allowed: Callable[[Address], bool] = is_public,
        context: ssl.SSLContext | None = None,
        permitted: Callable[[Locator], bool] = lambda _: True,
        port: int = 443,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._resolve = resolve
        self._allowed = allowed
        self._context = context or httpx.create_ssl_context()
        self._permitted = permitted
        self._port = port

    def open(self, uri: str) -> Iterator[bytes]:
        """The bytes at `uri`, or where it redirects to; see `Place`.

        Raises, beside what every place does:
            SourceRejectedError: no address, too many redirects, or an answer of another kind.
            DocumentTooLargeError: by what the server says of its size.
        """
        network = CheckedNetwork(self._resolve, self._allowed, time.monotonic() + self._max_seconds)
        target, shown = parsed(uri), masked(uri)
        for _ in range(_MAX_REDIRECTS + 1):
            with self._answer(network, target) as answer:
                if answer.status not in _REDIRECTS:
                    self._check(shown, answer)
                    yield from answer.iter_stream()
                    return
                target = self._redirected(target, _header(answer, "location"))
        raise SourceRejectedError(f"{shown} redirects more than {_MAX_REDIRECTS} times.")

    def _redirected(self, source: Locator, location: str) -> Locator:
        text = urljoin(str(source), location)
        shown = masked(text)
        if urlsplit(text).scheme != "https":
            raise SourceForbiddenError(f"{shown} is not read: only https:// is, also after a redirect.")
        target = parsed(text)
        if not self._permitted(target):
            raise SourceForbiddenError(
                f"{masked(str(source))} redirects to {shown}, which is not among the places that may be read."
                f" Name https://{target.place} in DOCPIPE_SOURCES or Sources(allow=[…])."
            )
        return target

    def put(self, uri: str, data: IO[bytes]) -> None:  # noqa: ARG002 - the Protocol's signature
        raise SourceForbiddenError(f"{masked(uri)}: https:// is for reading only, not for DOCPIPE_UPLOADS.")

    def remove(self, uri: str) -> None:
        raise SourceForbiddenError(f"{masked(uri)}: https:// is for reading only, not for DOCPIPE_UPLOADS.")

    @contextmanager
    def _answer(self, network: CheckedNetwork, target: Locator) -> Iterator[httpcore.Response]:
        url, shown = _url(target), masked(str(target))
        plain = httpcore.URL(scheme=b"https", host=url.raw_host, port=self._port, target=url.raw_path)
        headers = [("Host", url.netloc), *_HEADERS]
        pool = httpcore.ConnectionPool(ssl_context=self._context, network_backend=network)
        try:
            with (
                pool,
                pool.stream("GET", plain, headers=headers, extensions={"timeout": _TIMEOUTS}) as answer,
            ):
                yield answer
        except httpcore.ConnectError as error:
            raise SourceUnavailableError(f"{shown} cannot be reached: {error}.") from error
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise SourceUnavailableError(f"{shown} cannot be read: {type(error).__name__} {error}") from error

    def _check(self, uri: str, answer: httpcore.Response) -> None:
        _check_status(uri, answer.status)
        if (coding := _header(answer, "content-encoding")) not in {"", "identity"}:
            raise SourceRejectedError(
                f"{uri} is sent compressed ({coding}), although no compression was requested."
            )
        length = _header(answer, "content-length")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise DocumentTooLargeError(f"{uri} is larger than {self._max_bytes:,} bytes.")


def _url(target: Locator) -> httpx.URL:
    try:
        return httpx.URL(str(target))
    except httpx.InvalidURL as error:  # 0177.0.0.1: a number that programs read in different ways
        raise SourceForbiddenError(f"{masked(str(target))} is not a public address: {error}.") from error


def _header(answer: httpcore.Response, name: str) -> str:
    found = (value for key, value in answer.headers if key.lower() == name.encode())
    return next(found, b"").decode("latin-1").strip()


def _check_status(uri: str, status: int) -> None:
    if status in {404, 410}:
        raise SourceNotFoundError(f"There is no document at {uri} ({status}).")
    if status in {401, 403}:
        raise SourceForbiddenError(f"{uri} may not be read ({status}).")
    if status == 429:
        raise RateLimitedError(f"{uri}: the server asks for fewer requests (429).")
    if status != 200:
        raise SourceUnavailableError(f"{uri} answers {status}.")
