"""`docpipe text`: what a document says, plain or as Markdown."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from docpipe.cli.files import writing
from docpipe.cli.terminal import echo_lines
from docpipe.cli.views.document_markdown import to_markdown
from docpipe.errors import DocumentNotFoundError, SourceNotFoundError
from docpipe.models import Document, is_id
from docpipe.models.private_files import make_private_file
from docpipe.pipeline.default import store_pipeline
from docpipe.pipeline.factory import embedded_pipeline
from docpipe.sources.allowed import Trusted


@click.command("text", epilog="Example: docpipe text scan.pdf --markdown > scan.md")
@click.argument("document", metavar="FILE|UUID")
@click.option("--markdown", is_flag=True, help="With headings, lists and tables, without running titles.")
@click.option("--out", type=click.Path(path_type=Path), help="The file; standard output if not given.")
def text(document: str, markdown: bool, out: Path | None) -> None:
    """Print a document's text.

    A FILE is taken through all stages in this process, as by docpipe run; a UUID is looked up in the store.
    """
    found = _found(document)
    told = to_markdown(found) if markdown else found.text
    if out is None:
        echo_lines(told.rstrip("\n"))
    else:
        with writing(out):
            make_private_file(out)
            out.write_text(told, encoding="utf-8")


def _found(document: str) -> Document:
    if Path(document).exists():
        return embedded_pipeline().process(Trusted(document))
    if is_id(document):
        with suppress(DocumentNotFoundError):
            return store_pipeline().get(document)
    shown = click.format_filename(document)
    raise SourceNotFoundError(f"{shown} is neither a file nor a document. docpipe list shows the documents.")
