"""`docpipe examples`: documents and programs to try docpipe on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from docpipe.cli.files import packaged, writing
from docpipe.cli.terminal import echo


@click.command(epilog="Example: docpipe examples --write examples")
@click.option(
    "--write", "folder", type=click.Path(file_okay=False, path_type=Path), required=True,
    help="The folder; it is made if it is missing. Files of these names are written anew.",
)  # fmt: skip
def examples(folder: Path) -> None:
    """Write the examples: documents, a stage of your own, loaders, hosts on FastAPI and Django."""
    found = [*_files(packaged("examples"), Path())]
    for place, each in found:
        target = folder / place
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(each.read_bytes())
    echo(f"wrote {len(found)} files; begin with {folder / 'README.md'}")


def _files(folder: Traversable, place: Path) -> Iterator[tuple[Path, Traversable]]:
    """Each file and where it lies in the folder, without what Python has made of it."""
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_file():
            yield place / each.name, each
        elif each.name != "__pycache__":
            yield from _files(each, place / each.name)
