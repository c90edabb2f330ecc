"""A reverse proxy before the Supabase API that fails as it is told, for one document or for all.

with Proxy(api_url) as proxy:
    with proxy.fault(Fault("503", document=uuid, call="docpipe_finish")):
        ...
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_ANSWERS = {
    "500": (500, "text/html", b"<html>internal server error</html>"),
    "503": (503, "application/json", b'{"message": "name resolution failed"}'),
    "429": (429, "application/json", b'{"code": "429", "message": "too many requests"}'),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is answered instead, to requests that name the document (if any), the call and the stage.

    `way`: `500`, `503`, `429`; `silence` (nothing is done, and the connection breaks after a while) or
    `lost answer` (all is done, and the connection breaks).
    """

    way: str
    document: str = ""
    call: str = ""
    stage: str = ""

    def meets(self, path: str, body: bytes) -> bool:
        stage = f'"p_stage":"{self.stage}"'.encode() if self.stage else b""
        named = self.document.encode() in body or self.document in path
        return self.call in path and named and stage in body.replace(b'": "', b'":"')


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes on to `upstream` what no fault meets."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.met: list[Fault] = []
        """The faults that met a request, one entry for each."""
        self._faults: list[Fault] = []
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """The fault, for as long as the block lasts."""
        self.add(fault)
        try:
            yield
        finally:
            self.remove(fault)

    def add(self, fault: Fault) -> None:
        self._faults = [*self._faults, fault]

    def remove(self, fault: Fault) -> None:
        self._faults = [each for each in self._faults if each != fault]

    def meeting(self, path: str, body: bytes) -> Fault | None:
        """The first fault that meets the request."""
        found = next((fault for fault in self._faults if fault.meets(path, body)), None)
        if found:
            self.met.append(found)
        return found

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news: workers are killed all the time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: ClassVar[Proxy]
    _SILENCE_SECONDS = 2.0

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the faults that met a request are in `Proxy.met`."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.proxy.meeting(self.path, body)
        if fault is None:
            return self._pass_on(body, answer=True)
        if fault.way in _ANSWERS:
            status, kind, text = _ANSWERS[fault.way]
            return self._send(status, [("content-type", kind)], text)
        if fault.way == "lost answer":
            self._pass_on(body, answer=False)
        else:
            threading.Event().wait(self._SILENCE_SECONDS)
        self.close_connection = True
        return None

    def _pass_on(self, body: bytes, *, answer: bool) -> None:
        connection = HTTPConnection(self.proxy.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        try:
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, HTTPException):
            self.close_connection = True  # as a gateway that lost its server
            return
        finally:
            connection.close()
        if answer:
            self._send(response.status, response.getheaders(), text)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
