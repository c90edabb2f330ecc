"""What waits, what runs and what failed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from docpipe.errors import DocpipeError
from docpipe.stores.statistics import DocumentCount
from docpipe.web.render import fragment, page, url_of
from docpipe.web.site import View, site_of, view_of
from docpipe.web.watch import Watch

_EVERY_SECONDS = 2.0


def show(request: Request) -> Response:
    """The page. What it shows is looked at once; a script asks `live` for more."""
    return page(
        request, "overview.html", title="Overview", **_values(view_of(request), site_of(request).watch)
    )


async def live(request: Request) -> Response:
    """The same numbers, again and again, as server-sent events."""
    view, url, watch = view_of(request), url_of(request), site_of(request).watch

    async def events() -> AsyncIterator[str]:
        while not await request.is_disconnected():
            text = await run_in_threadpool(
                lambda: fragment("_overview.html", url=url, **_values(view, watch))
            )
            lines = "".join(f"data: {line}\n" for line in text.splitlines())
            yield f"event: overview\n{lines}\n"
            await asyncio.sleep(_EVERY_SECONDS)

    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


def _values(view: View, watch: Watch) -> dict[str, Any]:
    """Of one project only how many documents have which status: the rest is about all of them."""
    if view.pipeline.app is None:
        return {"snapshot": None, "problems": [], **_counted(view)}
    snapshot = watch.snapshot()
    statistics = snapshot.statistics
    counts = _counts(statistics.documents, view.project_id) if statistics else []
    problems = [f"{each.part}: {each.message}" for each in snapshot.problems]
    if view.project_id is not None:
        return {"snapshot": None, "statistics": None, "counts": counts, "problems": []}
    return {"snapshot": snapshot, "statistics": statistics, "counts": counts, "problems": problems}


def _counted(view: View) -> dict[str, Any]:
    try:
        statistics = view.pipeline.store.statistics()
    except DocpipeError as error:
        return {"statistics": None, "counts": [], "problems": [str(error)]}
    told = statistics if view.project_id is None else None
    return {"statistics": told, "counts": _counts(statistics.documents, view.project_id)}


def _counts(documents: tuple[DocumentCount, ...], project_id: str | None) -> list[tuple[str, int]]:
    found: Counter[str] = Counter()
    for each in documents:
        if project_id in (None, each.project_id):
            found[each.status or "none"] += each.documents
    return sorted(found.items())
