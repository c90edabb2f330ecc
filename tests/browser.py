"""A page in headless Chromium, driven over the DevTools protocol: what a user does with a mouse."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.workers import HANG_SECONDS

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--window-size=1400,900",
)

_LISTENING = "DevTools listening on ws://"


class Tab:
    """One open page."""

    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self._number = 0
        self._events: list[str] = []

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command of the protocol, and wait for its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while (answer := self._next()).get("id") != self._number:
            self._events.append(answer["method"])
        assert "error" not in answer, answer
        return answer["result"]

    def load(self, address: str) -> None:
        """Go to an address, and wait until its script has run."""
        self.call("Page.enable")
        self._events.clear()
        self.call("Page.navigate", url=address)
        self._wait_until_loaded()

    def follow(self, selector: str) -> None:
        """Click on a link or button, and wait for the page behind it."""
        self._events.clear()
        self.value(f"document.querySelector({json.dumps(selector)}).click()")
        self._wait_until_loaded()

    def _wait_until_loaded(self) -> None:
        while "Page.loadEventFired" not in self._events:
            self._events.append(self._next()["method"])

    def _next(self) -> Any:
        return json.loads(self._socket.recv(timeout=HANG_SECONDS))

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited where it is a promise."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def middle(self, selector: str) -> tuple[float, float]:
        """The middle of the first element that the selector finds, in the window."""
        box = self.value(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        return float(box[0]), float(box[1])

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, selector: str) -> None:
        """Press and let go the left button over the element; the page has answered when this returns."""
        self.drag(self.middle(selector), (0, 0))
        self.value("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def drag(self, start: tuple[float, float], way: tuple[float, float]) -> None:
        x, y = start
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        if way != (0, 0):
            x, y = x + way[0], y + way[1]
            self.mouse("mouseMoved", x, y, button="left", buttons=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def opened(browser: str, file: Path) -> Iterator[Tab]:
    """The file in a browser of its own, loaded, its script run."""
    command = [browser, *_FLAGS, f"--user-data-dir={file.parent / 'driven'}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = (line for line in process.stderr if _LISTENING in line)
        try:
            host = next(lines).split("ws://")[1].split("/")[0]
            with connect(_page(host), max_size=None) as socket:
                tab = Tab(socket)
                tab.load(file.as_uri())
                yield tab
        finally:
            process.kill()
            process.stderr.close()


def _page(host: str) -> str:
    """The socket of the one tab."""
    with urlopen(f"http://{host}/json/list", timeout=HANG_SECONDS) as answer:
        tabs = json.load(answer)
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
