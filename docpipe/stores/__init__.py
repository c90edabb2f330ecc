"""Stores by name: `sqlite:///path`, `supabase` or `postgres`. Only the one that is opened is imported."""

from __future__ import annotations

from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.models.masking import masked
from docpipe.stores.port import Store


def open_store(
    url: str,
    *,
    supabase_url: str | None = None,
    supabase_key: str | None = None,
    supabase_token: str | None = None,
    supabase_db_url: str | None = None,
) -> Store:
    """The store that `url` names; nothing is connected yet.

    Args:
        url: `sqlite:///absolute/path.db`, `sqlite://relative.db`, `supabase` or `postgres`.
        supabase_url, supabase_key: for `supabase`.
        supabase_token: a JWT of a role with less than the key's; the key may be a public one then.
        supabase_db_url: for `postgres`, the database's own address; with `supabase_url` it is the store of
            all who go through that API.

    Raises:
        ConfigurationError: the name is unknown, no file, or an address or key is missing.
        MissingExtraError: `postgres` needs the extra of that name.
    """
    # imported here, each only when chosen: the API's client costs 0.3 s, which an embedded run need not pay
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
    if url == "postgres":
        if not supabase_db_url:
            raise ConfigurationError("The postgres store needs SUPABASE_DB_URL.")
        return _postgres(supabase_db_url, supabase_url)
    raise ConfigurationError(
        f"There is no store {masked(url)!r}. Use sqlite:///path/to/file.db, supabase or postgres."
    )


def _postgres(dsn: str, api: str | None) -> Store:
    try:
        from docpipe.stores.postgres.store import PostgresStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module(error.name or "psycopg", "postgres") from error
    return PostgresStore(dsn, api)
