"""`docpipe web`: the pages to look at documents and to steer."""

from __future__ import annotations

import ipaddress
from importlib import import_module
from typing import Any

import click

from docpipe.cli.terminal import echo
from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.pipeline.default import default_pipeline
from docpipe.pipeline.settings import read_settings

_TOKEN = "DOCPIPE_WEB_TOKEN"  # noqa: S105 - the name of a variable


@click.command(epilog="Example: docpipe web --port 8090")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--address", default="127.0.0.1", show_default=True, help="0.0.0.0 listens to everyone.")
def web(port: int, address: str) -> None:
    """Serve web pages to look at documents and to steer, until it is stopped.

    Only this machine is answered, unless DOCPIPE_WEB_TOKEN holds a word of 16 or more characters: whoever
    enters it may do everything.
    """
    secret = read_settings().web_token
    token = secret.get_secret_value() if secret else None
    if token is None and not _is_loopback(address):
        raise ConfigurationError(
            f"Set {_TOKEN} to a word of 16 or more characters to listen on {address}: others come in by it."
        )
    app = _module("docpipe.web").app(default_pipeline(), token=token)
    uvicorn = _module("uvicorn")
    echo(f"docpipe: web pages at http://{address}:{port}/", err=True)
    # whoever watches the overview keeps a connection open, and must not hold up the end
    options = {"log_level": "warning", "proxy_headers": False, "timeout_graceful_shutdown": 2}
    uvicorn.run(app, host=address, port=port, **options)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "starlette", "web") from error
