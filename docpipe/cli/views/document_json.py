"""A document as one JSON object, the shape of `docpipe run --json`. Offsets point into `text`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from docpipe.errors import DocpipeError
from docpipe.models import Box, Document, Evidence, Fact, Facts, Mention, Page, PageBox, Relation
from docpipe.stages.text.reading_text import reading_text


def to_json(document: Document, source: str) -> dict[str, Any]:
    """The document with everything found in it; `source` is how the caller named it."""
    return {
        "source": source,
        "document_uuid": document.document_uuid,
        "status": document.status,
        "error": None if document.error is None else _failure(document),
        "warnings": [asdict(warning) for warning in document.warnings],
        "text": document.text,
        "pages": [_page(page) for page in document.pages],
        "chunks": [
            {
                "index": chunk.index,
                "start": chunk.start,
                "end": chunk.end,
                "page_from": chunk.page_from,
                "page_to": chunk.page_to,
                "boxes": _page_boxes(chunk.boxes),
                "reading_text": reading_text(document.text[chunk.start : chunk.end]).text,
            }
            for chunk in document.chunks
        ],
        "mentions": [_mention(mention) for mention in document.mentions],
        "entities": [
            {
                "name": entity.name,
                "label": entity.label,
                "mentions": list(entity.mentions),
                "merges": [asdict(merge) | {"mentions": list(merge.mentions)} for merge in entity.merges],
            }
            for entity in document.entities
        ],
        "relations": [_relation(relation) for relation in document.relations],
        **facts_json(document.facts),
        "parent": document.parent,
        "children": [asdict(child) for child in document.children],
    }


def facts_json(facts: Facts | None) -> dict[str, Any]:
    """What the document is and says of itself; `kind` is null where nobody looked for it."""
    return {
        "kind": facts.kind.value if facts else None,
        "subject": facts.subject if facts else None,
        "title": facts.title if facts else "",
        "facts": [_fact(fact) for fact in facts.items] if facts else [],
    }


def failed_json(error: DocpipeError, source: str, document_uuid: str | None, status: str) -> dict[str, Any]:
    """A document that failed: the same keys, with nothing found."""
    failure = {"code": error.code, "message": str(error), "stage": error.stage}
    empty: dict[str, Any] = {
        key: [] for key in ("warnings", "pages", "chunks", "mentions", "entities", "relations", "children")
    }
    head = {"source": source, "document_uuid": document_uuid, "status": status, "error": failure}
    return head | empty | {"text": "", "parent": None} | facts_json(None)


def _failure(document: Document) -> dict[str, Any]:
    assert document.error is not None
    return {
        "code": document.error.code,
        "message": document.error.message,
        "stage": document.error.stage,
    }


def _page(page: Page) -> dict[str, Any]:
    return {
        "number": page.number,
        "start": page.start,
        "end": page.end,
        "width": page.width,
        "height": page.height,
        "method": page.method.value,
        "reason": page.reason,
        "confidence": None if page.confidence is None else round(page.confidence, 4),
        "part": page.part,
    }


def _mention(mention: Mention) -> dict[str, Any]:
    return {
        "text": mention.text,
        "label": mention.label,
        "value": mention.value,
        "start": mention.start,
        "end": mention.end,
        "page": mention.page,
        "bbox": None if mention.box is None else _rounded(mention.box),
        "boxes": [_rounded(box) for box in mention.boxes],
        "score": round(mention.score, 4),
    }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "type": fact.type.value,
        "role": fact.role,
        "text": fact.text,
        "value": fact.value,
        "entity": fact.entity,
        "holder": fact.holder,
        "evidence": _evidence(fact.evidence),
        "score": round(fact.score, 4),
    }


def _relation(relation: Relation) -> dict[str, Any]:
    return {
        "type": relation.type,
        "source": relation.source,
        "target": relation.target,
        "evidence": _evidence(relation.evidence),
        "score": relation.score,
        "verb": relation.verb,
        "count": relation.count,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    boxes = _page_boxes(evidence.boxes)
    return {"start": evidence.start, "end": evidence.end, "page": evidence.page, "boxes": boxes}


def _page_boxes(boxes: Sequence[PageBox]) -> list[dict[str, Any]]:
    return [{"page": page, "bbox": _rounded(box)} for page, box in boxes]


def _rounded(box: Box) -> list[float]:
    return [round(side, 2) for side in box]
