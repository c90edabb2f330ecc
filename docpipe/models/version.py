"""Which docpipe does the work."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def own_version() -> str | None:
    """As it is installed; None for a copy of the folder that is no installed package."""
    try:
        return version("docpipe-celery")
    except PackageNotFoundError:
        return None
