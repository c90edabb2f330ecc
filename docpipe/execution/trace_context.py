"""The span of a host, as the ledger carries it to whoever traces a document later."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from typing import Self

_W3C = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Which span something belongs under."""

    trace_id: int
    span_id: int
    sampled: bool = True

    def __str__(self) -> str:
        """As W3C writes it: a `traceparent`."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled):02x}"

    @classmethod
    def parsed(cls, text: str | None) -> Self | None:
        """Out of a `traceparent`; None where it is none."""
        found = _W3C.fullmatch(text or "")
        if found is None:
            return None
        trace_id, span_id, flags = (int(each, 16) for each in found.groups())
        return cls(trace_id, span_id, bool(flags & _SAMPLED)) if trace_id and span_id else None


def trace_id_of(document_uuid: str, parent: TraceContext | None) -> int:
    """Of the trace that a document's spans are in: the host's own where it was submitted in one."""
    return number(f"docpipe {document_uuid}", 16) if parent is None else parent.trace_id


def number(text: str, size: int) -> int:
    """An id of so many bytes that stands for the text, always the same."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size])


def current() -> TraceContext | None:
    """The span that the host is in; None without OpenTelemetry, which is never imported for this."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return TraceContext(found.trace_id, found.span_id, bool(found.trace_flags & _SAMPLED))
