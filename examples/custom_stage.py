"""A stage of your own: `classify` runs between chunk and entities, with its own queue and statuses.

    python examples/custom_stage.py [FILE]

What it returns is kept with the document, in `document.extras["classify"]`. Here all stages run in this
process; on workers the same stage is the task `docpipe.classify` on the queue `classify`, so a worker of
its own can serve it: `celery -A your_app worker -Q classify`.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from docpipe import CHUNK, ENTITIES, GRAPH, OCR, Document, PermanentError, Pipeline, open_store, own_stage

LETTER = Path(__file__).parent / "documents" / "letter.docx"
SIGNS = {
    "contract": ("agreement", "parties", "hereby", "liability"),
    "invoice": ("invoice", "vat", "iban", "amount due"),
    "quotation": ("quotation", "offer", "delivery", "unit price"),
    "notice": ("notice", "hearing", "tribunal", "registry"),
}


def classify(document: Document) -> dict[str, Any]:
    """What kind of document this is, by the words in it, and how much of it speaks for that.

    A stage gets the document as it stands: here with text, pages and chunks, but no entities yet.
    """
    text = document.text.lower()
    counts = Counter({kind: sum(text.count(sign) for sign in signs) for kind, signs in SIGNS.items()})
    kind, hits = counts.most_common(1)[0]
    if not hits:
        raise PermanentError(f"{document.name} is none of: {', '.join(SIGNS)}.")  # -> status error_classify
    return {"kind": kind, "share": round(hits / counts.total(), 2)}


STAGES = (OCR, CHUNK, own_stage("classify", classify), ENTITIES, GRAPH)


def main(file: str | Path = LETTER) -> None:
    """Process one file and print what the stage said, and the statuses the document went through."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(store=open_store(f"sqlite://{folder}/docpipe.db"), stages=STAGES)
        document = pipeline.process(file)
        history = pipeline.status(document.document_uuid).history
        pipeline.store.close()
    print("statuses:", " -> ".join(status for _, status, _ in history))
    print("entities:", len(document.entities))
    print("extras:", dict(document.extras))


if __name__ == "__main__":
    main(*sys.argv[1:2])
