"""`docpipe show`: a document as one HTML file."""

from __future__ import annotations

import webbrowser
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp

import click

from docpipe.cli.files import writing
from docpipe.cli.terminal import echo
from docpipe.cli.views.document_html import to_html
from docpipe.errors import ConfigurationError, DocpipeError, MissingExtraError
from docpipe.execution.runner import Runtime
from docpipe.models import Ref
from docpipe.models.private_files import make_private_file
from docpipe.pipeline.default import store_pipeline
from docpipe.pipeline.pipeline import Pipeline


@click.command(epilog="Example: docpipe show 6f1c0c9e-… --out contract.html")
@click.argument("document_uuid", metavar="UUID")
@click.option("--out", type=click.Path(path_type=Path), help="The file; standard output if not given.")
@click.option(
    "--open", "opens", is_flag=True, help="Open it in a browser; without --out, from a file of its own."
)
@click.option("--no-images", is_flag=True, help="Text only: the document's bytes are not fetched.")
def show(document_uuid: str, out: Path | None, opens: bool, no_images: bool) -> None:
    """Write one HTML file that shows a document: pages, mentions, entities, relations, timeline."""
    pipeline = store_pipeline()
    document, status = pipeline.get(document_uuid), pipeline.status(document_uuid)
    images = {} if no_images else _images(pipeline, Ref(document_uuid, document.run))
    text = to_html(document, status, images, pipeline.attempts(document_uuid))
    if out is None and opens:
        out = Path(mkdtemp(prefix="docpipe-")) / "document.html"  # its browser may read it later
    if out is None:
        click.echo(text)
    else:
        _write(out, text)
    if out is not None and opens and not webbrowser.open(out.resolve().as_uri()):
        raise ConfigurationError(f"No browser could be started. Open {out} in one, or name one in BROWSER.")


def _write(out: Path, text: str) -> None:
    with writing(out):
        make_private_file(out)
        out.write_text(text, encoding="utf-8")


def _images(pipeline: Pipeline, ref: Ref) -> dict[int, str]:
    """The pages' pictures; none, with the reason, if the bytes cannot be had any more."""
    record = pipeline.store.source(ref)
    try:
        with pipeline.sources.fetch(record.uri, record.digest, record.name) as path:
            return _drawn(pipeline.runtime, path, record.name)
    except ModuleNotFoundError as error:
        echo(f"docpipe: text only: {MissingExtraError.for_module(error.name or 'PIL', 'worker')}", err=True)
    except DocpipeError as error:
        echo(f"docpipe: text only: {error}", err=True)
    return {}


def _drawn(runtime: Runtime, path: Path, name: str) -> dict[int, str]:
    """In the process that reads documents, unless the settings say that this one reads them."""
    options = runtime.tools.options
    if options.isolate:
        return runtime.reader.pictures(path, name)
    module = import_module("docpipe.execution.page_pictures")
    found: dict[int, str] = module.page_pictures(path, name, options, lambda *_: None)
    return found
