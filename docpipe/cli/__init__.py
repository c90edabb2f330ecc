"""The `docpipe` command. Data goes to standard output, progress and messages to standard error.

Exit codes: 0 everything completed, 1 something failed, 2 wrong usage.
"""

from __future__ import annotations

import sys

import click

from docpipe.cli.database import db
from docpipe.cli.doctor import doctor
from docpipe.cli.documents import status, submit
from docpipe.cli.entities import entities
from docpipe.cli.export import export_command
from docpipe.cli.facts import facts
from docpipe.cli.health import health_command
from docpipe.cli.intake import s3, watch
from docpipe.cli.monitor import metrics, monitor
from docpipe.cli.queue import queue
from docpipe.cli.recovery import cancel, delete, quarantine, reap, resume, retry
from docpipe.cli.run import run
from docpipe.cli.show import show
from docpipe.cli.terminal import echo
from docpipe.cli.worker import worker
from docpipe.errors import DocpipeError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="docpipe-celery", prog_name="docpipe")
def cli() -> None:
    """Documents in, text, entities and a graph out."""


for command in (
    *(
        run,
        facts,
        submit,
        status,
        cancel,
        resume,
        retry,
        quarantine,
        reap,
        delete,
        entities,
        export_command,
        show,
    ),
    *(watch, s3, monitor, health_command, metrics, worker, doctor, db, queue),
):
    cli.add_command(command)


def main() -> None:
    """Run the command; every docpipe error ends as one message and exit code 1, never as a traceback."""
    try:
        cli()
    except DocpipeError as error:
        echo(f"docpipe: {error}", err=True)
        sys.exit(1)
