"""Two views: hand a paper in, and see what became of it."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from host.celery import pipeline
from host.models import Paper


@require_POST
@transaction.atomic
def hand_in(request: HttpRequest) -> JsonResponse:
    """The body is the paper's bytes, `?name=` its name.

    docpipe is told on commit: a worker may be faster than the transaction, and a transaction that is
    rolled back must leave no document behind.
    """
    paper = Paper.objects.create(name=request.GET["name"])
    data = request.body
    transaction.on_commit(lambda: submit(paper, data))
    return JsonResponse({"id": paper.pk}, status=202)


def submit(paper: Paper, data: bytes) -> None:
    submission = pipeline.submit(data, name=paper.name, metadata={"paper": paper.pk})
    Paper.objects.filter(pk=paper.pk).update(document_uuid=submission.document_uuid)


@require_GET
def show(_: HttpRequest, pk: int) -> JsonResponse:
    """Where the paper stands, and the people in it."""
    paper = get_object_or_404(Paper, pk=pk)
    if paper.document_uuid is None:
        return JsonResponse({"name": paper.name, "status": "not submitted", "people": []})
    document = pipeline.get(str(paper.document_uuid))
    people = [entity.name for entity in document.entities if entity.label == "PERSON"]
    return JsonResponse({"name": paper.name, "status": document.status, "people": people})
