"""What every page needs: the pipeline, and the part of it that a visitor sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, NoReturn

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from docpipe.errors import DocumentNotFoundError
from docpipe.execution.logs import get_logger
from docpipe.execution.plan import EMBED
from docpipe.models import DocumentStatus
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.text_search import By, Passage
from docpipe.stores.values import Action, Selection, Summary
from docpipe.web.access import FORM, Access, Visitor
from docpipe.web.pictures import Pictures
from docpipe.web.watch import Watch

log = get_logger(__name__)

_SUBMIT = "/documents/submit"
"""The only form with files."""
_FORM_BYTES = 1_000_000
"""The most that another form holds: ids and words."""


@dataclass(frozen=True, slots=True)
class Site:
    """The app's own things."""

    pipeline: Pipeline
    access: Access
    pictures: Pictures
    watch: Watch


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def visitor_of(request: Request) -> Visitor:
    visitor: Visitor = request.state.visitor
    return visitor


@dataclass(frozen=True, slots=True)
class View:
    """What one visitor sees. Whatever is another project's is answered as what nobody has."""

    pipeline: Pipeline
    visitor: Visitor

    @property
    def project_id(self) -> str | None:
        return self.visitor.project_id

    def status(self, document_uuid: str) -> DocumentStatus:
        """Raises `DocumentNotFoundError`."""
        found = self.pipeline.status(document_uuid)
        if self.project_id is not None and found.project_id != self.project_id:
            log.warning("web_other_project", who=self.visitor.name, document=document_uuid)
            raise DocumentNotFoundError(f"The store knows no document {document_uuid}.")
        return found

    def entity(self, entity_id: str) -> str:
        """The id, if the visitor may see the entity. Raises `DocumentNotFoundError`."""
        self.status(entity_id.partition("/entity:")[0])
        return entity_id

    def documents(self, selection: Selection, limit: int) -> list[Summary]:
        project = selection.project_id if self.project_id is None else self.project_id
        return self.pipeline.store.documents(replace(selection, project_id=project), limit=limit)

    def search(self, query: str, limit: int, by: By) -> list[Passage]:
        return self.pipeline.search_text(query, project_id=self.project_id, limit=limit, by=by)

    @property
    def knows_meaning(self) -> bool:
        """Whether documents can be searched by meaning."""
        return EMBED in self.pipeline.stages


class Told(NamedTuple):
    """How an action went, a line of the page that says so."""

    what: str
    how: str
    document_uuid: str | None = None
    """Where to look next."""


def number_of(asked: str | None) -> int | None:
    """The number that an address names, of at most eight digits; None where it names none."""
    return int(asked) if asked and asked.isascii() and asked.isdigit() and len(asked) < 9 else None


def view_of(request: Request) -> View:
    return View(site_of(request).pipeline, visitor_of(request))


def everything(request: Request) -> View:
    """The view of somebody who sees all projects. Raises `HTTPException` 404 for others."""
    view = view_of(request)
    if view.project_id is not None:
        log.warning("web_other_project", who=view.visitor.name, path=request.url.path)
        raise HTTPException(404, "There is no such page.")
    return view


def welcome(request: Request, path: str) -> None:
    """Whether what is sent is read at all: the files of a form are on the disk before a page sees them.

    Raises:
        HTTPException: 403, with a line in the log, if a visitor may only look, or the form is of another
            site; 413 if it is larger than ours, or does not say how large it is.
    """
    if request.method != "POST":
        return
    visitor: Visitor | None = request.state.visitor
    if visitor is not None and not visitor.may_change:
        log.warning("web_not_allowed", who=visitor.name, path=path)
        raise HTTPException(403, "You may look, and change nothing.")
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        _forged(visitor, path)
    size = request.headers.get("content-length", "")
    is_known = size.isdecimal() and len(size) < 20 and "transfer-encoding" not in request.headers
    if path != _SUBMIT and not (is_known and int(size) <= _FORM_BYTES):
        raise HTTPException(413, f"This form holds more than {_FORM_BYTES:,} bytes.")


def _forged(visitor: Visitor | None, path: str) -> NoReturn:
    log.warning("web_forged", who=visitor and visitor.name, path=path)
    raise HTTPException(403, "This form is not one of ours, or too old. Load the page again.")


def genuine(request: Request, form: FormData) -> str:
    """The number of the form that was sent. Raises `HTTPException` 403, and says so in the log, if it was not
    made here for this visitor.
    """
    visitor = visitor_of(request)
    number = site_of(request).access.form_number(visitor, str(form.get(FORM, "")))
    if number is None:
        _forged(visitor, request.url.path)
    return number


def act(view: View, action: Action, do: Callable[[], str]) -> str:
    """Write the action down, then do it, and say how it went. What was sent before is not done again.

    Raises:
        HTTPException: 409, it was sent before.
        DocpipeError: as `do`.
    """
    if not view.pipeline.store.record_action(action):
        log.warning("web_replayed", who=action.who, action=action.action, form=action.id)
        raise HTTPException(409, "This form was sent before, and nothing was done again.")
    log.info("web_action", who=action.who, action=action.action, target=action.target, why=action.why)
    return do()
