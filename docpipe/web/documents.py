"""The list of documents, what is done to several of them, and handing new ones in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from docpipe.errors import DocpipeError
from docpipe.models.status import CANCELLED, COMPLETED, COMPLETED_WITH_WARNINGS, PENDING
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.text_search import By
from docpipe.stores.values import Action, Selection
from docpipe.web.render import page
from docpipe.web.site import Told, View, act, genuine, site_of, view_of

_AT_ONCE = 50
_MOST_FILES = 100
_GROUPS = ("failed", "running", "waiting", "completed", "warnings", "cancelled")
_FILTERS = ("status", "name", "error", "stage", "project", "batch", "type", "since", "until")
_SORTS = {
    "": "newest first",
    "-changed": "last changed first",
    "changed": "longest unchanged first",
    "name": "name, A to Z",
    "-name": "name, Z to A",
    "status": "status",
    "-status": "status, the other way round",
    "-pages": "most pages first",
    "pages": "fewest pages first",
}
"""What the list may be sorted by, `Selection.sort`, in words."""


def show(request: Request) -> Response:
    """A page of documents, newest first or sorted; the next page begins after the last one of this."""
    view, asked = view_of(request), request.query_params
    sort = asked.get("sort", "")
    filters = {name: asked.get(name, "").strip() for name in _FILTERS}
    selection = Selection(
        status=_statuses(view.pipeline, filters["status"]),
        name=filters["name"] or None,
        error_code=filters["error"] or None,
        stage=filters["stage"] or None,
        project_id=filters["project"] or None,
        batch=filters["batch"] or None,
        file_type=filters["type"] or None,
        since=_day(filters["since"]),
        until=_day(filters["until"], days=1),
        before=asked.get("before") or None,
        sort=sort or None,
    )
    found = view.documents(selection, _AT_ONCE + 1)
    more = found[_AT_ONCE - 1].document_uuid if len(found) > _AT_ONCE else None
    values: dict[str, Any] = {
        "filters": filters,
        "sort": sort,
        "sorts": _SORTS,
        "more": more,
        "groups": _GROUPS,
        "stages": view.pipeline.stages,
    }
    return page(request, "documents.html", title="Documents", documents=found[:_AT_ONCE], **values)


def _day(asked: str, days: int = 0) -> datetime | None:
    """The beginning of a day in UTC, or of one after it; None: none was asked for.

    Raises:
        HTTPException: 400, it is no day.
    """
    try:
        return datetime.fromisoformat(f"{asked}T00:00Z") + timedelta(days) if asked else None
    except (ValueError, OverflowError) as error:
        raise HTTPException(400, f"{asked} is no day. Write it as 2026-01-31.") from error


def _statuses(pipeline: Pipeline, group: str) -> tuple[str, ...] | None:
    """The statuses that a choice of the page means, or the one that it names; None: any."""
    words = [asdict(stage.words) for stage in pipeline.stages]
    waiting = [PENDING, *(each["queued"] for each in words), *(each["complete"] for each in words)]
    known = {
        "failed": [each["error"] for each in words],
        "running": [each["processing"] for each in words],
        "waiting": waiting,
        "completed": [COMPLETED, COMPLETED_WITH_WARNINGS],
        "warnings": [COMPLETED_WITH_WARNINGS],
        "cancelled": [CANCELLED],
    }
    return tuple(known.get(group, [group])) if group else None


def search(request: Request) -> Response:
    """Pages of documents that hold the words, or say it in others."""
    view, query = view_of(request), request.query_params.get("q", "").strip()
    ways = get_args(By) if view.knows_meaning else ()
    by: By = next((way for way in ways if way == request.query_params.get("by")), "text")
    found, problem = [], None
    if query:
        try:
            found = view.search(query, 50, by)
        except DocpipeError as error:
            problem = str(error)
    return page(
        request, "search.html", title="Search", q=query, found=found, problem=problem, ways=ways, by=by
    )


async def change(request: Request) -> Response:
    """Do one thing to every chosen document, and say how it went for each."""
    async with request.form() as form:
        return await run_in_threadpool(_change, request, form)


def _change(request: Request, form: FormData) -> Response:
    number, view = genuine(request, form), view_of(request)
    name = str(form.get("action", ""))
    if name not in _ACTIONS:
        raise HTTPException(400, "Choose what to do.")
    uuids = list(dict.fromkeys(str(each) for each in form.getlist("document")))
    told = [_one(view, f"{number}.{n}", name, uuid, form) for n, uuid in enumerate(uuids)]
    return page(request, "done.html", title="Done", action=name, told=told)


def _one(view: View, number: str, name: str, uuid: str, form: FormData) -> Told:
    called, left = uuid, None if name == "delete" else uuid
    try:
        status = view.status(uuid)
        called = status.name
        why = str(form.get("why", ""))[:500]
        action = Action(number, view.visitor.name, name, uuid, status.project_id, why)
        return Told(called, act(view, action, lambda: _ACTIONS[name](view.pipeline, uuid, form)), left)
    except DocpipeError as error:
        return Told(called, str(error), left)


def _retry(pipeline: Pipeline, uuid: str, _form: FormData) -> str:
    return "resumed" if pipeline.resume(uuid) else "has nothing to resume"


def _reprocess(pipeline: Pipeline, uuid: str, form: FormData) -> str:
    stage = str(form.get("from_stage") or pipeline.stages[0].name)
    pipeline.reprocess(uuid, from_stage=stage)
    return f"is processed again from {stage}"


def _cancel(pipeline: Pipeline, uuid: str, _form: FormData) -> str:
    return "is asked to stop" if pipeline.cancel(uuid) else "had ended already"


def _delete(pipeline: Pipeline, uuid: str, _form: FormData) -> str:
    gone = pipeline.delete(uuid)
    return "deleted" if gone else "deleted; what is left in storage is removed when it answers"


_ACTIONS: dict[str, Callable[[Pipeline, str, FormData], str]] = {
    "retry": _retry,
    "reprocess": _reprocess,
    "cancel": _cancel,
    "delete": _delete,
}


async def submit(request: Request) -> Response:
    """Take the files that were sent."""
    async with request.form(max_files=_MOST_FILES) as form:
        return await run_in_threadpool(_submit, request, form)


def _submit(request: Request, form: FormData) -> Response:
    number, view = genuine(request, form), view_of(request)
    project = view.project_id or str(form.get("project", "")).strip() or None
    files = [each for each in form.getlist("file") if isinstance(each, UploadFile) and each.filename]
    told = []
    for n, each in enumerate(files):
        name = each.filename or "document"
        action = Action(f"{number}.{n}", view.visitor.name, "submit", None, project, name[:500])
        told.append(_taken(site_of(request).pipeline, view, action, each))
    return page(request, "done.html", title="Submitted", action="submit", told=told)


def _taken(pipeline: Pipeline, view: View, action: Action, file: UploadFile) -> Told:
    uuid = None

    def take() -> str:
        nonlocal uuid
        submission = pipeline.submit(file.file, name=file.filename, project_id=action.project_id)
        uuid = submission.document_uuid
        return f"{'submitted' if submission.created else 'known already'} as {uuid}"

    try:
        how = act(view, action, take)
    except DocpipeError as error:
        how = str(error)
    return Told(file.filename or "document", how, uuid)


ROUTES = [
    Route("/documents", show),
    Route("/search", search),
    Route("/documents/change", change, methods=["POST"]),
    Route("/documents/submit", submit, methods=["POST"]),
]
