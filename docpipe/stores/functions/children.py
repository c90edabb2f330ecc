"""Which documents were found inside which, in Postgres: calls of `sql/*_docpipe_children.sql`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from docpipe.models import NewChild, Ref
from docpipe.stores.functions.calls import keys
from docpipe.stores.ids import storable
from docpipe.stores.result_rows import child_rows
from docpipe.stores.values import Due


class FunctionChildren(ABC):
    """The part of `FunctionStore` that `ChildStore` describes."""

    @abstractmethod
    def _rpc(self, function: str, **arguments: Any) -> Any: ...

    def note_children(
        self, ref: Ref, stage: str, token: int, children: Sequence[NewChild], most: int
    ) -> int | None:
        told = json.dumps(child_rows(children))
        noted: int | None = self._rpc(
            "note_children", **keys(ref), p_stage=stage, p_token=token, p_children=told, p_most=most
        )
        return noted

    def children_due(self, ref: Ref) -> list[Due]:
        return [
            Due(Ref(row["document_uuid"], row["run"]), row["priority"])
            for row in self._rpc("children_due", **keys(ref))
        ]

    def own_children(self, document_uuid: str) -> list[str]:
        found: list[str] = self._rpc("own_children", p_document=storable(document_uuid))
        return found
