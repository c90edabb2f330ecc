"""Excerpts of documents in SQLite: what `docpipe_excerpt` in `sql/*_docpipe_results.sql` does."""

from __future__ import annotations

import json
from typing import Any

from docpipe.models import Ref
from docpipe.stores import rows
from docpipe.stores.excerpt import MOST_PLACES, Excerpt, Window, excerpt_of, first_of
from docpipe.stores.sqlite.file import SqliteFile

_PAGE_COUNT = "select count(*) as pages from docpipe_pages where document_uuid = ?1 and run = ?2"
_PAGES = """
select * from docpipe_pages where document_uuid = ?1 and run = ?2 order by number limit ?3 offset ?4
"""
_MENTIONS = """
select * from docpipe_mentions
 where document_uuid = ?1 and run = ?2 and page between ?4 and ?5 and ?3 in ('', label) order by "index"
"""
_LABELS = """
select label, count(*) as entities from docpipe_entities
 where document_uuid = ?1 and run = ?2 group by label order by label
"""
_ENTITIES = f"""
with listed as materialized (
    select "index", name, label, mentions as indexes, json_array_length(mentions) as times
      from docpipe_entities
     where document_uuid = ?1 and run = ?2 and ?3 in ('', label)
     order by times desc, "index" limit ?4 offset ?5
)
select "index", name, label, times, (
    select json_group_array(page) from (
        select distinct m.page from json_each(l.indexes) i
          join docpipe_mentions m on m.document_uuid = ?1 and m.run = ?2 and m."index" = i.value
         order by m.page limit {MOST_PLACES})) as pages
  from listed l order by times desc, "index"
"""  # noqa: S608 - the number is a constant
_WANTED = """
from docpipe_relations r
 where r.document_uuid = ?1 and r.run = ?2 and (?3 = '' or exists (
       select 1 from docpipe_entities e
        where e.document_uuid = ?1 and e.run = ?2 and e."index" in (r.source, r.target) and e.label = ?3))
"""
_RELATION_COUNT = f"select count(*) as relations {_WANTED}"
_RELATIONS = f'select r.* {_WANTED} order by r."index" limit ?4 offset ?5'
_NODES = f"""
with ends as (
    select r.source as entity {_WANTED} and r.source <> r.target
    union all select r.target {_WANTED} and r.source <> r.target
)
select entity, count(*) over () as related from ends group by entity order by count(*) desc, entity limit ?4
"""  # noqa: S608
_GRAPH = f"""
select r.* {_WANTED} and r.source <> r.target
   and r.source in (select value from json_each(?4)) and r.target in (select value from json_each(?4))
 order by coalesce(r."count", 1) desc, r."index" limit ?5
"""  # noqa: S608
_ENDS = """
select "index", name, label from docpipe_entities
 where document_uuid = ?1 and run = ?2 and "index" in (select value from json_each(?3))
"""


class SqliteExcerpts(SqliteFile):
    """The part of `SqliteStore` that reads excerpts."""

    def excerpt(self, ref: Ref, window: Window) -> Excerpt:
        def read(sql: str, *values: Any) -> list[rows.Row]:
            return self._rows(sql, ref.document_uuid, ref.run, *values)

        label = window.label
        page_count = read(_PAGE_COUNT)[0]["pages"]
        pages = read(_PAGES, window.pages, first_of(window, page_count))
        numbers = [page["number"] for page in pages] or [0]
        entities = read(_ENTITIES, label, window.entities, window.skipped_entities)
        relations = read(_RELATIONS, label, window.relations, window.skipped_relations)
        nodes = read(_NODES, label, window.nodes)
        graph = read(_GRAPH, label, json.dumps([node["entity"] for node in nodes]), window.arcs)
        ends = {each[end] for each in (*relations, *graph) for end in ("source", "target")}
        return excerpt_of(
            {
                "pages": pages,
                "mentions": read(_MENTIONS, label, numbers[0], numbers[-1]),
                "entities": [each | {"pages": json.loads(each["pages"])} for each in entities],
                "relations": relations,
                "graph": graph,
                "ends": read(_ENDS, json.dumps(sorted(ends))),
                "page_count": page_count,
                "labels": read(_LABELS),
                "relation_count": read(_RELATION_COUNT, label)[0]["relations"],
                "related": nodes[0]["related"] if nodes else 0,
            }
        )
