"""The ASGI app: its addresses, and what holds for every answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from docpipe.errors import ConfigurationError, DocpipeError, DocumentNotFoundError, EntityNotFoundError
from docpipe.execution.logs import get_logger
from docpipe.pipeline.pipeline import Pipeline
from docpipe.web import document, documents, entities, overview, steering, versions
from docpipe.web.access import SESSION, Access, Authorize
from docpipe.web.pictures import Pictures
from docpipe.web.render import page
from docpipe.web.site import Site, welcome
from docpipe.web.watch import Watch

log = get_logger(__name__)

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OPEN = ("/static/", "/login")


def app(
    pipeline: Pipeline,
    *,
    authorize: Authorize | None = None,
    token: str | None = None,
    secret: str | None = None,
) -> Starlette:
    """The pages as an ASGI app, to be mounted under any path.

    Without `authorize` and without `token`, only requests from this machine are answered.

    Args:
        authorize: request to `Visitor`, or None for nobody; may be a coroutine. A visitor with a project
            sees that project only.
        token: let in whoever enters this word.
        secret: what forms are signed with; give every process of a host the same one.

    Raises:
        ConfigurationError: the token is shorter than 16 characters, or given beside `authorize`.
    """
    if token is not None and (authorize is not None or len(token) < 16):
        raise ConfigurationError("Give a token of at least 16 characters, or `authorize`, and not both.")
    application = Starlette(
        routes=[
            Route("/", overview.show),
            Route("/live", overview.live),
            *documents.ROUTES,
            *document.ROUTES,
            *versions.ROUTES,
            *entities.ROUTES,
            *steering.ROUTES,
            Route("/login", _login, methods=["GET", "POST"]),
            Mount("/static", StaticFiles(directory=str(files("docpipe.web") / "static"))),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_guarded)],
        exception_handlers={HTTPException: _refused, DocpipeError: _failed},
    )
    application.state.site = Site(
        pipeline, Access(authorize, token, secret), Pictures(pipeline), Watch(pipeline)
    )
    return application


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Nobody gets an answer who is not let in; every answer forbids what no page here needs."""
    site: Site = request.app.state.site
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    visitor = await site.access.visitor(request)
    request.state.visitor = visitor
    if visitor is None and not (site.access.has_login and path.startswith(_OPEN)):
        log.warning("web_refused", path=path, client=request.client.host if request.client else None)
        answer: Response = _closed(request, site)
    else:
        try:
            welcome(request, path)
            answer = await call_next(request)
        except HTTPException as refusal:
            answer = _refused(request, refusal)
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    if not path.startswith("/static/"):
        answer.headers.setdefault("Cache-Control", "no-store")
    return answer


def _closed(request: Request, site: Site) -> Response:
    if site.access.has_login and request.method == "GET":
        return RedirectResponse(request.scope.get("root_path", "") + "/login", 303)
    return PlainTextResponse("Forbidden\n", 403)


async def _login(request: Request) -> Response:
    site: Site = request.app.state.site
    home = request.scope.get("root_path", "") + "/"
    if not site.access.has_login or request.state.visitor is not None:
        return RedirectResponse(home, 303)
    if request.method == "GET":
        return page(request, "login.html", title="Log in")
    async with request.form() as form:
        token = form.get("token", "")
    if not site.access.is_token(str(token)):
        log.warning("web_login_failed", client=request.client.host if request.client else None)
        return page(request, "login.html", 403, title="Log in", wrong=True)
    answer = RedirectResponse(home, 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        SESSION, site.access.session, httponly=True, samesite="strict", secure=secure, path=home
    )
    return answer


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _message(request, error.status_code, error.detail)


def _failed(request: Request, error: Exception) -> Response:
    missing = isinstance(error, (DocumentNotFoundError, EntityNotFoundError))
    wrong = isinstance(error, ConfigurationError)
    return _message(request, 404 if missing else 400 if wrong else 503, str(error))


def _message(request: Request, status: int, text: str) -> Response:
    told: dict[str, Any] = {"title": "Not found" if status == 404 else "That did not work", "message": text}
    return page(request, "message.html", status, **told)
