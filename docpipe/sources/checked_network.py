"""Connections to addresses that were checked, and to no other, all in a limited time.

A host is resolved once, and the connection goes to an address that was looked at: a name that leads elsewhere
a moment later leads nobody astray.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from docpipe.errors import SourceForbiddenError, SourceUnavailableError
from docpipe.sources.addresses import Address

Resolve = Callable[[str, int], list[Address]]


def resolve(host: str, port: int) -> list[Address]:
    """All addresses of a host, as the system finds them. Raises `OSError`."""
    try:
        found = socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)
    except UnicodeError as error:  # a label that no host may have
        raise OSError(str(error)) from error
    return [ipaddress.ip_address(numbers[0]) for *_, numbers in found]


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and to no other; all in a limited time."""

    def __init__(self, resolve: Resolve, allowed: Callable[[Address], bool], deadline: float) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._deadline = deadline
        self._tcp = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("it has no address")
        for address in self._checked(host, port):
            try:
                stream = self._tcp.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _HurriedStream(stream, self._deadline)
        raise failure

    def _checked(self, host: str, port: int) -> list[Address]:
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            raise SourceUnavailableError(f"The host {host!r} cannot be resolved: {error}.") from error
        for address in addresses:
            if not self._allowed(address):
                raise SourceForbiddenError(f"{host} is not a public address ({address}).")
        return addresses


class _HurriedStream(httpcore.NetworkStream):
    """A stream that ends at its deadline, however slowly the bytes trickle in.

    `start_tls` raises `SourceForbiddenError` when the server's certificate is not its own.
    """

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, self._left(timeout))
        except httpcore.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                message = f"The server cannot prove that it is {server_hostname}: {error}."
                raise SourceForbiddenError(message) from error
            raise
        return _HurriedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def _left(self, timeout: float | None) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("it takes too long")
        return left if timeout is None else min(left, timeout)
