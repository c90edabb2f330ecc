"""Pictures of pages, drawn when somebody looks at them."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from docpipe.errors import MissingExtraError
from docpipe.models import PageRange, Ref
from docpipe.pipeline.pipeline import Pipeline

_AT_ONCE = 4
"""Pages that are drawn together: whoever looks at one looks at its neighbours."""
_KEPT = 64


class Pictures:
    """Draws pages in one child, the sandboxed one that reads documents, and keeps the last ones."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        # Every thread that draws has a child of its own: one is enough.
        self._pool = ThreadPoolExecutor(1, "docpipe-pictures")
        self._kept: OrderedDict[tuple[Ref, int], bytes | None] = OrderedDict()
        self._lock = threading.Lock()

    def picture(self, ref: Ref, number: int) -> bytes | None:
        """A page as WebP; None where the format has no picture of it.

        Raises:
            DocpipeError: the document's bytes cannot be had or read any more.
        """
        with self._lock:
            if (ref, number) in self._kept:
                return self._kept[ref, number]
        return self._pool.submit(self._draw, ref, number).result()

    def _draw(self, ref: Ref, number: int) -> bytes | None:
        with self._lock:
            if (ref, number) in self._kept:  # by the one before
                return self._kept[ref, number]
        first = (number - 1) // _AT_ONCE * _AT_ONCE + 1
        found = self._drawn(ref, PageRange(first, first + _AT_ONCE - 1))
        with self._lock:
            for each in range(first, first + _AT_ONCE):
                address = found.get(each)
                encoded = address and address.partition(",")[2]
                self._kept[ref, each] = base64.b64decode(encoded) if encoded else None
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept.get((ref, number))

    def _drawn(self, ref: Ref, pages: PageRange) -> dict[int, str]:
        pipeline = self._pipeline
        record, options = pipeline.store.source(ref), pipeline.runtime.tools.options
        with pipeline.sources.fetch(record.uri, record.digest, record.name) as path:
            if options.isolate:
                return pipeline.runtime.reader.pictures(path, record.name, pages)
            try:
                module = import_module("docpipe.execution.page_pictures")
            except ModuleNotFoundError as error:
                raise MissingExtraError.for_module(error.name or "PIL", "worker") from error
            found: dict[int, str] = module.page_pictures(
                path, record.name, options, lambda _page: None, pages
            )
            return found
