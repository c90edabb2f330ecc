"""Web pages to look at documents and to steer: an ASGI app that a host mounts, or `docpipe web`.

    app = docpipe.web.app(pipeline, authorize=visitor_of)

It is rendered on the server and loads nothing from elsewhere. Needs the extra `web`.
"""

from __future__ import annotations

from docpipe.web.access import Visitor
from docpipe.web.application import app

__all__ = ["Visitor", "app"]
