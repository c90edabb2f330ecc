"""Who may come in, and which of their forms are genuine."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable

from starlette.requests import Request

from docpipe.errors import ConfigurationError

SESSION = "docpipe_session"
FORM = "form"
"""The field of a form that proves where it comes from."""
_FORM_SECONDS = 12 * 3600.0
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in."""

    name: str
    """What is written down when they do something."""
    project_id: str | None = None
    """The only project they see and change; None: everything, and steering too."""
    may_change: bool = True
    """Whether they may do more than look."""

    def __post_init__(self) -> None:
        if self.project_id == "":
            raise ConfigurationError(
                f"The visitor {self.name} has an empty project_id. None means: all projects."
            )


Authorize = Callable[[Request], "Visitor | Awaitable[Visitor | None] | None"]


class Access:
    """The visitor of a request, and the forms that were made for them.

    Args:
        authorize: the host's own login; None: see `token`.
        token: whoever knows it may do everything; None: only this machine may come in.
        secret: what forms and sessions are signed with, the same in every process of a host.
    """

    def __init__(self, authorize: Authorize | None, token: str | None, secret: str | None) -> None:
        self._authorize = authorize
        self._token = token
        self._key = (secret or secrets.token_hex(32)).encode()

    @property
    def has_login(self) -> bool:
        """Whether there is a token to ask for."""
        return self._authorize is None and self._token is not None

    async def visitor(self, request: Request) -> Visitor | None:
        """Who asks; None: nobody that may come in."""
        if self._authorize is not None:
            found = self._authorize(request)
            return await found if isawaitable(found) else found
        if self._token is not None:
            known = _is_same(request.cookies.get(SESSION, ""), self.session)
            return Visitor("token") if known else None
        return Visitor("this machine") if _is_local(request) else None

    def is_token(self, token: str) -> bool:
        """Whether this is the token."""
        return self._token is not None and _is_same(token, self._token)

    @property
    def session(self) -> str:
        """The cookie of somebody who knew the token."""
        return self._signed("session", self._token or "")

    def new_form(self, visitor: Visitor) -> str:
        """The proof that a form was made here, for this visitor, not long ago. It serves once."""
        number, at = secrets.token_hex(16), str(int(time.time()))
        return f"{number}.{at}.{self._signed(number, at, visitor.name, visitor.project_id or '')}"

    def form_number(self, visitor: Visitor, form: str) -> str | None:
        """The number of a genuine form; None if it is forged, another's or too old."""
        number, _, rest = form.partition(".")
        at, _, signature = rest.partition(".")
        expected = self._signed(number, at, visitor.name, visitor.project_id or "")
        if not _is_same(signature, expected):
            return None
        return number if time.time() - int(at) <= _FORM_SECONDS else None

    def _signed(self, *parts: str) -> str:
        return hmac.new(self._key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def _is_same(told: str, known: str) -> bool:
    """Takes as long whatever is told."""
    return hmac.compare_digest(told.encode(errors="surrogatepass"), known.encode())


def _is_local(request: Request) -> bool:
    """From this machine, by a name of its own (a foreign page's may lead here too), and through no proxy."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    host = request.headers.get("host", "").lower()
    name = host[: host.rindex("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return address.is_loopback and name in _LOOPBACK_HOSTS
