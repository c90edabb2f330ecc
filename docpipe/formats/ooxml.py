"""The container of Office documents: a ZIP archive of XML parts, read within limits."""

from __future__ import annotations

import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lxml import etree

from docpipe.errors import (
    CorruptDocumentError,
    EncryptedDocumentError,
    ExpansionLimitError,
    TooDeepError,
    TooManyPartsError,
)
from docpipe.formats.request import ReadRequest
from docpipe.models.closing import closed_on_failure

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    NotImplementedError,
)
"""What zipfile was seen to raise for damaged archives."""
_RATIO_MATTERS_FROM = 10_000_000
_XML_DEPTH_COMPLAINT = "depth"


@dataclass(frozen=True, slots=True)
class Relationship:
    """A link from one part to another; `target` is the other part's name in the archive."""

    kind: str
    target: str


class Package:
    """An open Office container.

    Raises, here and from its methods:
        CorruptDocumentError: not a readable archive, or a part is missing or no XML.
        EncryptedDocumentError: a part is encrypted; with `part_by_part`, all are, or the one that is read.
        ExpansionLimitError: it unpacks to more than the limits; declared sizes are not trusted.
        TooManyPartsError: more members than the limit.
        TooDeepError: XML nested deeper than libxml2 reads.
    """

    def __init__(self, request: ReadRequest, part_by_part: bool = False) -> None:
        self._name = request.name
        self._sealed = all if part_by_part else any
        self._limits = request.limits
        self._unpacked = 0
        self._file = request.stream()
        with closed_on_failure(self._file), self._zip_errors():
            self._archive = zipfile.ZipFile(self._file)
            self._members = {info.filename.lstrip("/"): info for info in self._archive.infolist()}
            self._check_members()

    def close(self) -> None:
        self._archive.close()
        self._file.close()

    def names(self) -> list[str]:
        """The names of all parts, in the order of the archive."""
        return list(self._members)

    def read(self, part: str) -> bytes:
        """The bytes of a part."""
        if part not in self._members:
            raise CorruptDocumentError(f"{self._name} has no part {part!r}.")
        left = self._limits.max_expanded_bytes - self._unpacked
        with self._zip_errors(), self._archive.open(self._members[part]) as member:
            content = member.read(left + 1)
        if len(content) > left:
            raise self._expands_too_much()
        self._unpacked += len(content)
        return content

    def xml(self, part: str) -> etree._Element:
        """The root element of an XML part. Nothing outside the part is ever loaded."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            root = etree.fromstring(self.read(part), parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            if _XML_DEPTH_COMPLAINT in str(error):
                raise TooDeepError(f"The XML of {self._name} ({part}) is nested too deeply.") from error
            raise CorruptDocumentError(f"The XML of {self._name} ({part}) is damaged: {error}.") from error
        doctype: str = root.getroottree().docinfo.doctype  # type: ignore[union-attr]  # missing in lxml-stubs
        if doctype:
            raise CorruptDocumentError(
                f"{part} of {self._name} has a DOCTYPE, which no Office program writes."
            )
        return root

    def relationships(self, part: str) -> dict[str, Relationship]:
        """The links of a part to parts of this package by id; `""` is the package itself."""
        folder, file = posixpath.split(part)
        rels = posixpath.join(folder, "_rels", f"{file}.rels")
        if rels not in self._members:
            return {}
        links = {}
        for link in self.xml(rels).iter("{*}Relationship"):
            if link.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, link.get("Target", "")))
                kind = link.get("Type", "").rpartition("/")[2]
                links[link.get("Id", "")] = Relationship(kind, target.lstrip("/"))
        return links

    def _check_members(self) -> None:
        limits, members = self._limits, self._archive.infolist()
        if len(members) > limits.max_archive_members:
            raise TooManyPartsError(
                f"{self._name} holds {len(members):,} files; the limit is {limits.max_archive_members:,}."
            )
        files = [bool(info.flag_bits & 1) for info in members if not info.is_dir()]
        if files and self._sealed(files):
            raise EncryptedDocumentError(f"{self._name} is an archive protected by a password.")
        declared = sum(info.file_size for info in members)
        packed = max(1, sum(info.compress_size for info in members))
        bomb = declared > _RATIO_MATTERS_FROM and declared / packed > limits.max_expansion_ratio
        if declared > limits.max_expanded_bytes or bomb:
            raise self._expands_too_much()

    def _expands_too_much(self) -> ExpansionLimitError:
        limits = self._limits
        return ExpansionLimitError(
            f"{self._name} unpacks to more than {limits.max_expanded_bytes:,} bytes "
            f"or {limits.max_expansion_ratio} times its size."
        )

    @contextmanager
    def _zip_errors(self) -> Iterator[None]:
        try:
            yield
        except RecursionError:
            raise
        except RuntimeError as error:
            if isinstance(error, NotImplementedError):
                raise CorruptDocumentError(f"{self._name} is packed in an unknown way ({error}).") from error
            raise EncryptedDocumentError(f"{self._name} is an archive protected by a password.") from error
        except _DAMAGE as error:
            raise CorruptDocumentError(f"{self._name} is a damaged archive ({error}).") from error


def local_name(element: etree._Element | None) -> str:
    """The name without namespace; empty for comments and processing instructions.

    Transitional and strict documents differ in namespaces only.
    """
    tag = "" if element is None else element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: etree._Element, name: str) -> str:
    """The value of an attribute in whatever namespace; empty where there is none."""
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return ""


def drawing_text(root: etree._Element) -> Iterator[str]:
    """The words of a chart (titles, then categories and values of each series) or of a diagram."""
    for paragraph in root.iter("{*}p"):
        yield "".join(item.text or "" for item in paragraph.iter("{*}t"))
    for series in root.iter("{*}ser"):
        for name in ("tx", "cat", "xVal", "val", "yVal"):
            values = [
                item.text or "" for part in series.iterchildren(f"{{*}}{name}") for item in part.iter("{*}v")
            ]
            if values:
                yield "\t".join(values)
