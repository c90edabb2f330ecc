"""Stores by name: `sqlite:///path` or `supabase`."""

from __future__ import annotations

from docpipe.errors import ConfigurationError
from docpipe.models.masking import masked
from docpipe.stores.port import Store


def open_store(
    url: str,
    *,
    supabase_url: str | None = None,
    supabase_key: str | None = None,
    supabase_token: str | None = None,
) -> Store:
    """The store that `url` names; nothing is connected yet.

    Args:
        url: `sqlite:///absolute/path.db`, `sqlite://relative.db`, or `supabase`.
        supabase_url, supabase_key: for `supabase`.
        supabase_token: a JWT of a role with less than the key's; the key may be a public one then.

    Raises:
        ConfigurationError: the name is unknown, no file, or Supabase's address or key is missing.
    """
    # imported here, each only when chosen: supabase-py costs 0.6 s, which an embedded run need not pay
    if url.startswith("sqlite://"):
        from docpipe.stores.sqlite.store import SqliteStore  # noqa: PLC0415

        path = url.removeprefix("sqlite://")
        if path.strip("/") in ("", ":memory:"):  # several threads and processes open it, each anew
            raise ConfigurationError(f"{masked(url)} names no file. Use sqlite:///path/to/file.db.")
        return SqliteStore(path)
    if url == "supabase":
        from docpipe.stores.supabase.store import SupabaseStore  # noqa: PLC0415

        if not supabase_url or not supabase_key:
            raise ConfigurationError("The supabase store needs SUPABASE_URL and SUPABASE_SECRET_KEY.")
        return SupabaseStore(supabase_url, supabase_key, supabase_token)
    raise ConfigurationError(f"There is no store {masked(url)!r}. Use sqlite:///path/to/file.db or supabase.")
