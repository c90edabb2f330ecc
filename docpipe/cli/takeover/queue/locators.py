"""Where the old system kept a document's bytes, as locators that docpipe reads.

They are as trustworthy as the rows: each is judged like any other locator, by its parts and by the places
that may be read, when it is taken in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docpipe.errors import SourceRejectedError
from docpipe.models.masking import masked
from docpipe.sources.locators import parsed

_TWICE = re.compile(r"^(?:[a-z0-9]+://)+(?=[a-z0-9]+://)", re.I)
_STORAGE = re.compile(r"^https?://[^/]+/storage/v1/object/(?:public/|sign/|authenticated/)?([^/]+)/([^?#]+)")
_S3_HOST = re.compile(r"^https?://([^/]+?)\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com/([^?#]+)")
_S3_PATH = re.compile(r"^https?://s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com/([^/]+)/([^?#]+)")


@dataclass(frozen=True, slots=True)
class Where:
    """What the rows leave out: the folder of relative paths, and the bucket of keys without one."""

    root: Path | None = None
    bucket: str | None = None


def locators(row: Mapping[str, Any], where: Where = Where()) -> list[str]:
    """The places to try, the surest first; empty if the row names none.

    Args:
        row: of source_documents; columns that are missing count as empty.
    """
    found = [*_addresses(row), *_objects(row, where), *_paths(row, where)]
    return list(dict.fromkeys(found))


def recorded(place: str) -> str:
    """The place as a row may keep it, although it cannot be read: without what may be a key."""
    try:
        return str(parsed(place).without_query())
    except SourceRejectedError:
        return masked(place)


def mended(address: str) -> str:
    """An address without what broke it on its way through other programs: blanks and line ends around it, a
    scheme that stands twice, a question mark with nothing behind it.
    """
    whole = "".join(address.split("\n")).strip()
    return _TWICE.sub("", whole).rstrip("?")


def _addresses(row: Mapping[str, Any]) -> Iterator[str]:
    for column in ("original_file_path", "storage_url", "s3_url"):
        value = mended(str(row.get(column) or ""))
        if "://" not in value:
            continue
        if match := _STORAGE.match(value):
            yield f"supabase://{match[1]}/{unquote(match[2])}"
        elif match := _S3_HOST.match(value) or _S3_PATH.match(value):
            yield f"s3://{match[1]}/{unquote(match[2])}"
        else:
            yield value


def _objects(row: Mapping[str, Any], where: Where) -> Iterator[str]:
    key, bucket = row.get("s3_key"), row.get("s3_bucket") or where.bucket
    if key and "://" in str(key):
        yield mended(str(key))
    elif key and bucket:
        yield f"s3://{bucket}/{str(key).lstrip('/')}"


def _paths(row: Mapping[str, Any], where: Where) -> Iterator[str]:
    path = str(row.get("original_file_path") or "").strip()
    if not path or "://" in path:
        return
    if Path(path).is_absolute():
        yield Path(path).as_uri()
    elif where.root is not None:  # written as a locator, in which `..` is refused: it could leave the root
        yield (where.root.resolve() / path).as_uri()
