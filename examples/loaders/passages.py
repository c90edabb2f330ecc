"""The chunks of a document as passages for an index of a language model: text, id, and where each stands.

python examples/loaders/passages.py [FILE]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from docpipe import Document, Pipeline, open_store, reading_text

NOTICE = Path(__file__).parents[1] / "documents" / "notice_latin1.txt"
NAMES = {"PERSON", "ORG", "LOCATION"}


@dataclass(frozen=True, slots=True)
class Passage:
    """One chunk. Its metadata are words and numbers only, which every index takes."""

    id: str
    """The same for the same chunk of the same run: what is loaded twice is in the index once."""
    text: str
    """As it is read: words that were broken at the end of a line are whole."""
    metadata: dict[str, str | int]


def passages(document: Document) -> Iterator[Passage]:
    """In the order of the document."""
    for chunk in document.chunks:
        names = {
            each.text
            for each in document.mentions
            if each.label in NAMES and chunk.start <= each.start < chunk.end
        }
        metadata: dict[str, str | int] = {
            "document_uuid": document.document_uuid,
            "run": document.run,
            "source": document.name,
            "project_id": document.project_id or "",
            "page": chunk.page_from,
            "start": chunk.start,
            "end": chunk.end,
            "names": "; ".join(sorted(names)),
        }
        text = reading_text(document.text[chunk.start : chunk.end]).text
        yield Passage(f"{document.document_uuid}-{document.run}-{chunk.index}", text, metadata)


def processed(file: str | Path = NOTICE) -> tuple[Pipeline, str]:
    """For a try: a pipeline in this process that has read one file, and the file's id."""
    pipeline = Pipeline(store=open_store(f"sqlite://{tempfile.mkdtemp()}/docpipe.db"))
    return pipeline, pipeline.process(file).document_uuid


if __name__ == "__main__":
    own, uuid = processed(*sys.argv[1:])
    for passage in passages(own.get(uuid)):
        print(json.dumps(asdict(passage), ensure_ascii=False))
