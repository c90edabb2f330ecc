"""Which documents a `Selection` means, as a query of SQLite."""

from __future__ import annotations

import json
from typing import Any

from docpipe.stores import rows

_SELECT = """
select d.document_uuid, d.docpipe_run as run, d.original_file_name as name,
       document_status(d.celery_status, d.initial_processing_status) as status, d.project_id,
       d.error_message, s.stage, s.error_code, d.updated_at
  from source_documents d
  left join stage_runs s on s.document_uuid = d.document_uuid and s.run = d.docpipe_run
   and s.position = (select min(o.position) from stage_runs o where o.document_uuid = d.document_uuid
                        and o.run = d.docpipe_run and o.state <> 'complete')
 where true
"""
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
    "before": "d.id < (select b.id from source_documents b where b.document_uuid = ?)",
}


def selection_query(wanted: rows.Row) -> str:
    """The query for the keys of `wanted`; its values come from `selected_values`, then the limit."""
    conditions = "".join(f" and {_CONDITIONS[key]}" for key in wanted)
    return f"{_SELECT}{conditions} order by d.id desc limit ?"


def selected_values(wanted: rows.Row) -> list[Any]:
    return [
        json.dumps(value) if key == "status" else value
        for key, value in wanted.items()
        for _ in range(_CONDITIONS[key].count("?"))
    ]
