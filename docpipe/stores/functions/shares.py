"""Shares in Postgres: calls of `sql/*_docpipe_pauses.sql`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from docpipe.stores.functions.pauses import released_of
from docpipe.stores.pause_port import Released
from docpipe.stores.share_port import Limit, Share
from docpipe.stores.share_rows import limit_of, limit_row


class FunctionShares(ABC):
    """The part of `FunctionStore` that `ShareStore` describes."""

    @abstractmethod
    def _rpc(self, function: str, **arguments: Any) -> Any: ...

    def limit(self, limit: Limit) -> None:
        self._rpc("limit", p_limit=json.dumps(limit_row(limit)))

    def limits(self) -> list[Limit]:
        return [limit_of(row) for row in self._rpc("limits")]

    def shares(self) -> list[Share]:
        return [
            Share(row["share"], row["in_flight"], row["waiting"], row["today"]) for row in self._rpc("shares")
        ]

    def admit(self, *, limit: int = 500) -> list[Released]:
        return [released_of(row) for row in self._rpc("admit", p_most=limit)]
