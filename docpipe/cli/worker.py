"""`docpipe worker`: Celery's own command with docpipe's app."""

from __future__ import annotations

import os
import sys

import click

from docpipe.execution.plan import BUILT_IN

_ALL = ",".join(stage.queue for stage in BUILT_IN)


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    epilog="Example: docpipe worker -Q ocr -c 4",
)
@click.option("-Q", "--queues", default=_ALL, show_default=True, help="Queues to consume.")
@click.option("-c", "--concurrency", type=click.IntRange(1), help="Processes; the number of cores if unset.")
@click.option("-l", "--loglevel", default="INFO", show_default=True)
@click.pass_context
def worker(context: click.Context, queues: str, concurrency: int | None, loglevel: str) -> None:
    """Start a worker. Further options are Celery's own (`celery worker --help`)."""
    command = [sys.executable, "-m", "celery", "-A", "docpipe.worker", "worker"]
    command += ["-Q", queues, "--loglevel", loglevel, "--without-mingle", "--without-gossip"]
    if concurrency:
        command += ["--concurrency", str(concurrency)]
    os.execv(sys.executable, [*command, *context.args])  # noqa: S606 - the worker takes this process over
