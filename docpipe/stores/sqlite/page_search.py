"""Searching pages in SQLite, by FTS5."""

from __future__ import annotations

from itertools import accumulate

from docpipe.stores import rows
from docpipe.stores.sqlite.file import SqliteFile
from docpipe.stores.text_search import MARK, UNMARK, PageHit, Term, fts5

_COMPARED = 2000
"""So many pages are ranked, as on Postgres: the newest of those that hold all that is sought."""
_HOLDING = f"""
select count(*) as pages
  from (select 1 from docpipe_page_words where docpipe_page_words match ? limit {_COMPARED})
"""  # noqa: S608 - a constant
_OF_PROJECT = "coalesce(d.project_id, '') = coalesce(?, d.project_id, '')"
_NEWEST = f"""
   and w.rowid >= (select min(id) from (
           select n.rowid as id from docpipe_page_words n
             join docpipe_page_search s on s.id = n.rowid
             join source_documents d on d.document_uuid = s.document_uuid and d.docpipe_result_run = s.run
            where docpipe_page_words match ? and {_OF_PROJECT}
            order by n.rowid desc limit {_COMPARED}))"""  # noqa: S608 - constants
_FOUND = f"""
select s.document_uuid, s.run, d.original_file_name as name, d.project_id, p.*, s.text,
       highlight(docpipe_page_words, 0, '{MARK}', '{UNMARK}') as marked, -bm25(docpipe_page_words) as score
  from docpipe_page_words w
  join docpipe_page_search s on s.id = w.rowid
  join source_documents d on d.document_uuid = s.document_uuid and d.docpipe_result_run = s.run
  join docpipe_pages p on p.document_uuid = s.document_uuid and p.run = s.run and p.number = s.number
 where docpipe_page_words match ? and {_OF_PROJECT}{_NEWEST}
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
        match = fts5(self._rarest(query), any_term=True) if any_term else fts5(query)
        found = self._rows(_FOUND, match, project_id, match, project_id, limit)
        return [rows.page_hit_of(row) for row in found]

    def _rarest(self, query: tuple[Term, ...]) -> tuple[Term, ...]:
        """Of the wanted terms the rarest, as many as lie in 2,000 pages together, as on Postgres: a page with
        a rare word must not be lost among many that hold but common ones.
        """
        pages = {term: self._rows(_HOLDING, fts5((term,)))[0]["pages"] for term in query if term.wanted}
        rarest = sorted(pages, key=pages.__getitem__)
        together = accumulate(pages[term] for term in rarest)
        kept = [term for term, total in zip(rarest, together, strict=True) if total <= _COMPARED]
        return (*kept, *(term for term in query if not term.wanted))
