"""`docpipe monitor` and `docpipe metrics`: numbers for people and for Prometheus."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from importlib import import_module
from threading import Event
from types import ModuleType

import click
from rich.live import Live

from docpipe.cli.console import new_console
from docpipe.cli.terminal import echo
from docpipe.delivery.monitoring.snapshot import Snapshot, look
from docpipe.delivery.monitoring.tables import screen
from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.pipeline.default import default_pipeline


@click.command(epilog="Example: docpipe monitor --once --json")
@click.option("--once", is_flag=True, help="Look once and exit; exit code 1 if anything could not be read.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per look and line.")
@click.option("--every", type=click.FloatRange(0.1), default=2.0, show_default=True, metavar="SECONDS")
@click.option("--hours", type=click.FloatRange(0), default=1.0, show_default=True)
def monitor(once: bool, as_json: bool, every: float, hours: float) -> None:
    """Show queues, stages, documents, what runs, what is stuck and what failed."""
    deployment = default_pipeline().deployment

    def snapshot() -> Snapshot:
        return look(deployment, window_seconds=3600 * hours)

    console = new_console()
    found = snapshot()
    if as_json:
        echo(to_json(found))
        while not once:
            Event().wait(every)
            echo(to_json(snapshot()))
    elif once or not console.is_terminal:
        console.print(screen(found))
    else:
        with Live(screen(found), console=console, screen=True, auto_refresh=False) as live:
            while True:
                Event().wait(every)
                live.update(screen(snapshot()), refresh=True)
    sys.exit(1 if found.problems else 0)


def to_json(snapshot: Snapshot) -> str:
    """The snapshot as one line; what could not be read is null."""
    return json.dumps(asdict(snapshot), ensure_ascii=False, default=str)


def _metrics() -> ModuleType:
    try:
        return import_module("docpipe.delivery.monitoring.metrics")
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "prometheus_client", "metrics") from error


@click.command(epilog="Example: docpipe metrics --port 9108")
@click.option("--port", type=click.IntRange(0, 65535), default=9108, show_default=True)
@click.option("--address", default="127.0.0.1", show_default=True, help="0.0.0.0 listens to everyone.")
def metrics(port: int, address: str) -> None:
    """Serve the monitor's numbers to Prometheus at /metrics, until it is stopped."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        with _metrics().serve(default_pipeline().deployment, port, address):
            echo(f"docpipe: metrics at http://{address}:{port}/metrics", err=True)
            stop.wait()
    except OSError as error:
        raise ConfigurationError(f"Port {port} of {address} cannot be used: {error.strerror}.") from error
