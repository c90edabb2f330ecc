"""Readers that other packages bring, by the entry points of the group `docpipe.readers`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from docpipe.errors import ConfigurationError
from docpipe.formats.base import Reader
from docpipe.formats.request import ReadRequest

GROUP = "docpipe.readers"


@runtime_checkable
class ReaderPlugin(Protocol):
    """A reader of one more format: an object or a module that an entry point of `docpipe.readers` names.

    It is asked before docpipe's own readers, so it may also take over a format that docpipe reads.
    """

    file_type: str
    """The MIME type that documents of the format are recorded with."""

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether a document is of the format: by its first 64 KiB at most, and its file name."""
        ...

    def open_reader(self, request: ReadRequest) -> Reader:
        """Open a document; pages are read later, one by one.

        Raises:
            PermanentError: it cannot be read (`CorruptDocumentError`, `EncryptedDocumentError`, …).
        """
        ...


@cache
def installed() -> Mapping[str, ReaderPlugin]:
    """Those of this Python's packages, by the names of their entry points and in their order.

    Raises:
        ConfigurationError: one cannot be loaded, or lacks a part of `ReaderPlugin`.
    """
    found = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        try:
            plugin = entry.load()
        except (ImportError, AttributeError) as error:
            message = f"The reader {entry.name} ({entry.value}) cannot be loaded: {error}."
            raise ConfigurationError(f"{message} Install what it needs, or remove its package.") from error
        if not isinstance(plugin, ReaderPlugin):
            message = f"The reader {entry.name} ({entry.value}) lacks file_type, sniff or open_reader."
            raise ConfigurationError(f"{message} Update its package, or remove it.")
        found[entry.name] = plugin
    return MappingProxyType(found)


def modules() -> list[str]:
    """The modules that the entry points name: what a process that reads documents must be able to import."""
    return sorted({entry.module for entry in entry_points(group=GROUP)})


def claiming(head: bytes, name: str) -> ReaderPlugin | None:
    """The first that says a document is its own, or None."""
    return next((plugin for plugin in installed().values() if plugin.sniff(head, name)), None)
