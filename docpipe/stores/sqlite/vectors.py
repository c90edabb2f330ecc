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

_AT_ONCE = 1024
# A block is one row: its vectors joined by SQLite take a third of the time of as many rows in Python. What
# `group_concat` is given is never read as text, and `cast` gives back its bytes.
_BLOCK = """
select count(*) as number, max(place) as last, group_concat(place) as places,
       cast(group_concat(vector, '') as blob) as vectors
  from (select v.rowid as place, v.vector
          from docpipe_vectors v cross join source_documents d
            on d.document_uuid = v.document_uuid and d.docpipe_result_run = v.run
         where v.rowid > ? and v.model = ? and length(v.vector) = ?
           and coalesce(d.project_id, '') = coalesce(?, d.project_id, '')
         order by v.rowid limit ?)
"""
_FOUND = """
select v.document_uuid, v.run, d.original_file_name as name, d.project_id, p.*, s.text, v.chunk,
       v.start_offset as passage_start, v.end_offset as passage_end
  from docpipe_vectors v
  join source_documents d on d.document_uuid = v.document_uuid
  join docpipe_pages p on p.document_uuid = v.document_uuid and p.run = v.run and p.number = v.page
  join docpipe_page_search s on s.document_uuid = v.document_uuid and s.run = v.run and s.number = v.page
 where v.rowid = ?
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
        blocks = _blocks(self._connection(), wanted, model, project_id)
        best = nsmallest(limit, _nearest(blocks, wanted, limit))
        return [
            rows.passage_hit_of(row | {"score": -distance})
            for distance, place in best
            for row in self._rows(_FOUND, place)
        ]

    def vectors_by(self) -> str:
        return "numpy, each vector with each"


def _blocks(
    db: sqlite3.Connection, wanted: bytes, model: str, project_id: str | None
) -> Iterator[sqlite3.Row]:
    last = 0
    while True:
        block = db.execute(_BLOCK, (last, model, len(wanted), project_id, _AT_ONCE)).fetchone()
        if not block["number"]:
            return
        yield block
        last = block["last"]


def _nearest(blocks: Iterator[sqlite3.Row], wanted: bytes, limit: int) -> Iterator[tuple[float, int]]:
    """The nearest of each block, as the inner product with its sign changed, and the row's place."""
    try:
        import numpy as np  # noqa: PLC0415 - of the extra: a store that holds no vectors does without
    except ImportError as error:
        raise MissingExtraError.for_module("numpy", "embed") from error
    query = np.frombuffer(wanted, "<f4")
    for block in blocks:
        vectors = np.frombuffer(block["vectors"], "<f4").reshape(block["number"], -1)
        places = block["places"].split(",")
        distances = -(vectors @ query)
        for number in np.argsort(distances, kind="stable")[:limit]:
            yield float(distances[number]), int(places[number])
