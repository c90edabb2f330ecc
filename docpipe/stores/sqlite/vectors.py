"""Vectors in SQLite: how they are kept, and the search of all of them, a block at a time."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING

from docpipe.errors import MissingExtraError
from docpipe.stores import rows
from docpipe.stores.sqlite.file import SqliteFile
from docpipe.stores.text_search import PassageHit

if TYPE_CHECKING:
    import sqlite3

_AT_ONCE = 4096
_VECTORS = """
select v.document_uuid, v.run, v."index", v.vector
  from docpipe_vectors v
  join source_documents d on d.document_uuid = v.document_uuid and d.docpipe_result_run = v.run
 where v.model = ? and length(v.vector) = ? and coalesce(d.project_id, '') = coalesce(?, d.project_id, '')
"""
_FOUND = """
select v.document_uuid, v.run, d.original_file_name as name, d.project_id, p.*, s.text, v.chunk,
       v.start_offset as passage_start, v.end_offset as passage_end
  from docpipe_vectors v
  join source_documents d on d.document_uuid = v.document_uuid
  join docpipe_pages p on p.document_uuid = v.document_uuid and p.run = v.run and p.number = v.page
  join docpipe_page_search s on s.document_uuid = v.document_uuid and s.run = v.run and s.number = v.page
 where v.document_uuid = ? and v.run = ? and v."index" = ?
"""


def packed(found: Sequence[rows.Row]) -> list[rows.Row]:
    """The rows as the table holds them."""
    return [row | {"vector": _bytes(row["vector"])} for row in found]


def _bytes(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}f", *vector)


class SqliteVectors(SqliteFile):
    """The part of `SqliteStore` that searches by meaning."""

    def search_vectors(
        self, vector: Sequence[float], model: str, *, project_id: str | None = None, limit: int = 20
    ) -> list[PassageHit]:
        wanted = _bytes(vector)
        asked = self._connection().execute(_VECTORS, (model, len(wanted), project_id))
        best = nsmallest(limit, _nearest(_blocks(asked), wanted, limit))
        return [
            rows.passage_hit_of(row | {"score": -distance})
            for distance, *key in best
            for row in self._rows(_FOUND, *key)
        ]

    def vectors_by(self) -> str:
        return "numpy, each vector with each"


def _blocks(cursor: sqlite3.Cursor) -> Iterator[list[sqlite3.Row]]:
    while block := cursor.fetchmany(_AT_ONCE):
        yield block


def _nearest(
    blocks: Iterator[list[sqlite3.Row]], wanted: bytes, limit: int
) -> Iterator[tuple[float, str, int, int]]:
    """The nearest of each block, as the inner product with its sign changed, and the row's key."""
    try:
        import numpy as np  # noqa: PLC0415 - of the extra: a store that holds no vectors does without
    except ImportError as error:
        raise MissingExtraError.for_module("numpy", "embed") from error
    query = np.frombuffer(wanted, "<f4")
    for block in blocks:
        vectors = np.frombuffer(b"".join(row["vector"] for row in block), "<f4").reshape(len(block), -1)
        distances = -(vectors @ query)
        for place in np.argsort(distances, kind="stable")[:limit]:
            yield float(distances[place]), *tuple(block[place])[:3]
