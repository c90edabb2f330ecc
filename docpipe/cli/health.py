"""`docpipe health`: can a document that is submitted now get through?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from docpipe.cli.terminal import echo
from docpipe.delivery.monitoring.health import Health, Level, Thresholds, examine_liveness
from docpipe.pipeline.default import default_pipeline, health

_DEFAULT = Thresholds()
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "red"}


def _found(probe: str | None, limits: Thresholds) -> Health:
    if probe == "live":
        return examine_liveness()
    return default_pipeline().ready() if probe == "ready" else health(limits=limits)


@click.command("health", epilog="Example: docpipe health --max-age 600")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--max-depth", type=click.IntRange(0), default=_DEFAULT.depth, show_default=True)
@click.option("--max-age", type=click.FloatRange(0), default=_DEFAULT.age_seconds, show_default=True)
@click.option("--canary-seconds", type=click.FloatRange(0), default=_DEFAULT.canary_seconds)
@click.option("--live", "probe", flag_value="live", help="Only the workers of this machine; asks no service.")
@click.option("--ready", "probe", flag_value="ready", help="Only broker, store and schema.")
def health_command(
    as_json: bool, max_depth: int, max_age: float, canary_seconds: float, probe: str | None
) -> None:
    """Check that documents get through; exit code 1 if they do not."""
    found = _found(probe, Thresholds(max_depth, max_age, canary_seconds))
    if as_json:
        echo(json.dumps(asdict(found)))
    else:
        for each in found.checks:
            mark = click.style(f"{each.level.value:7}", fg=_COLOURS[each.level])
            echo(f"{each.check}: {each.message}", mark=f"{mark} ")
    sys.exit(0 if found.ok else 1)
