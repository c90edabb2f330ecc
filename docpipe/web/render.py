"""Templates, and what they call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from docpipe.models.visible import visible
from docpipe.web.access import FORM

SHOWN_LABELS = ("PERSON", "ORG", "LOCATION", "DATE", "MONEY", "EMAIL", "PHONE", "IBAN")
"""Labels with a colour of their own in `style.css`; others share one."""


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("docpipe.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {"visible": visible, "time": _time, "duration": _duration, "label": label_class}
    return found


def fragment(template: str, **values: Any) -> str:
    """A template's text."""
    text: str = _environment().get_template(template).render(values)
    return text


def url_of(request: Request) -> Callable[..., str]:
    """Makes addresses of pages, under whatever path the host has mounted them."""
    base: str = request.scope.get("root_path", "")

    def url(path: str, **query: Any) -> str:
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        return base + path + (f"?{urlencode(asked)}" if asked else "")

    return url


def page(request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
    """A whole page. Templates get `url`, and `form`, a field that proves where the form comes from."""
    site, visitor = request.app.state.site, request.state.visitor

    def form() -> Mapping[str, str]:
        return {"name": FORM, "value": site.access.new_form(visitor)}

    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    known = {"url": url_of(request), "form": form, "visitor": visitor, "path": path}
    return HTMLResponse(fragment(template, **(known | values)), code)


def label_class(label: str) -> str:
    """The class of a label's colour and shape."""
    return f"l-{label.lower()}" if label in SHOWN_LABELS else "l-other"


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
