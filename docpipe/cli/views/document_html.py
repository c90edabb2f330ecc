"""A document as one HTML file: its pages with what was found on them, its graph, and the run's timeline."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from docpipe.cli.views.document_json import facts_json
from docpipe.cli.views.story import story
from docpipe.models import Attempt, Box, Document, DocumentStatus, Mention, Page, Relation, StageRun
from docpipe.models.visible import visible
from docpipe.stages.text.places import boxes_of

_PLACE = re.compile("__POLICY__|__TITLE__|__DATA__")


@cache
def _template() -> str:
    return (files("docpipe.cli.views") / "document.html").read_text(encoding="utf-8")


@cache
def _policy() -> str:
    """Nothing but this file's own style and script runs, whatever stands in the document."""
    style, script = (_hash_of(f"<{element}>", f"</{element}>") for element in ("style", "script"))
    return (
        f"default-src 'none'; img-src data:; style-src {style}; script-src {script}; base-uri 'none';"
        " form-action 'none'"
    )


def _hash_of(opening: str, closing: str) -> str:
    content = _template().partition(opening)[2].partition(closing)[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def to_html(
    document: Document,
    status: DocumentStatus,
    images: Mapping[int, str] | None = None,
    attempts: Sequence[Attempt] = (),
) -> str:
    """The file's text. It loads nothing from anywhere, and its own policy forbids it to.

    `#entity:3`, `#mention:5` and `#relation:2` behind its address open what they name.

    Args:
        images: page number to the page's picture, as a `data:` address; pages without one show their text.
        attempts: who tried what and how it ended, shown below the timeline where one did not go well.
    """
    found = _data(document, status, images or {}) | {"attempts": story(attempts)}
    # in a script element only `<` could end it early
    encoded = visible(json.dumps(found, ensure_ascii=False)).replace("<", "\\u003c")
    values = {
        "__POLICY__": _policy(),
        "__TITLE__": html.escape(visible(document.name)),
        "__DATA__": encoded,
    }
    return _PLACE.sub(lambda place: values[place[0]], _template())


def _data(document: Document, status: DocumentStatus, images: Mapping[int, str]) -> dict[str, Any]:
    return {
        "run": document.run,
        "status": document.status,
        "error": status.error and f"{status.error.stage}: {status.error.message}",
        "text": document.text,
        "pages": [_page(page, images.get(page.number)) for page in document.pages],
        "mentions": [_mention(mention) for mention in document.mentions],
        "entities": [
            {"index": each.index, "name": each.name, "label": each.label, "mentions": each.mentions}
            for each in document.entities
        ],
        "relations": [_relation(index, each, document) for index, each in enumerate(document.relations)],
        **facts_json(document.facts),
        "stages": [_stage(stage) for stage in status.stages],
        "parent": document.parent,
        "children": [asdict(child) for child in document.children],
        "history": [(f"{at:%Y-%m-%d %H:%M:%S}", word) for at, word, _ in status.history],
    }


def _page(page: Page, image: str | None) -> dict[str, Any]:
    return {
        "number": page.number,
        "start": page.start,
        "end": page.end,
        "width": page.width,
        "height": page.height,
        "image": image,
    }


def _mention(mention: Mention) -> dict[str, Any]:
    return {
        "index": mention.index,
        "text": mention.text,
        "label": mention.label,
        "start": mention.start,
        "end": mention.end,
        "page": mention.page,
        "boxes": [_rounded(box) for box in _boxes(mention)],
        "score": mention.score,
        "source": mention.source,
    }


def _boxes(mention: Mention) -> Sequence[Box]:
    """A document that an earlier docpipe read has one around all lines."""
    return mention.boxes or ([mention.box] if mention.box else [])


def _relation(index: int, relation: Relation, document: Document) -> dict[str, Any]:
    evidence = relation.evidence
    boxes = evidence.boxes or boxes_of(document.text, document.pages, evidence.start, evidence.end)
    return {
        "index": index,
        "type": relation.type,
        "source": relation.source,
        "target": relation.target,
        "start": relation.evidence.start,
        "end": relation.evidence.end,
        "page": relation.evidence.page,
        "boxes": [(page, _rounded(box)) for page, box in boxes],
        "score": relation.score,
    }


def _stage(stage: StageRun) -> dict[str, Any]:
    return {
        "stage": stage.stage,
        "state": stage.state,
        "started": stage.started_at and stage.started_at.timestamp(),
        "finished": stage.finished_at and stage.finished_at.timestamp(),
    }


def _rounded(box: Box) -> list[float]:
    return [round(side, 1) for side in box]
