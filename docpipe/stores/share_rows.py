"""Limits as rows, in every store the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docpipe.stores.share_port import Limit


def limit_row(limit: Limit) -> dict[str, Any]:
    return {
        "kind": "all" if limit.project_id is None else "project",
        "name": limit.project_id or "",
        "in_flight": limit.in_flight,
        "per_day": limit.per_day,
        "weight": limit.weight,
    }


def limit_of(row: Mapping[str, Any]) -> Limit:
    project_id = row["name"] if row["kind"] == "project" else None
    return Limit(project_id, row["in_flight"], row["per_day"], row["weight"])
