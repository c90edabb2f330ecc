"""`docpipe doctor`: is everything set up so that nothing gets lost?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from docpipe.cli.terminal import echo
from docpipe.delivery.monitoring.doctor import Finding
from docpipe.pipeline.default import default_pipeline


@click.command(epilog="Example: docpipe doctor --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per finding and line.")
@click.option("--accept", is_flag=True, help="Say that this store and these stages are the right ones now.")
def doctor(as_json: bool, accept: bool) -> None:
    """Check settings, Redis, store and consumers; exit code 1 if anything is wrong."""
    pipeline = default_pipeline()
    if accept:
        pipeline.accept_fingerprint()
    found = pipeline.examine()
    for each in found:
        if as_json:
            echo(json.dumps(asdict(each)))
        else:
            echo(f"{each.check}: {each.message}", mark=f"{_mark(each):5} ")
    sys.exit(0 if all(each.ok or each.waived for each in found) else 1)


def _mark(finding: Finding) -> str:
    if finding.ok or finding.waived:
        return click.style("ok", fg="green" if finding.ok else "yellow")
    return click.style("wrong", fg="red")
