"""Redis, Postgres and a Supabase-compatible API, really running, for tests and for trying.

    with Stack(folder) as stack:
        client = supabase.create_client(stack.api.url, stack.api.secret_key)

No root, no Docker: the servers come from wheels and one npm package. `python -m tests.stack up`
starts the same from a shell.
"""

from __future__ import annotations

from tests.stack.server import Server, StackError
from tests.stack.stack import Stack

__all__ = ["Server", "Stack", "StackError"]
