"""Is all well, and what to do where it is not; who did what."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from docpipe.errors import DocpipeError
from docpipe.stores.values import Action
from docpipe.web.render import page
from docpipe.web.site import act, everything, genuine, view_of

_LOOKS = ("health", "doctor")


def show(request: Request) -> Response:
    """Health and doctor are asked when somebody wants to know: both take a moment."""
    view = everything(request)
    asked = request.query_params.get("look", "")
    found, problem = [], None
    try:
        if asked == "health":
            found = [(each.level.value, each.check, each.message) for each in view.pipeline.health().checks]
        elif asked == "doctor":
            found = [
                ("ok" if each.ok else "wrong", each.check, each.message) for each in view.pipeline.examine()
            ]
    except DocpipeError as error:
        problem = str(error)
    values: dict[str, Any] = {"look": asked if asked in _LOOKS else "", "found": found, "problem": problem}
    done = view.pipeline.store.actions(limit=100)
    return page(request, "steering.html", title="Steering", done=done, **values)


async def reap(request: Request) -> Response:
    """Let the reaper look now."""
    async with request.form() as form:
        return await run_in_threadpool(_reap, request, form)


def _reap(request: Request, form: FormData) -> Response:
    number, view = genuine(request, form), everything(request)
    action = Action(number, view.visitor.name, "reap", None, None, str(form.get("why", ""))[:500])

    def look() -> str:
        outcomes = view.pipeline.reap()
        return ", ".join(f"{count} {word}" for word, count in sorted(outcomes.items())) or "nothing was lost"

    told = act(view_of(request), action, look)
    values: dict[str, Any] = {"action": "reap", "told": [("reaper", told)]}
    return page(request, "done.html", title="Done", **values)


ROUTES = [Route("/steering", show), Route("/steering/reap", reap, methods=["POST"])]
