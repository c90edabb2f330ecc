"""What commands print: everything from outside is made visible here, so that no name moves the cursor."""

from __future__ import annotations

import click

from docpipe.models.visible import visible, visible_lines


def echo(text: str, *, mark: str = "", err: bool = False) -> None:
    """Print one line; JSON means the same afterwards.

    Args:
        mark: a styled word of docpipe's own to put before it.
        err: to standard error.
    """
    click.echo(mark + visible(text), err=err)


def echo_lines(text: str) -> None:
    """Print what docpipe wrote on several lines, such as SQL."""
    click.echo(visible_lines(text))
