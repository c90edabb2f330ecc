"""A FastAPI application that takes documents in and reports on them; workers do the heavy work.

    uvicorn app:app

The web process writes a row, sends a message and returns: it imports no OCR and no NER library.
"""

from __future__ import annotations

from typing import Annotated, Any

from background import pipeline
from fastapi import Body, Depends, FastAPI, Request
from fastapi.responses import JSONResponse

import docpipe.web
from docpipe import DocpipeError, Pipeline
from docpipe.errors import DocumentNotFoundError

app = FastAPI(title="Documents")
app.mount("/papers", docpipe.web.app(pipeline))  # this machine only; see `authorize` for a login of your own


def the_pipeline() -> Pipeline:
    """The application's pipeline; tests override it with `app.dependency_overrides`."""
    return pipeline


Documents = Annotated[Pipeline, Depends(the_pipeline)]
Upload = Annotated[bytes, Body(media_type="application/octet-stream")]


@app.post("/documents", status_code=202)
def hand_in(name: str, documents: Documents, upload: Upload = b"") -> dict[str, Any]:
    """Take a file in: the body is its bytes, `name` its name. The same bytes again give the same uuid."""
    submission = documents.submit(upload, name=name)
    return {"uuid": submission.document_uuid, "created": submission.created}


@app.get("/documents/{uuid}")
def status(uuid: str, documents: Documents) -> dict[str, Any]:
    """Where the document stands, stage by stage."""
    found = documents.status(uuid)
    return {
        "name": found.name,
        "status": found.status,
        "stages": {stage.stage: stage.state for stage in found.stages},
        "error": found.error and found.error.message,
    }


@app.get("/documents/{uuid}/entities")
def entities(uuid: str, documents: Documents) -> list[dict[str, Any]]:
    """What the document names, and where: page numbers from 1, boxes in points from the top left."""
    document = documents.get(uuid)
    return [
        {
            "name": entity.name,
            "label": entity.label,
            "places": [
                {"page": document.mentions[index].page, "box": document.mentions[index].box}
                for index in entity.mentions
            ],
        }
        for entity in document.entities
    ]


@app.exception_handler(DocpipeError)
def explain(_: Request, error: DocpipeError) -> JSONResponse:
    """docpipe's messages say what the reader can do, so they may be shown."""
    missing = isinstance(error, DocumentNotFoundError)
    code = 404 if missing else 503 if error.retryable else 422
    return JSONResponse({"code": error.code, "message": str(error)}, status_code=code)
