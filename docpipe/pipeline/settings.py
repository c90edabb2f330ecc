"""Settings, read once, at the edge: environment variables with the prefix `DOCPIPE_`, plus known names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AliasChoices, BaseModel, Field, Secret, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from docpipe.errors import ConfigurationError
from docpipe.execution.layers import Mode, Sandbox
from docpipe.execution.options import Options
from docpipe.execution.policy import Policy, Retention
from docpipe.formats.base import Limits
from docpipe.models.masking import masked
from docpipe.models.reading import HIGHEST_DPI, LOWEST_DPI
from docpipe.sources import Sources
from docpipe.stores import open_store
from docpipe.stores.port import Store

_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?P<user>.*@)?[^@]*", re.IGNORECASE | re.DOTALL)

_LANGUAGE = re.compile(r"[a-z]{2,3}")

_DAY_SECONDS = 86_400.0
_MAX_DAYS = 36_500.0
"""A hundred years."""


def data_folder() -> Path:
    """Where embedded runs keep their store and uploads, per user.

    Raises:
        ConfigurationError: the user has no home folder.
    """
    try:
        folder = Path(platformdirs.user_data_dir("docpipe", appauthor=False))
    except RuntimeError:  # the newer versions
        folder = Path("~")
    if not folder.is_absolute():  # `~` stays where the system knows no home
        raise ConfigurationError(
            "This user has no home folder for a store. Set HOME, or DOCPIPE_STORE and DOCPIPE_UPLOADS."
        )
    return folder


class LimitSettings(BaseModel):
    """`DOCPIPE_LIMITS__…`: the fields of `docpipe.formats.base.Limits`; None leaves the default."""

    max_bytes: int | None = Field(None, gt=0)
    max_pages: int | None = Field(None, gt=0)
    max_image_pixels: int | None = Field(None, gt=0)
    max_render_pixels: int | None = Field(None, gt=0)
    max_expanded_bytes: int | None = Field(None, gt=0)
    max_attachments: int | None = Field(None, ge=0)
    max_attachment_depth: int | None = Field(None, ge=0)
    max_descendants: int | None = Field(None, ge=0)
    max_characters: int | None = Field(None, gt=0)
    max_seconds: float | None = Field(None, gt=0)
    max_memory_bytes: int | None = Field(None, ge=300_000_000)

    def limits(self) -> Limits:
        return Limits(**self.model_dump(exclude_none=True))


class Settings(BaseSettings):
    """Everything that can be set from outside; see docs/reference/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix="DOCPIPE_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    store: str | None = None
    """`sqlite:///path`, `supabase` or `postgres`; unset: `supabase` if its address is set, else a file of the
    user's own."""
    supabase_url: str | None = Field(None, validation_alias=AliasChoices("SUPABASE_URL"))
    supabase_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_KEY"),
    )
    supabase_token: SecretStr | None = None
    web_token: SecretStr | None = None
    supabase_db_url: SecretStr | None = Field(None, validation_alias=AliasChoices("SUPABASE_DB_URL"))
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), validation_alias=AliasChoices("CELERY_BROKER_URL", "REDIS_URL")
    )
    key_prefix: str = Field("docpipe:", min_length=1)
    uploads: str | None = None
    sources_allowed: Annotated[list[str] | None, NoDecode] = Field(
        None, validation_alias=AliasChoices("DOCPIPE_SOURCES")
    )
    allow_https: bool = False
    otlp_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("DOCPIPE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    webhooks_internal: Annotated[list[str] | None, NoDecode] = None

    ocr_engine: str = "rapidocr"
    ocr_inference: Literal["auto", "onnxruntime", "openvino", "cuda"] = "auto"
    ocr_precision: Literal["float", "auto", "int8"] = "float"
    ocr_dpi: int = Field(200, ge=LOWEST_DPI, le=HIGHEST_DPI)
    ocr_min_confidence: float = Field(0.8, ge=0, le=1)
    ocr_second_engine: str | None = None
    ocr_split_pages: int = Field(50, ge=0)
    ocr_range_pages: int = Field(10, ge=1)
    ocr_ranges_at_once: int = Field(8, ge=1)
    ner_engine: str = "docpipe"
    ner_model: str | None = None
    ner_models: Annotated[dict[str, str], NoDecode] = {}
    ner_options: dict[str, Secret[Any]] = {}
    ner_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("DOCPIPE_NER_KEY", "OPENAI_API_KEY")
    )
    embed_engine: str | None = None
    embed_model: str | None = None
    embed_options: dict[str, Secret[Any]] = {}
    embed_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("DOCPIPE_EMBED_KEY", "OPENAI_API_KEY")
    )
    gazetteer: str | None = None
    chunk_max: int = Field(1500, ge=100)
    chunk_overlap: int = Field(0, ge=0)
    chunk_unit: Literal["characters", "tokens"] = "characters"
    co_occurrence: bool = False
    limits: LimitSettings = LimitSettings()
    attachments: Literal["pages", "children"] = "pages"
    isolate: bool = True
    sandbox: Mode = "best"
    sandbox_waive: str | None = None
    sandbox_read: str | None = None
    sandbox_env: str | None = None
    sandbox_documents: int = Field(200, ge=1)
    log_json: bool = False
    waive: Annotated[list[str], NoDecode] = []

    lease_seconds: float = Field(60.0, gt=0)
    grace_seconds: float = Field(30.0, gt=0)
    reap_seconds: float = Field(30.0, gt=0)
    max_retries: int = Field(3, ge=0)
    max_attempts: int = Field(5, ge=1)
    backoff_seconds: float = Field(2.0, gt=0)
    outage_seconds: float = Field(600.0, ge=0)
    in_place_characters: int = Field(0, ge=0)
    soft_time_limit: float = Field(1800.0, gt=0)
    hard_time_limit: float = Field(1860.0, gt=0)

    keep_documents_days: float | None = Field(None, gt=0, le=_MAX_DAYS)
    keep_history_days: float | None = Field(None, gt=0, le=_MAX_DAYS)

    @field_validator("sources_allowed", "webhooks_internal", "waive", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        """A JSON list, or names with commas between them."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [name.strip() for name in value.split(",") if name.strip()]

    @field_validator("ner_models", mode="before")
    @classmethod
    def _by_language(cls, value: object) -> object:
        """`fr=fr_core_news_sm,de=/models/german`, or a JSON object."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("{"):
            return json.loads(value)
        pairs = [pair.partition("=") for pair in _listed(value, ",")]
        wrong = [
            language for language, _, model in pairs if not model or not _LANGUAGE.fullmatch(language.strip())
        ]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} is no language with a model. Write its two letters, = and the model:"
                " fr=fr_core_news_sm,de=de_core_news_md"
            )
        return {language.strip(): model.strip() for language, _, model in pairs}

    @field_validator("redis_url", "supabase_db_url")
    @classmethod
    def _readable(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse an address whose password could be taken for a host or port, before anybody repeats it."""
        found = _URL.fullmatch(value.get_secret_value()) if value else None
        user = (found["user"] or "")[:-1] if found else ""
        if set(user) & set("/?#@[] "):
            raise ValueError(
                "the user name or password holds one of / ? # @ [ ] or a blank. Write it percent-encoded:"
                " %2F %3F %23 %40 %5B %5D %20"
            )
        return value

    @property
    def store_name(self) -> str:
        """The store that is meant, when none is named too."""
        return self.store or ("supabase" if self.supabase_url else self.embedded_store)

    @property
    def embedded_store(self) -> str:
        """The SQLite file of embedded runs: the one that is set, or else the user's own."""
        if self.store and self.store.startswith("sqlite://"):
            return self.store
        return f"sqlite://{data_folder() / 'docpipe.db'}"

    def options(self) -> Options:
        """Raises `ConfigurationError` where two settings contradict each other."""
        if self.chunk_overlap >= self.chunk_max:
            raise ConfigurationError(
                f"DOCPIPE_CHUNK_OVERLAP ({self.chunk_overlap}) must be smaller than DOCPIPE_CHUNK_MAX"
                f" ({self.chunk_max})."
            )
        return Options(
            ocr_engine=self.ocr_engine,
            ocr_options=self._ocr_options(),
            ocr_dpi=self.ocr_dpi,
            ocr_min_confidence=self.ocr_min_confidence,
            ocr_second_engine=self.ocr_second_engine,
            ocr_split_pages=self.ocr_split_pages,
            ocr_range_pages=self.ocr_range_pages,
            ner_engine=self.ner_engine,
            ner_options=self._ner_options(),
            ner_models=self.ner_models,
            embed_engine=self.embed_engine,
            embed_options=self._embed_options(),
            gazetteer=self.gazetteer,
            chunk_max=self.chunk_max,
            chunk_overlap=self.chunk_overlap,
            chunk_unit=self.chunk_unit,
            co_occurrence=self.co_occurrence,
            limits=self.limits.limits(),
            attachments=self.attachments,
            isolate=self.isolate,
            sandbox=self._sandbox(),
        )

    def _sandbox(self) -> Sandbox:
        try:
            return Sandbox(
                mode=self.sandbox,
                waive=frozenset(_listed(self.sandbox_waive, ",")),
                read=_listed(self.sandbox_read, os.pathsep),
                env=_listed(self.sandbox_env, ","),
                documents=self.sandbox_documents,
            )
        except ValueError as error:
            raise ConfigurationError(f"Wrong settings: DOCPIPE_SANDBOX_WAIVE: {error}") from None

    def _ocr_options(self) -> dict[str, str]:
        given = {"inference": self.ocr_inference, "precision": self.ocr_precision}
        usual = {"inference": "auto", "precision": "float"}
        return dict(given.items() - usual.items()) if self.ocr_engine == "rapidocr" else {}

    def _ner_options(self) -> dict[str, Any]:
        """What the engine's constructor is given: an engine of the host's own, only what is set."""
        options = {name: value.get_secret_value() for name, value in self.ner_options.items()}
        if self.ner_model or self.ner_engine == "spacy":
            options.setdefault("model", self.ner_model or "en_core_web_md")
        if self.ner_engine == "openai":
            options.setdefault("api_key", self.ner_key)
        return options

    def _embed_options(self) -> dict[str, Any]:
        """As `_ner_options`."""
        options = {name: value.get_secret_value() for name, value in self.embed_options.items()}
        if self.embed_model:
            options.setdefault("model", self.embed_model)
        if self.embed_engine == "openai":
            options.setdefault("api_key", self.embed_key)
        return options

    def policy(self) -> Policy:
        """Raises `ConfigurationError` where two settings contradict each other."""
        if self.max_attempts <= self.max_retries:
            raise ConfigurationError(
                f"DOCPIPE_MAX_ATTEMPTS ({self.max_attempts}) must be greater than DOCPIPE_MAX_RETRIES"
                f" ({self.max_retries}): every retry is an attempt."
            )
        if self.hard_time_limit <= self.soft_time_limit:
            raise ConfigurationError("DOCPIPE_HARD_TIME_LIMIT must be greater than DOCPIPE_SOFT_TIME_LIMIT.")
        return Policy(
            lease_seconds=self.lease_seconds,
            grace_seconds=self.grace_seconds,
            reap_seconds=self.reap_seconds,
            max_retries=self.max_retries,
            max_attempts=self.max_attempts,
            backoff_seconds=self.backoff_seconds,
            outage_seconds=self.outage_seconds,
            soft_time_limit=self.soft_time_limit,
            hard_time_limit=self.hard_time_limit,
            in_place_characters=self.in_place_characters,
            ranges_at_once=self.ocr_ranges_at_once,
            keep=Retention(
                documents=_seconds(self.keep_documents_days),
                history=_seconds(self.keep_history_days),
            ),
        )

    def open_store(self) -> Store:
        return open_store(
            self.store_name,
            supabase_url=self.supabase_url,
            supabase_key=_revealed(self.supabase_key),
            supabase_token=_revealed(self.supabase_token),
            supabase_db_url=_revealed(self.supabase_db_url),
        )

    def sources(self) -> Sources:
        uploads = self.uploads or _own_uploads()
        supabase = None
        if self.supabase_url and self.supabase_key:
            supabase = (
                self.supabase_url,
                self.supabase_key.get_secret_value(),
                _revealed(self.supabase_token),
            )
        return Sources(
            uploads=uploads,
            keep_copies=self.uploads is not None,
            allow=self.sources_allowed,
            allow_https=self.allow_https,
            max_bytes=self.limits.limits().max_bytes,
            supabase=supabase,
        )

    def masked(self) -> dict[str, Any]:
        """All settings as text, secrets hidden, for the worker's first log line."""
        shown = self.model_dump(mode="json") | {"store": self.store_name}
        return {name: _masked(value) for name, value in shown.items()}


def _own_uploads() -> str | None:
    """None: there is no place for copies, and what needs one says so."""
    try:
        return str(data_folder() / "uploads")
    except ConfigurationError:
        return None


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _seconds(days: float | None) -> float | None:
    return None if days is None else days * _DAY_SECONDS


def _listed(text: str | None, separator: str) -> tuple[str, ...]:
    return tuple(part for each in (text or "").split(separator) if (part := each.strip()))


def read_settings() -> Settings:
    """Read the environment. Raises `ConfigurationError` naming each variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        found = ((item["loc"], item["msg"].removeprefix("Value error, ")) for item in error.errors())
        wrong = "; ".join(f"{_variable(location)}: {message}" for location, message in found)
        raise ConfigurationError(f"Wrong settings: {wrong}.") from None
    except SettingsError:
        raise ConfigurationError(
            "Wrong settings: DOCPIPE_LIMITS, DOCPIPE_NER_OPTIONS or DOCPIPE_EMBED_OPTIONS is not a JSON"
            " object. Set DOCPIPE_LIMITS__MAX_PAGES and its like."
        ) from None


_FREE = ("DOCPIPE_NER_OPTIONS__", "DOCPIPE_EMBED_OPTIONS__", "DOCPIPE_STACK_")
"""What engines are given, whose names are its own; and what the project's own tests go by."""


def misspelt(environment: Iterable[str]) -> list[str]:
    """One sentence for each variable with docpipe's prefix that is no setting: it would do nothing."""
    known = _known_names()
    told = []
    for name in sorted(environment):
        if name.startswith("DOCPIPE_") and name not in known and not name.startswith(_FREE):
            bare = name.removeprefix("DOCPIPE_")
            near = get_close_matches(bare, [each.removeprefix("DOCPIPE_") for each in known], n=1, cutoff=0.7)
            hint = (
                f"Did you mean DOCPIPE_{near[0]}?"
                if near
                else "See docs/reference/settings.md for those there are."
            )
            told.append(f"{name} is no setting, and is ignored. {hint}")
    return told


def _known_names() -> set[str]:
    known = {f"DOCPIPE_{name}".upper() for name in Settings.model_fields}
    known |= {f"DOCPIPE_LIMITS__{name}".upper() for name in LimitSettings.model_fields}
    aliases = (field.validation_alias for field in Settings.model_fields.values())
    names = (str(name) for each in aliases if isinstance(each, AliasChoices) for name in each.choices)
    return known | {name for name in names if name.startswith("DOCPIPE_")}


def _names(alias: str) -> str:
    """All names that the setting has, the first of which this is."""
    choices = (field.validation_alias for field in Settings.model_fields.values())
    names = (each.choices for each in choices if isinstance(each, AliasChoices) and each.choices[0] == alias)
    return " or ".join(map(str, next(names, [alias.upper()])))


def _masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return masked(value) if isinstance(value, str) else value


def _variable(location: tuple[int | str, ...]) -> str:
    name = _names(str(location[0])) + "".join(f"__{part}".upper() for part in location[1:])
    return (
        name if name.startswith(("SUPABASE", "REDIS", "CELERY", "DOCPIPE", "OPENAI")) else f"DOCPIPE_{name}"
    )
