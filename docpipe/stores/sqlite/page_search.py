"""Searching pages in SQLite, by FTS5."""

from __future__ import annotations

from docpipe.stores import rows
from docpipe.stores.sqlite.file import SqliteFile
from docpipe.stores.text_search import MARK, UNMARK, PageHit, Term, fts5

_COMPARED = 2000
"""So many pages are ranked, as on Postgres: the newest of those that hold all that is sought."""
_OF_PROJECT = "coalesce(d.project_id, '') = coalesce(?, d.project_id, '')"
_NEWEST = f"""
   and w.rowid >= (select min(id) from (
           select n.rowid as id from docpipe_page_words n
             join docpipe_page_search s on s.id = n.rowid
             join source_documents d on d.document_uuid = s.document_uuid
            where docpipe_page_words match ? and {_OF_PROJECT}
            order by n.rowid desc limit {_COMPARED}))
"""  # noqa: S608 - constants
_FOUND = f"""
select s.document_uuid, s.run, d.original_file_name as name, d.project_id, p.*, s.text,
       highlight(docpipe_page_words, 0, '{MARK}', '{UNMARK}') as marked, -bm25(docpipe_page_words) as score
  from docpipe_page_words w
  join docpipe_page_search s on s.id = w.rowid
  join source_documents d on d.document_uuid = s.document_uuid
  join docpipe_pages p on p.document_uuid = s.document_uuid and p.run = s.run and p.number = s.number
 where docpipe_page_words match ? and {_OF_PROJECT} %s
 order by rank, s.document_uuid, s.number
 limit ?
"""  # noqa: S608 - constants


class SqliteSearch(SqliteFile):
    """The part of `SqliteStore` that searches text."""

    def search_pages(
        self,
        query: tuple[Term, ...],
        *,
        project_id: str | None = None,
        limit: int = 20,
        any_term: bool = False,
    ) -> list[PageHit]:
        asked = (fts5(query, any_term=any_term), project_id)
        if any_term:  # a page with a rare word must not be lost among many that hold but the common ones
            found = self._rows(_FOUND % "", *asked, limit)
        else:
            found = self._rows(_FOUND % _NEWEST, *asked, *asked, limit)
        return [rows.page_hit_of(row) for row in found]
