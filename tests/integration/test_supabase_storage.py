"""Documents that rest in Supabase Storage, behind the real API."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

import httpx
import pytest
from supabase import ClientOptions, create_client

from docpipe.errors import ConfigurationError, SourceForbiddenError, SourceNotFoundError
from docpipe.sources import Sources

CONTENT = b"Ann met Bob. " * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def bucket(supabase_env: dict[str, str]) -> Iterator[str]:
    """A private bucket of the test's own."""
    name = f"docs-{uuid.uuid4().hex[:8]}"
    with httpx.Client() as http:
        options = ClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        client = create_client(supabase_env["SUPABASE_URL"], supabase_env["SUPABASE_SECRET_KEY"], options)
        client.storage.create_bucket(name)
        yield name


@pytest.fixture
def sources(bucket: str, supabase_env: dict[str, str]) -> Sources:
    keys = (supabase_env["SUPABASE_URL"], supabase_env["SUPABASE_SECRET_KEY"])
    return Sources(uploads=f"supabase://{bucket}/in", supabase=keys)


def test_bytes_rest_there_and_come_back_the_same(sources: Sources, bucket: str) -> None:
    taken = sources.take_in(CONTENT, "Brief Nr. 7.txt")
    assert taken.uri == f"supabase://{bucket}/in/{DIGEST[:2]}/{DIGEST}"
    with sources.fetch(taken.uri, taken.digest, taken.name) as path:
        assert path.read_bytes() == CONTENT


def test_taking_the_same_bytes_in_again_is_harmless(sources: Sources) -> None:
    assert sources.take_in(CONTENT, "a.txt").uri == sources.take_in(CONTENT, "b.txt").uri


def test_a_document_that_rests_there_is_taken_in_by_its_locator(sources: Sources) -> None:
    uri = sources.take_in(CONTENT, "a.txt").uri
    assert sources.take_in(uri, "a.txt").digest == DIGEST


def test_a_missing_object_is_not_found(sources: Sources, bucket: str) -> None:
    with pytest.raises(SourceNotFoundError, match="no object"):
        sources.take_in(f"supabase://{bucket}/in/gone.txt")


def test_a_key_without_rights_is_refused(sources: Sources, supabase_env: dict[str, str]) -> None:
    uri = sources.take_in(CONTENT, "a.txt").uri
    stranger = Sources(allow=[uri], supabase=(supabase_env["SUPABASE_URL"], "sb_secret_wrong"))
    with pytest.raises((SourceForbiddenError, SourceNotFoundError)):
        stranger.take_in(uri)


def test_without_address_and_key_it_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="SUPABASE_URL and SUPABASE_SECRET_KEY"):
        Sources(allow=["supabase://bucket"]).take_in("supabase://bucket/key.txt")
