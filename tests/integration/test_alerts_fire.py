"""The alert rules fire on what the real parts give when a worker stops, a queue fills and documents fail."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from docpipe.delivery.monitoring import metrics
from docpipe.pipeline.pipeline import Pipeline
from docpipe.stores.sqlite.store import SqliteStore
from tests.integration.test_health import environment, pipeline  # noqa: F401 - fixtures
from tests.needs import program
from tests.stack.server import free_ports
from tests.workers import REPOSITORY, Workers, wait_until

RULES = REPOSITORY / "deploy" / "prometheus" / "docpipe-alerts.yml"
LASTS = 60
"""Minutes of each state."""


@pytest.fixture
def promtool() -> str:
    return program("promtool", package="prometheus")


def scraped(pipeline: Pipeline) -> dict[str, float]:  # noqa: F811
    """What Prometheus gets of `docpipe metrics`, each series as it is written in queries."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/metrics"
    with metrics.serve(pipeline.deployment, port), urllib.request.urlopen(url) as answer:
        text = answer.read().decode()
    return {
        sample.name + json.dumps(sample.labels).replace('": ', "=").replace(', "', ",").replace('{"', "{"):
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }  # fmt: skip


def check(promtool: str, folder: Path, states: list[dict[str, float]], fire: list[set[str]]) -> None:
    """Let Prometheus' own tool say which alerts fire where each state has lasted for an hour."""
    names = sorted({name for state in states for name in state})
    series = [
        {
            "series": name,
            "values": " ".join(
                f"{state[name]}+0x{LASTS - 1}" if name in state else f"_x{LASTS}" for state in states
            ),
        }
        for name in names
    ]
    expected = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{LASTS * number - 1}m",
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names_)],
        }
        for number, names_ in enumerate(fire, 1)
    ]
    tested = {"interval": "1m", "input_series": series, "promql_expr_test": expected}
    file = folder / "alerts.json"  # which is YAML too
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [tested]}))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=True
    )
    assert "SUCCESS" in done.stdout


@pytest.mark.slow
def test_alerts_fire_where_documents_fail_a_worker_stops_and_a_queue_fills(
    promtool: str,
    pipeline: Pipeline,  # noqa: F811
    environment: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    def ended(number: int) -> bool:
        counts = {each.status: each.documents for each in pipeline.store.statistics().documents}
        return counts.get("completed", 0) + counts.get("error_ocr", 0) == number

    with Workers(tmp_path, environment) as workers:
        workers.start("ocr", "text", "entity", "graph")
        workers.wait_until_ready()
        pipeline.submit(b"Ann met Bob.", name="good.txt")
        wait_until(lambda: ended(1), "the document has completed")
        states = [scraped(pipeline)]
        for number in range(12):
            pipeline.submit(b"%%PDF-1.7 broken %d" % number, name="broken.pdf")
        wait_until(lambda: ended(13), "twelve documents have failed")
        states.append(scraped(pipeline))
    pipeline.submit(b"Nobody reads this.", name="waits.txt")
    with cast(SqliteStore, pipeline.store)._transaction() as db:
        db.execute("update stage_runs set queued_at = datetime(queued_at, '-1 hour') where state = 'queued'")
    states.append(scraped(pipeline))
    fails = {"DocpipeManyFail"}
    fire = [set[str](), fails, fails | {"DocpipeQueueWithoutWorker", "DocpipeWaitsLong"}]
    check(promtool, tmp_path, states, fire)
