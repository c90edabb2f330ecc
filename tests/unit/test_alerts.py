"""The alert rules and the dashboard of deploy/ ask for numbers that `docpipe metrics` gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from docpipe.cli import cli
from docpipe.delivery.broker import QueueDepth
from docpipe.delivery.monitoring.metrics import metrics_of
from docpipe.delivery.monitoring.snapshot import Snapshot
from docpipe.stores.statistics import DocumentCount, FailureCount, StageCount, Statistics

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "docpipe-alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "docpipe.json").read_text())

EVERYTHING = Snapshot(
    at=datetime(2026, 1, 2, tzinfo=UTC),
    window_seconds=3600.0,
    problems=(),
    queues={"ocr": QueueDepth(1, {0: 1}, 0, 0)},
    workers={"ocr": 1},
    statistics=Statistics(
        documents=(DocumentCount("pending", "p", 1),),
        stages=(StageCount("ocr", 1, 1, 1, 1.0, 1, 1, 1.0, 1.0, 1.0, 1.0),),
        running=(),
        failures=(FailureCount("ocr", "corrupt", "CorruptDocumentError", 1),),
        completed=1,
        quarantined=1,
    ),
    stuck=(),
    unknown_statuses=(),
)


def given() -> dict[str, dict[str, set[str]]]:
    """Metric to its labels and their values."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in metrics_of(EVERYTHING):
        labels = found.setdefault(family.name, {})
        for sample in family.samples:
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_asks_for_numbers_and_labels_that_there_are(expression: str) -> None:
    known = given()
    asked = re.findall(r"(docpipe_\w+)(?:\{([^}]*)\})?", expression)
    assert asked
    for name, matchers in asked:
        assert name in known
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            assert set(values.split("|")) <= known[name][label]
    for label in re.findall(r"(?:by|on) \((\w+)\)", expression):
        assert all(label in known[name] for name, _ in asked)


def test_an_alert_says_what_is_wrong_and_what_to_do_by_commands_that_there_are() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}
        for command in re.findall(r"`docpipe (\w+)", rule["annotations"]["description"]):
            assert command in cli.list_commands(None)  # type: ignore[arg-type]
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


def test_a_label_in_a_text_is_one_of_the_alerts_numbers() -> None:
    known = given()
    for rule in RULES:
        (name, *_) = re.findall(r"docpipe_\w+", rule["expr"])
        used = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
        assert set(used) <= set(known[name])


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
