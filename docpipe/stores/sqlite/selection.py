"""Which documents a `Selection` means, as a query of SQLite."""

from __future__ import annotations

import json
from typing import Any

from docpipe.stores import rows

_STAGE = """
  left join stage_runs s on s.document_uuid = d.document_uuid and s.run = d.docpipe_run
   and s.position = (select min(o.position) from stage_runs o where o.document_uuid = d.document_uuid
                        and o.run = d.docpipe_run and o.state <> 'complete')
"""
_SELECT = f"""
select d.document_uuid, d.docpipe_run as run, d.original_file_name as name,
       document_status(d.celery_status, d.initial_processing_status) as status, d.project_id,
       d.error_message, s.stage, s.error_code, d.updated_at, d.docpipe_page_count as pages
  from (select d.* from source_documents d {{stage}} where true {{conditions}} order by {{order}} limit ?) d
       {_STAGE} order by {{order}}
"""  # noqa: S608 - of constants
_CONDITIONS = {
    "status": "document_status(d.celery_status, d.initial_processing_status)"
    " in (select value from json_each(?))",
    "error_code": "s.error_code = ? and d.document_uuid in"
    " (select e.document_uuid from stage_runs e where e.error_code = ?)",
    "stage": "s.stage = ?",
    "project_id": "d.project_id = ?",
    "engine": "exists (select 1 from stage_runs e where e.document_uuid = d.document_uuid"
    " and e.run = d.docpipe_run and instr(e.engine, ?) = 1)",
    "docpipe_version": "exists (select 1 from stage_runs e where e.document_uuid = d.document_uuid"
    " and e.run = d.docpipe_run and instr(e.docpipe_version, ?) = 1)",
    "file_type": "(d.detected_file_type = lower(?)"
    " or substr(lower(d.original_file_name), -length(?) - 1) = '.' || lower(?))",
    "confidence_below": "exists (select 1 from docpipe_pages p where p.document_uuid = d.document_uuid"
    " and p.run = d.docpipe_result_run and p.confidence < ?)",
    "batch": "d.document_uuid in (select r.document_uuid from docpipe_runs r where r.batch = ?)",
    "parent": "d.document_uuid in (select c.child_uuid from docpipe_children c where c.document_uuid = ?)",
    "since": "d.updated_at >= ?",
    "until": "d.updated_at < ?",
    "name": "instr(lower(d.original_file_name), lower(?)) > 0",
    "before": "({keys}) {after} (select {others} from source_documents b where b.document_uuid = ?)",
    "sort": "? is not null",
}
_SORTS = {
    "changed": "d.updated_at",
    "name": "lower(d.original_file_name)",
    "status": "d.celery_status || ' ' || d.initial_processing_status",
    "pages": "coalesce(d.docpipe_page_count, -1)",
}


def selection_query(wanted: rows.Row) -> str:
    """The query for the keys of `wanted`; its values come from `selected_values`, then the limit."""
    sort = wanted.get("sort", "-")
    keys = [key for name, key in _SORTS.items() if name == sort.lstrip("-")] + ["d.id"]
    after, way = ("<", "desc") if sort.startswith("-") else (">", "asc")
    others = ", ".join(keys).replace("d.", "b.")
    conditions = "".join(f" and {_CONDITIONS[each]}" for each in wanted)
    return _SELECT.format(
        stage=_STAGE if {"stage", "error_code"} & wanted.keys() else "",
        conditions=conditions.format(keys=", ".join(keys), after=after, others=others),
        order=", ".join(f"{key} {way}" for key in keys),
    )


def selected_values(wanted: rows.Row) -> list[Any]:
    return [
        json.dumps(value) if key == "status" else value
        for key, value in wanted.items()
        for _ in range(_CONDITIONS[key].count("?"))
    ]
