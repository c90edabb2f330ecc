"""The schema's version is that of the newest migration, in the SQL and in the code that asks for it."""

from __future__ import annotations

import re
from pathlib import Path

from docpipe.stores.supabase.store import SCHEMA_VERSION

SQL = Path(__file__).parents[2] / "sql"


def test_the_newest_migration_says_its_own_version() -> None:
    newest = max(SQL.glob("*.sql"))
    said = re.findall(r"docpipe_schema_version\(\) returns text\n.*select '(\d{14})'", newest.read_text())
    assert said == [newest.name[:14]], (
        f"end {newest.name} with its own docpipe_schema_version(), and set SCHEMA_VERSION in supabase.py"
    )
    assert said == [SCHEMA_VERSION]
