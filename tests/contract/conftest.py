"""Every test of this folder runs on each store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docpipe.stores import open_store
from docpipe.stores.port import Store
from tests.contract import shortly


@pytest.fixture(scope="module", autouse=True)
def beside() -> Iterator[None]:
    yield
    shortly.close()


@pytest.fixture(scope="module", autouse=True)
def no_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each store that is opened would read all authorities of the web, which is most of its opening."""
    with pytest.MonkeyPatch.context() as patch:  # the tests' API speaks HTTP
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("authorities")))
        yield


@pytest.fixture(params=["sqlite", "supabase", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        opened = open_store(f"sqlite://{tmp_path / 'docpipe.db'}")
    else:
        env = request.getfixturevalue("supabase_env")
        opened = open_store(
            request.param,
            supabase_url=env["SUPABASE_URL"],
            supabase_key=env["SUPABASE_SECRET_KEY"],
            supabase_db_url=env["SUPABASE_DB_URL"],
        )
    yield opened
    opened.close()
