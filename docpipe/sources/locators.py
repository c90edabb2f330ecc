"""Locators: how the place of a document is written, read and shown.

`file:///path`, `s3://bucket/key`, `supabase://bucket/key`, `https://host/path` or, of a host's own places,
`scheme://place/key`. Whatever names a place goes through `parsed`: what comes out is in its one normal
form, and no program on the way can read it as another place.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes

from docpipe.errors import SourceRejectedError
from docpipe.models.masking import masked

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,31})://", re.IGNORECASE | re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_HOST = re.compile(r"[a-z0-9._-]{1,253}", re.ASCII)
_SAFE = "/%:@!$&'()*+,;=~"
_MOST_QUOTED = 5
"""How often a part may be percent-encoded; no honest locator needs more."""


@dataclass(frozen=True, slots=True)
class Locator:
    """One place of a document in its normal form; `str()` writes it."""

    scheme: str
    place: str
    """Bucket or host; empty for files."""
    path: str
    """Of a file: absolute, with bytes that are no text as surrogates (`os.fsdecode`). Of an address: quoted,
    without the first slash. Elsewhere: the key as it is written."""
    query: str = ""
    """Of an address. It may be a key."""

    def __str__(self) -> str:
        if self.scheme == "file":
            return f"file://{quote_from_bytes(os.fsencode(self.path))}"
        path = f"/{self.path}" if self.path else ""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.place}{path}{query}"

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, as they are meant."""
        parts = tuple(part for part in self.path.split("/") if part)
        return tuple(map(unquote, parts)) if self.scheme == "https" else parts

    @property
    def name(self) -> str:
        """The last part of the path; the bucket or host where there is none."""
        return self.segments[-1] if self.segments else self.place

    def within(self, prefix: Locator) -> bool:
        """Whether this is the prefix or lies below it, by whole segments."""
        same = (self.scheme, self.place) == (prefix.scheme, prefix.place)
        return same and self.segments[: len(prefix.segments)] == prefix.segments

    def without_query(self) -> Locator:
        return replace(self, query="")


def names_a_place(text: str) -> bool:
    """Whether the text is meant as a locator, and not as a path."""
    return "://" in text


def parsed(text: str) -> Locator:
    """The locator that the text spells, in its normal form.

    Raises:
        SourceRejectedError: it is none, or a part of it could be read in another way: an empty, `.` or `..`
            segment however encoded, an encoded slash, a control character, half a character, a host in
            `file://`, a user name or a port in `https://`.
    """
    found = _SCHEME.match(text)
    if found is None:
        _refuse(text, "is not an address", "Write a path, s3://bucket/key or https://host/path.")
    if _SURROGATE.search(text):
        _refuse(text, "holds half a character", "Write it in Unicode, other bytes as %E9.")
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme == "file":
        return _file(text, rest)
    return _address(text, rest) if scheme == "https" else _object(text, scheme, rest)


def parsed_prefix(text: str) -> Locator:
    """As `parsed`, of a place with many documents; a slash at its end means nothing."""
    found = _SCHEME.match(text)
    if found is not None and text[found.end() :].rstrip("/"):
        text = text.rstrip("/")
    locator = parsed(text)
    if locator.query:
        _refuse(text, "is one document, not a place of many", "Leave out what follows the question mark.")
    return locator


def of_path(path: str | Path) -> Locator:
    """The locator of a file, the symbolic links among its folders followed. A link in the file's own place
    stays one: who opens it refuses it.

    Raises:
        SourceRejectedError: the name holds a control character or half a character.
    """
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        _refuse(str(path), "holds half a character", "Rename the file.")
    if _CONTROL.search(str(path)):
        _refuse(str(path), "holds a control character", "Rename the file.")
    absolute = Path.cwd() / os.path.expanduser(path)  # noqa: PTH111 - Path's own fails where there is no such user
    if absolute.name in {"", ".."}:
        whole = os.path.realpath(absolute)
    else:
        whole = os.path.join(os.path.realpath(absolute.parent), absolute.name)  # noqa: PTH118
    return parsed(str(Locator("file", "", f"/{whole.lstrip('/')}")))


def resolved(locator: Locator) -> Locator:
    """The locator with the symbolic links among a file's folders followed; any other as it is."""
    return of_path(locator.path) if locator.scheme == "file" else locator


# --- each kind ------------------------------------------------------------------------------------


def _file(text: str, rest: str) -> Locator:
    host, slash, path = rest.partition("/")
    if host.lower() not in {"", "localhost"} or not slash:
        _refuse(text, "is on another machine", "Write file:///path of a file of this one.")
    if "?" in path or "#" in path:
        _refuse(text, "has a query or a fragment", "Write a question mark as %3F and # as %23.")
    if "%2f" in path.lower():
        _refuse(text, "hides a slash", "Write / as it is.")
    decoded = os.fsdecode(unquote_to_bytes(path))  # names need not be UTF-8
    if decoded:
        _require_plain(text, decoded, hides_slashes=False)
    return Locator("file", "", f"/{decoded}")


def _object(text: str, scheme: str, rest: str) -> Locator:
    bucket, _, key = rest.partition("/")
    _require_plain(text, bucket, hides_slashes=True)
    if key:
        _require_plain(text, key, hides_slashes=True)
    return Locator(scheme, bucket, key)


def _address(text: str, rest: str) -> Locator:
    rest = rest.partition("#")[0]  # never sent
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    if _CONTROL.search(query):
        _refuse(text, "holds a control character", "Write it without.")
    if "\\" in before:
        _refuse(text, "holds a backslash", "Write /.")
    host = _host(text, authority)
    if path:
        _require_plain(text, path.removesuffix("/"), hides_slashes=True)
    return Locator("https", host, quote(path, safe=_SAFE), quote(query, safe=f"{_SAFE}?[]"))


def _host(text: str, authority: str) -> str:
    """In lower case and ASCII; the address of an IPv6 one in its shortest form."""
    if "@" in authority:
        _refuse(text, "holds a user name", "Use an address that is signed instead.")
    name, bracket, port = authority.rpartition("]")
    if not bracket and not authority.startswith("["):
        name, colon, port = authority.partition(":")
        port = f"{colon}{port}"
    if port.startswith(":"):
        _refuse(text, "names a port", "Only port 443 is read: write https://host/path.")
    try:
        if bracket and "%" not in name:  # a zone is this machine's business
            return f"[{ipaddress.IPv6Address(name.removeprefix('[')).compressed}]"
        host = name.encode("idna").decode("ascii").lower().removesuffix(".")
    except ValueError:
        host = ""
    if not _HOST.fullmatch(host):
        _refuse(text, "is not an address", "Write https://host/path.")
    return host


def _require_plain(text: str, path: str, *, hides_slashes: bool) -> None:
    """Refuse what some program could unquote into another path.

    Args:
        hides_slashes: whether an encoded slash or backslash is refused by itself. In the name of a file it
            means nothing, but beside dots.
    """
    slashes = path.count("/") + path.count("\\")
    for _ in range(_MOST_QUOTED):
        if _CONTROL.search(path):
            _refuse(text, "holds a control character", "Write it without.")
        if {"", ".", ".."} & set(re.split(r"[/\\]", path)):
            _refuse(text, "has an empty, '.' or '..' part", "Write the whole path without them.")
        if hides_slashes and path.count("/") + path.count("\\") > slashes:
            _refuse(text, "hides a slash", "Write / as it is.")
        unquoted = unquote(path, errors="surrogateescape")
        if unquoted == path:
            return
        path = unquoted
    _refuse(text, "is percent-encoded again and again", "Encode it once.")


def _refuse(text: str, why: str, remedy: str) -> NoReturn:
    raise SourceRejectedError(f"{masked(text)} {why}. {remedy}")
