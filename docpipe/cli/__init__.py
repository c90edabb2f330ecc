"""The `docpipe` command. Data goes to standard output, progress and messages to standard error.

Exit codes: 0 everything completed, 1 something failed, 2 wrong usage.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib import import_module
from types import ModuleType

import click

from docpipe import __version__
from docpipe.cli.usage import SafeGroup, show_crash
from docpipe.errors import DocpipeError, MissingExtraError
from docpipe.execution.isolation.child import GC_OBJECTS

COMMANDS = {
    "run": ("run:run", "Take documents through all stages in this process, without services."),
    "submit": ("submit:submit", "Submit paths and locators to the workers."),
    "batch": ("batch:batch", "Show how far the documents of a batch are, and which failed."),
    "wait": ("listing:wait", "Wait until documents are final, and say how each ended."),
    "list": ("listing:list_documents", "List documents by status and project."),
    "status": ("documents:status", "Show where one document stands, or list the newest ones."),
    "show": ("show:show", "Write one HTML file that shows a document."),
    "text": ("text:text", "Print a document's text, plain or as Markdown."),
    "facts": ("facts:facts", "Show what kind of document it is, and its parties, dates and amounts."),
    "entities": ("entities:entities", "The people, organisations and places of a project's documents."),
    "search": ("search:search", "Search the text of completed documents."),
    "export": ("export:export_command", "Write the graph of a document or a project for other tools."),
    "cancel": ("recovery:cancel", "Stop documents: waiting ones now, running ones at their next page."),
    "resume": ("recovery:resume", "Let failed or cancelled documents, or what is paused, go on."),
    "pause": ("recovery:pause", "Let no work begin at a stage, a project, or anything."),
    "limits": ("limits:limits", "Show or limit how many documents are in flight, and weigh projects."),
    "retry": ("recovery:retry", "Retry all documents that match."),
    "quarantine": ("recovery:quarantine", "Documents that were started too often and never ended."),
    "reap": ("recovery:reap", "Resume documents that lost their worker or message."),
    "delete": ("recovery:delete", "Remove documents with all that was made of them."),
    "watch": ("intake:watch", "Submit the files of a folder: those that are there and those that come."),
    "s3": ("intake:s3", "Submit objects of S3."),
    "monitor": ("monitor:monitor", "Show queues, stages, documents, what runs, is stuck and failed."),
    "health": ("health:health_command", "Check that documents get through."),
    "metrics": ("monitor:metrics", "Serve the monitor's numbers to Prometheus."),
    "webhooks": ("webhooks:webhooks", "Tell other systems when documents end."),
    "web": ("web:web", "Serve web pages to look at documents and to steer."),
    "worker": ("worker:worker", "Start a worker."),
    "doctor": ("doctor:doctor", "Check settings, Redis, store and consumers."),
    "examples": ("examples:examples", "Write documents and programs to try docpipe on."),
    "deploy": ("deploy:deploy", "Write files for systemd, Prometheus or Grafana."),
    "db": ("database:db", "The SQL that docpipe needs in your database."),
    "queue": ("queue:queue", "An older queue in a database table."),
}
"""Name to (module of this package and its command, what the list of commands says of it)."""

_WITHOUT_STORE = frozenset({"db"})
"""It connects to SUPABASE_DB_URL, and to nothing else."""


def _with_store(command: click.Command, name: str) -> click.Command:
    from docpipe.cli.options import with_store  # noqa: PLC0415 - see `_Commands`

    return with_store(command, name)


def _imported(module: str) -> ModuleType:
    try:
        return import_module(f"docpipe.cli.{module}")
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "rich":
            raise MissingExtraError.for_module("rich", "cli") from error
        raise


class _Commands(SafeGroup):
    """Imports a command when it is called: `docpipe --version` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(_imported(module), name)
        return command if cmd_name in _WITHOUT_STORE else _with_store(command, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="docpipe")
def cli() -> None:
    """Documents in, text, entities and a graph out."""
    if any(name.startswith("DOCPIPE_") for name in os.environ):
        from docpipe.cli.terminal import echo  # noqa: PLC0415 - see `_Commands`
        from docpipe.pipeline.settings import misspelt  # noqa: PLC0415

        for told in misspelt(os.environ):
            echo(f"docpipe: warning: {told}", err=True)


def main() -> None:
    """Run the command; every docpipe error ends as one message and exit code 1, never as a traceback."""
    sys.excepthook = show_crash
    gc.set_threshold(GC_OBJECTS)
    atexit.register(gc.freeze)  # what models and libraries hold is not looked through before the process ends
    try:
        cli()
    except DocpipeError as error:
        from docpipe.cli.terminal import echo  # noqa: PLC0415 - see `_Commands`

        echo(f"docpipe: {error}", err=True)
        sys.exit(1)
