"""ZIP archives: each file in them is a member."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath

from docpipe.formats.base import Reader
from docpipe.formats.clean import clean_label, clean_line
from docpipe.formats.members import Member, MembersReader
from docpipe.formats.ooxml import Package
from docpipe.formats.request import ReadRequest

_LEFT_BY_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def open_reader(request: ReadRequest) -> Reader:
    """Open an archive; its files are unpacked one by one while its pages are read.

    Raises:
        CorruptDocumentError, EncryptedDocumentError, ExpansionLimitError, TooManyPartsError: as
            `docpipe.formats.ooxml.Package`.
    """
    package = Package(request, part_by_part=True)
    members = [
        Member.of(request, clean_line(name), clean_label(name, "file"), partial(package.read, name))
        for name in package.names()
        if not _is_litter(name)
    ]
    return MembersReader(request, members, "file", package.close)


def _is_litter(name: str) -> bool:
    """Whether an operating system left it there: folders, previews, settings of a window."""
    path = PurePosixPath(name)
    return name.endswith("/") or path.parts[:1] == ("__MACOSX",) or path.name in _LEFT_BY_SYSTEMS
