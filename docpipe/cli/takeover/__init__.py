"""The database's schema: `docpipe db apply`, `check` and `export` over a direct Postgres connection."""
