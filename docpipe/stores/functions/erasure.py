"""How documents leave Postgres: calls of `sql/*_docpipe_erasure.sql`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from docpipe.stores import rows
from docpipe.stores.ids import storable
from docpipe.stores.values import Erasure


class FunctionErasures(ABC):
    """The part of `FunctionStore` that `ErasureStore` describes."""

    @abstractmethod
    def _rpc(self, function: str, **arguments: Any) -> Any: ...

    def delete(self, document_uuid: str) -> list[str] | None:
        document_uuid = storable(document_uuid)
        found: list[str] | None = self._rpc("delete", p_document=document_uuid)
        return found

    def erasures(self, document_uuid: str | None = None, *, limit: int = 100) -> list[Erasure]:
        if document_uuid is not None:
            document_uuid = storable(document_uuid)
        found = self._rpc("erasures", p_document=document_uuid, p_limit=limit)
        return [rows.erasure_of(row) for row in found]

    def erased(self, document_uuid: str) -> bool:
        return bool(self._rpc("erased", p_document=storable(document_uuid)))

    def traces(self, document_uuid: str) -> dict[str, int]:
        found: dict[str, int] = self._rpc("traces", p_document=storable(document_uuid))
        return found

    def expire(self, seconds: float, *, limit: int = 20) -> list[str]:
        found: list[str] = self._rpc("expire", p_seconds=seconds, p_limit=limit)
        return found

    def forget_history(self, seconds: float, *, limit: int = 10_000) -> int:
        return int(self._rpc("forget_history", p_seconds=seconds, p_limit=limit))
