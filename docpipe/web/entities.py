"""What the documents of a project name, and what people decide about it."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from docpipe.graph.reader import Graphs
from docpipe.graph.values import ProjectEntity
from docpipe.stores.values import Action
from docpipe.web.render import SHOWN_LABELS, page
from docpipe.web.site import Told, act, genuine, number_of, view_of

_AT_ONCE = 50
_MEMBERS = 200
_DECISIONS = ("merge", "split")
_OTHERS = 20


def show(request: Request) -> Response:
    """The entities of a project, by label and name."""
    view, asked = view_of(request), request.query_params
    project = view.project_id if view.project_id is not None else asked.get("project", "").strip()
    text, after = asked.get("q", "").strip(), asked.get("after") or None
    found = view.pipeline.graphs.search(text, project_id=project or None, limit=_AT_ONCE, after=after)
    values: dict[str, Any] = {"q": text, "project": project, "labels": sorted(SHOWN_LABELS)}
    return page(request, "entities.html", title="Entities", found=found, **values)


def one(request: Request) -> Response:
    """Everything known of one entity, across the documents of its project."""
    view = view_of(request)
    index = number_of(request.path_params["index"])
    if index is None:
        raise HTTPException(404, "There is no such entity.")
    entity_id = view.entity(f"{request.path_params['uuid']}/entity:{index}")
    graphs, asked = view.pipeline.graphs, request.query_params
    explained = graphs.explain(entity_id)
    find = asked.get("find", max(explained.entity.name.split(), key=len, default=""))
    near = graphs.neighbours(entity_id, limit=_AT_ONCE, after=asked.get("after") or None)
    places = [each.partition("/entity:")[::2] for each in explained.entity.members[:_MEMBERS]]
    names = {uuid: view.status(uuid).name for uuid, _ in places}
    done = [
        each
        for each in view.pipeline.store.actions(view.project_id, limit=500)
        if each.action in _DECISIONS and set((each.target or "").split()) & set(explained.entity.members)
    ]
    values: dict[str, Any] = {
        "explained": explained,
        "near": near,
        "places": places,
        "names": names,
        "done": done,
        "find": find,
        "others": _others(graphs, explained.entity, find),
    }
    return page(request, "entity.html", title=explained.entity.name, entity=explained.entity, **values)


def _others(graphs: Graphs, entity: ProjectEntity, text: str) -> list[ProjectEntity]:
    """Entities of the project that are spelt with the text: what this one might be merged with."""
    found = graphs.search(text, project_id=entity.project_id, limit=_OTHERS + 1).items if text else ()
    return [each for each in found if each.id not in entity.members][:_OTHERS]


async def decide(request: Request) -> Response:
    """Say that two entities are one, or that they are two; either takes the other back."""
    async with request.form() as form:
        return await run_in_threadpool(_decide, request, form)


def _decide(request: Request, form: FormData) -> Response:
    number, view = genuine(request, form), view_of(request)
    name = str(form.get("action", ""))
    if name not in _DECISIONS:
        raise HTTPException(400, "Choose whether they are one or two.")
    ids = [view.entity(str(form.get(field, "")).strip()) for field in ("one", "other")]
    project = view.pipeline.graphs.entity(ids[0]).project_id
    action = Action(number, view.visitor.name, name, " ".join(ids), project, str(form.get("why", ""))[:500])
    graphs = view.pipeline.graphs
    decided = graphs.merge if name == "merge" else graphs.split
    told = act(view, action, lambda: decided(ids[0], ids[1], who=action.who, why=action.why or "").name)
    said = "is one entity now" if name == "merge" else "is two entities now"
    values: dict[str, Any] = {"action": name, "told": [Told(ids[0], f"{told} {said}")]}
    return page(request, "done.html", title="Decided", **values)


ROUTES = [
    Route("/entities", show),
    Route("/entities/decide", decide, methods=["POST"]),
    Route("/entities/{uuid}/{index}", one),
]
