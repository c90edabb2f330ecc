"""The files that arguments name: files, folders and shell patterns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

import click

from docpipe.pipeline.intake.choose import Choice


def chosen_files(arguments: Sequence[str], *, recursive: bool) -> list[str]:
    """Each file once, in the order of the arguments, those of a folder by name.

    A folder stands for the documents in it, with `recursive` for those below it too. What is no file is left
    as it is: that it is missing is said where it is read.

    Raises:
        click.UsageError: a folder or pattern holds no document.
    """
    found = [each for argument in arguments for each in _files(argument, recursive)]
    return list(dict.fromkeys(found))


def _files(argument: str, recursive: bool) -> list[str]:
    shown = click.format_filename(argument)
    if Path(argument).is_dir():
        if files := sorted(_in_folder(Path(argument), recursive)):
            return files
        more = "" if recursive else " Give --recursive to look into the folders below it."
        raise click.UsageError(f"{shown} holds no file that docpipe reads.{more}")
    if has_magic(argument) and not Path(argument).exists():
        found = glob(argument, recursive=True)  # noqa: PTH207 - the pattern may be absolute
        return sorted(each for each in found if Path(each).is_file()) or [argument]
    return [argument]


def _in_folder(folder: Path, recursive: bool) -> Iterator[str]:
    choice = Choice()
    for here, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if recursive and choice.enters(each)]
        yield from (str(Path(here) / name) for name in names if choice.takes(name))
