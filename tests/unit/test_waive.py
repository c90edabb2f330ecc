"""Checks at start stop a worker, unless they are waived by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from docpipe.delivery.monitoring.doctor import START_CHECKS
from docpipe.errors import ConfigurationError
from docpipe.execution.layers import Sandbox
from docpipe.execution.options import Options
from docpipe.formats import plugins
from docpipe.pipeline.factory import new_pipeline as pipeline_of
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import Settings, read_settings
from docpipe.sources import Sources
from docpipe.stores.sqlite.store import SqliteStore
from docpipe.testing import memory_app
from tests.engines import OPTIONS


class Lacking(SqliteStore):
    """A store that is not set up for docpipe."""

    def check(self) -> list[str]:
        return ["the table docpipe_runs is missing"]


def _refuse() -> dict[str, str]:
    raise ConfigurationError("two packages read the same format")


def _without_layers(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.runtime.reader, "layers", _refuse)


def _without_readers(_: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "installed", _refuse)


def _evicting(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(pipeline.broker), "is_redis", True)
    monkeypatch.setattr(pipeline.broker, "eviction_policy", lambda: "allkeys-lru")
    monkeypatch.setattr(pipeline.broker, "appendonly", lambda: True)
    monkeypatch.setattr(pipeline.broker, "agreed", lambda fingerprint: fingerprint)


def _disagreeing(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    _evicting(pipeline, monkeypatch)
    monkeypatch.setattr(pipeline.broker, "eviction_policy", lambda: "noeviction")
    monkeypatch.setattr(pipeline.broker, "agreed", lambda _: "another store")


DEMANDING = replace(OPTIONS, isolate=True, sandbox=Sandbox("require"))
WRONG: dict[str, dict[str, Any]] = {
    "celery settings": {"conf": {"task_ack_late": True}},
    "visibility timeout": {"conf": {"broker_transport_options": {"visibility_timeout": 60}}},
    "delivery": {"conf": {"accept_content": ["pickle"]}},
    "redis eviction": {"spoil": _evicting},
    "fingerprint": {"spoil": _disagreeing},
    "store": {"store": Lacking},
    "readers": {"spoil": _without_readers},
    "sandbox": {
        "options": replace(OPTIONS, isolate=True, sandbox=Sandbox("require")),
        "spoil": _without_layers,
    },
}

NewDeployment = Callable[..., Pipeline]


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewDeployment:
    """A pipeline on a broker in memory that lacks nothing else than what is said."""

    def new(
        waive: tuple[str, ...] = (),
        *,
        conf: dict[str, Any] | None = None,
        store: type[SqliteStore] = SqliteStore,
        options: Options = OPTIONS,
        spoil: Callable[[Pipeline, pytest.MonkeyPatch], None] | None = None,
    ) -> Pipeline:
        app = memory_app(**{"broker_transport_options": {"visibility_timeout": 7200}} | (conf or {}))
        pipeline = Pipeline(
            app,
            store=store(tmp_path / "d.db"),
            sources=Sources(uploads=tmp_path),
            options=options,
            waive=waive,
        )
        if spoil is not None:
            spoil(pipeline, monkeypatch)
        return pipeline

    return new


def start(pipeline: Pipeline) -> None:
    """What Celery's signal does when a worker of this app begins."""
    pipeline._begin_worker(SimpleNamespace(app=pipeline.app))


def test_nothing_is_waived_that_is_no_check_and_every_check_is_here() -> None:
    assert WRONG.keys() == START_CHECKS


@pytest.mark.parametrize("check", WRONG)
def test_a_check_stops_a_worker_until_it_is_waived_by_its_name(deployed: NewDeployment, check: str) -> None:
    with pytest.raises(SystemExit, match=f"(?s)does not start.*{check}.*DOCPIPE_WAIVE"):
        start(deployed(**WRONG[check]))
    waiving = deployed((check,), **WRONG[check])
    start(waiving)
    (found,) = [each for each in waiving.examine(consumers=False) if each.check == check and not each.ok]
    assert (found.fatal, found.waived) == (False, True)
    assert found.message.startswith("waived. ")


def test_a_waiver_of_another_check_does_not_count(deployed: NewDeployment) -> None:
    with pytest.raises(SystemExit, match="visibility timeout"):
        start(deployed(("redis eviction", "store"), **WRONG["visibility timeout"]))


def test_a_waiver_of_no_check_stops_a_worker_and_names_the_checks(deployed: NewDeployment) -> None:
    with pytest.raises(SystemExit, match=r"there is no check 'redis evection' to waive.*redis eviction"):
        start(deployed(("redis evection",)))


def test_a_waived_check_that_is_well_stays_so(deployed: NewDeployment) -> None:
    found = deployed(tuple(START_CHECKS)).examine(consumers=False)
    assert {(each.ok, each.waived) for each in found} == {(True, False)}


def test_a_worker_of_another_app_is_not_looked_at(deployed: NewDeployment) -> None:
    deployed(**WRONG["delivery"])._begin_worker(SimpleNamespace(app=Celery("other", set_as_current=False)))


def test_the_settings_name_them_with_commas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCPIPE_STORE", f"sqlite://{tmp_path / 'd.db'}")
    monkeypatch.setenv("DOCPIPE_WAIVE", "redis eviction, visibility timeout")
    settings: Settings = read_settings()
    assert settings.waive == ["redis eviction", "visibility timeout"]
    assert pipeline_of(settings).deployment.waived == {"redis eviction", "visibility timeout"}
