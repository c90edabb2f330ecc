"""Which places may be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from docpipe.errors import ConfigurationError, SourceForbiddenError, SourceRejectedError
from docpipe.models.masking import masked
from docpipe.sources.locators import Locator, names_a_place, of_path, parsed_prefix, resolved

_SYSTEM = tuple(Locator("file", "", path) for path in ("/proc", "/sys", "/dev"))
"""What the kernel shows there are no documents: keys of processes, memory, devices."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A path or locator named by the operator or the host's own code, never by an outsider.

    `Sources` reads it although its list of places does not name it. Where workers may not read it, it is
    kept as a copy.
    """

    source: str | Path


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whole schemes, and prefixes of others."""

    schemes: frozenset[str] = frozenset()
    prefixes: tuple[Locator, ...] = ()

    def __contains__(self, locator: Locator) -> bool:
        return locator.scheme in self.schemes or any(locator.within(each) for each in self.prefixes)

    def __or__(self, other: Allowed) -> Allowed:
        return Allowed(self.schemes | other.schemes, self.prefixes + other.prefixes)


EVERYWHERE_BY_DEFAULT = frozenset({"file", "s3"})


def place_of(source: str | Path, setting: str) -> Locator:
    """A folder, bucket, host or prefix that a setting names. Raises `ConfigurationError`."""
    try:
        if isinstance(source, str) and names_a_place(source):
            return resolved(parsed_prefix(source))
        return of_path(source)
    except SourceRejectedError as error:
        raise ConfigurationError(f"{setting}: {error}") from None


def places_of(sources: Iterable[str | Path]) -> Allowed:
    """What `Sources(allow=…)` names. Raises `ConfigurationError`."""
    if isinstance(sources, str | Path):
        raise ConfigurationError(f"allow is {sources!r}; it must be a list: allow=[{str(sources)!r}].")
    return Allowed(prefixes=tuple(place_of(each, "DOCPIPE_SOURCES") for each in sources))


def refuse_system_files(locator: Locator) -> None:
    """Raises `SourceForbiddenError` for what the kernel shows as files."""
    if any(locator.within(each) for each in _SYSTEM):
        raise SourceForbiddenError(
            f"{masked(str(locator))} is the system's and not a document. /proc, /sys and /dev are never read."
        )
