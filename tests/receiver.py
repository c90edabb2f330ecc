"""A receiver of webhooks that fails, hangs, hangs up and restarts, and keeps what it has accepted."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

MANNERS = ("accept", "refuse", "hang", "hang up", "accept and hang up")
WEIGHTS = (80, 10, 2, 4, 4)


@dataclass
class Receiver:
    """Listens on one port of this machine, also after a restart.

    Args:
        secret: what messages are signed with.
        seed: decides how each request is met; None: all are accepted.
    """

    secret: str
    seed: int | None = None
    port: int = 0
    accepted: list[dict[str, Any]] = field(default_factory=list)
    """Payloads that were verified, each with its message's id, as they came."""
    met: list[str] = field(default_factory=list)
    _let_go: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        receiver, manners = self, random.Random(self.seed)
        self._let_go.clear()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                how = "accept" if receiver.seed is None else manners.choices(MANNERS, WEIGHTS)[0]
                receiver.met.append(how)
                receiver.meet(self, how)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                """A client that gave up is the point."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def stop(self) -> None:
        assert self._server is not None
        self._let_go.set()
        self._server.shutdown()
        self._server.server_close()

    def meet(self, request: BaseHTTPRequestHandler, how: str) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if how.startswith("accept"):
            found = Webhook(self.secret).verify(body, dict(request.headers))
            self.accepted.append({"id": request.headers["webhook-id"]} | found)
        if how == "hang":
            self._let_go.wait()
        elif how in ("accept", "refuse"):
            with suppress(OSError):
                request.send_response(204 if how == "accept" else 500)
                request.end_headers()
