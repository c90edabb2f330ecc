"""The shape of `docpipe run --json`: the same keys whether a document completed or failed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from docpipe import errors
from docpipe.cli.views.document_json import failed_json, to_json
from docpipe.models import (
    Chunk,
    Document,
    Entity,
    Evidence,
    Failure,
    Line,
    Mention,
    Method,
    Page,
    PageBox,
    Relation,
    Warn,
)
from tests.unit.conftest import NewPipeline

TEXT = "Ann works for Acme."
LINE = PageBox(1, (72.0, 72.0, 200.0, 84.0))
PLACES = [{"page": 1, "bbox": [72.0, 72.0, 200.0, 84.0]}]
DOCUMENT = Document(
    document_uuid="6ab4b8f7",
    run=1,
    status="completed_with_warnings",
    name="note.pdf",
    text=TEXT,
    pages=(
        Page(
            1,
            0,
            19,
            595.0,
            842.0,
            Method.OCR,
            (Line(0, 19, (72.0, 72.0, 200.0, 84.0), 0.9),),
            "no text layer",
            0.91234,
        ),
    ),
    chunks=(Chunk(0, 0, 19, 1, 1, TEXT, (LINE,)),),
    mentions=(
        Mention(
            0,
            "Ann",
            "PERSON",
            0,
            3,
            1,
            (72.0, 72.004, 90.126, 84.0),
            0.123456,
            "spacy",
            0,
            boxes=((72.0, 72.004, 90.126, 84.0),),
        ),
        Mention(1, "Acme", "ORG", 14, 18, 1, None, 1.0, "pattern", 0),
    ),
    entities=(Entity(0, "Ann", "PERSON", (0,)), Entity(1, "Acme", "ORG", (1,))),
    relations=(Relation("WORKS_FOR", 0, 1, Evidence(0, 19, 1, (LINE,)), 0.8),),
    warnings=(Warn("low_confidence", "Page 1 is hard to read.", 1),),
)

EXPORTED = {
    "source": "in/note.pdf",
    "parent": None,
    "children": [],
    "document_uuid": "6ab4b8f7",
    "status": "completed_with_warnings",
    "error": None,
    "warnings": [{"code": "low_confidence", "message": "Page 1 is hard to read.", "page": 1}],
    "text": TEXT,
    "pages": [
        {
            "number": 1,
            "start": 0,
            "end": 19,
            "width": 595.0,
            "height": 842.0,
            "method": "ocr",
            "reason": "no text layer",
            "confidence": 0.9123,
            "part": "",
        }
    ],
    "chunks": [
        {
            "index": 0,
            "start": 0,
            "end": 19,
            "page_from": 1,
            "page_to": 1,
            "boxes": PLACES,
            "reading_text": TEXT,
        }
    ],
    "mentions": [
        {
            "text": "Ann",
            "label": "PERSON",
            "value": None,
            "start": 0,
            "end": 3,
            "page": 1,
            "bbox": [72.0, 72.0, 90.13, 84.0],
            "boxes": [[72.0, 72.0, 90.13, 84.0]],
            "score": 0.1235,
        },
        {
            "text": "Acme",
            "label": "ORG",
            "value": None,
            "start": 14,
            "end": 18,
            "page": 1,
            "bbox": None,
            "boxes": [],
            "score": 1.0,
        },
    ],
    "entities": [
        {"name": "Ann", "label": "PERSON", "mentions": [0], "merges": []},
        {"name": "Acme", "label": "ORG", "mentions": [1], "merges": []},
    ],
    "relations": [
        {
            "type": "WORKS_FOR",
            "source": 0,
            "target": 1,
            "evidence": {"start": 0, "end": 19, "page": 1, "boxes": PLACES},
            "score": 0.8,
            "verb": "",
            "count": 1,
        }
    ],
    "kind": None,
    "subject": None,
    "title": "",
    "facts": [],
}


def test_a_document_is_exported_with_everything_found_in_it() -> None:
    exported = to_json(DOCUMENT, "in/note.pdf")
    assert exported == EXPORTED
    assert json.loads(json.dumps(exported)) == EXPORTED


def test_a_stored_failure_is_exported_with_code_message_and_stage() -> None:
    failed = replace(DOCUMENT, error=Failure("corrupt", "CorruptDocumentError", "It is torn.", "ocr", "…"))
    assert to_json(failed, "x")["error"] == {"code": "corrupt", "message": "It is torn.", "stage": "ocr"}


def test_a_failed_document_has_the_same_keys_with_nothing_in_them() -> None:
    error = errors.EncryptedDocumentError("note.pdf is protected by a password.", stage="ocr")
    exported = failed_json(error, "in/note.pdf", "6ab4b8f7", "error_ocr")
    assert exported.keys() == EXPORTED.keys()
    assert {key: value for key, value in exported.items() if value not in ([], "", None)} == {
        "source": "in/note.pdf",
        "document_uuid": "6ab4b8f7",
        "status": "error_ocr",
        "error": {
            "code": "encrypted",
            "message": "note.pdf is protected by a password. Remove the password and submit it again.",
            "stage": "ocr",
        },
    }


def test_the_exported_offsets_point_into_the_exported_text(new_pipeline: NewPipeline, note: Path) -> None:
    exported = to_json(new_pipeline().process(note), str(note))
    text = exported["text"]
    assert [text[mention["start"] : mention["end"]] for mention in exported["mentions"]] == ["Ann", "Bob"]
    assert [text[chunk["start"] : chunk["end"]] for chunk in exported["chunks"]] == ["Ann met Bob."]
