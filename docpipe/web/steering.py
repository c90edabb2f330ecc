"""Is all well, and what to do where it is not; who did what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from docpipe.errors import DocpipeError
from docpipe.stores.pause_port import Pause, Paused
from docpipe.stores.share_port import Limit, limit_of
from docpipe.stores.values import Action
from docpipe.web.render import page
from docpipe.web.site import Told, act, everything, genuine, view_of

_LOOKS = ("health", "doctor")
_NUMBERS: dict[str, type[int] | type[float]] = {"in_flight": int, "per_day": int, "weight": float}


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
    values["done"] = view.pipeline.store.actions(limit=100)
    values["pauses"] = [(_name(each), str(each)) for each in view.pipeline.paused()]
    values["limits"], values["shares"] = view.pipeline.limits(), view.pipeline.shares()
    values["stages"] = [spec.name for spec in view.pipeline.stages]
    return page(request, "steering.html", title="Steering", **values)


async def reap(request: Request) -> Response:
    """Let the reaper look now."""
    async with request.form() as form:
        return await run_in_threadpool(_reap, request, form)


def _reap(request: Request, form: FormData) -> Response:
    number, view = genuine(request, form), everything(request)
    action = Action(number, view.visitor.name, "reap", None, None, _why(form))

    def look() -> str:
        outcomes = view.pipeline.reap()
        return ", ".join(f"{count} {word}" for word, count in sorted(outcomes.items())) or "nothing was lost"

    told = act(view_of(request), action, look)
    values: dict[str, Any] = {"action": "reap", "told": [Told("reaper", told)]}
    return page(request, "done.html", title="Done", **values)


async def pause(request: Request) -> Response:
    """Pause a stage, a project or everything."""
    async with request.form() as form:
        return await run_in_threadpool(_pause, request, form, "pause")


async def unpause(request: Request) -> Response:
    """End a pause."""
    async with request.form() as form:
        return await run_in_threadpool(_pause, request, form, "unpause")


def _pause(request: Request, form: FormData, done: str) -> Response:
    number, view = genuine(request, form), everything(request)
    what, name = str(form.get("what", "")), str(form.get("name", ""))
    kind, _, stage = what.partition(":")
    chosen: dict[str, str] = {"stage": {"stage": stage}, "project": {"project_id": name}}.get(kind, {})
    if not chosen and kind != Paused.ALL:
        raise HTTPException(400, "Say what: a stage, a project or everything.")
    action = Action(number, view.visitor.name, done, f"{what} {name}".strip(), None, _why(form))

    def change() -> str:
        if done == "pause":
            return "paused" if view.pipeline.pause(**chosen) else "was paused before"
        return f"{view.pipeline.unpause(**chosen)} documents that were held go on"

    told = act(view_of(request), action, change)
    return page(request, "done.html", title="Done", action=done, told=[Told(action.target or "", told)])


async def limit(request: Request) -> Response:
    """Limit what is in flight, or weigh a project."""
    async with request.form() as form:
        return await run_in_threadpool(_limit, request, form)


def _limit(request: Request, form: FormData) -> Response:
    """What is not named stays as it was, or all is taken away."""
    number, view = genuine(request, form), everything(request)
    project = str(form.get("name", "")) if form.get("what") == "project" else None
    off = form.get("how") == "off"
    named = {} if off else {name: _number(form, name, kind) for name, kind in _NUMBERS.items()}
    changes: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if not changes and not off:
        raise HTTPException(400, "Say how many in flight, how many a day, or the weight.")
    said = "off" if off else ", ".join(f"{name} {value:g}" for name, value in changes.items())
    target = "all" if project is None else f"project {project}".strip()
    action = Action(number, view.visitor.name, "limit", f"{target}: {said}", None, _why(form))

    def change() -> str:
        present = limit_of(view.pipeline.limits(), project)
        count = view.pipeline.limit(Limit(project) if off else replace(present, **changes))
        return f"set; {count} documents that waited go on"

    told = act(view, action, change)
    return page(request, "done.html", title="Done", action="limit", told=[Told(action.target or "", told)])


def _number(form: FormData, name: str, kind: type[int] | type[float]) -> int | float | None:
    """What was typed into a field. Raises `HTTPException` 400 if it is no number of this kind."""
    typed = str(form.get(name, "")).strip()
    try:
        return kind(typed) if typed else None
    except ValueError as error:
        raise HTTPException(400, f"{typed[:40]} is no number. Write 5000 or, for a weight, 1.5.") from error


def _name(pause: Pause) -> tuple[str, str]:
    """What a form says of it: `what` and `name`."""
    if pause.kind is Paused.STAGE:
        return f"stage:{pause.name}", ""
    return pause.kind.value, pause.name


def _why(form: FormData) -> str:
    return str(form.get("why", ""))[:500]


ROUTES = [
    Route("/steering", show),
    Route("/steering/reap", reap, methods=["POST"]),
    Route("/steering/pause", pause, methods=["POST"]),
    Route("/steering/unpause", unpause, methods=["POST"]),
    Route("/steering/limit", limit, methods=["POST"]),
]
