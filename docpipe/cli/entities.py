"""`docpipe entities`: what the documents of a project name, and what people decide about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime

import click
from rich.table import Column, Table

from docpipe.cli.console import new_console, shown
from docpipe.cli.terminal import echo
from docpipe.graph.values import Entities, Explanation, ProjectEntity, Reason
from docpipe.pipeline.default import store_pipeline

_PAGE = 500


@click.group(epilog="Example: docpipe entities list --project acme --search harbour")
def entities() -> None:
    """The people, organisations and places of a project's documents.

    ENTITY is an id as `docpipe entities list` prints it, or that of any entity of a document.
    """


@entities.command("list", epilog="Example: docpipe entities list --project acme --label ORG")
@click.option("--project", "project_id", help="The project; without it, the documents that have none.")
@click.option("--search", "text", default="", help="Only those that are spelt with this text.")
@click.option("--label", help="Only those with this label.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The most lines.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per entity and line.")
def list_entities(project_id: str | None, text: str, label: str | None, limit: int, as_json: bool) -> None:
    """List a project's entities by label and name."""
    graphs = store_pipeline().graphs
    found = _pages(lambda after: graphs.search(text, project_id=project_id, limit=_PAGE, after=after))
    chosen = (each for each in found if label in (None, each.label))
    listed = [each for each, _ in zip(chosen, range(limit), strict=False)]
    if as_json:
        for each in listed:
            echo(json.dumps(asdict(each), ensure_ascii=False))
    else:
        _print_table(listed)


def _pages(read: Callable[[str | None], Entities]) -> Iterator[ProjectEntity]:
    after: str | None = None
    while True:
        page = read(after)
        yield from page.items
        if page.next is None:
            return
        after = page.next


def _print_table(listed: list[ProjectEntity]) -> None:
    table = Table(Column("entity", no_wrap=True), "label", "name", "documents", "mentions", box=None)
    for each in listed:
        table.add_row(each.id, each.label, shown(each.name), str(each.documents), str(each.mentions))
    console = new_console()
    console.print(table)


_BY = click.option("--by", "who", default="", help="Who says so; `explain` and the web page show it.")
_BECAUSE = click.option("--because", "why", default="", help="Why; it is shown beside.")


@entities.command(
    epilog="Example: docpipe entities merge 6f1c0c9e-…/entity:3 81b2…/entity:0 --because 'one VAT number'"
)
@click.argument("one", metavar="ENTITY")
@click.argument("other", metavar="ENTITY")
@_BY
@_BECAUSE
def merge(one: str, other: str, who: str, why: str) -> None:
    """Say that two entities are one; takes an earlier split of the two back."""
    _print_entity(store_pipeline().graphs.merge(one, other, who=who, why=why))


@entities.command(
    epilog="Example: docpipe entities split 6f1c0c9e-…/entity:3 81b2…/entity:0 --by Ann --because 'two towns'"
)
@click.argument("one", metavar="ENTITY")
@click.argument("other", metavar="ENTITY")
@_BY
@_BECAUSE
def split(one: str, other: str, who: str, why: str) -> None:
    """Say that two entities are two; takes an earlier merge of the two back."""
    _print_entity(store_pipeline().graphs.split(one, other, who=who, why=why))


@entities.command(epilog="Example: docpipe entities explain 6f1c0c9e-…/entity:3")
@click.argument("entity", metavar="ENTITY")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def explain(entity: str, as_json: bool) -> None:
    """Show what an entity is made of, and which rule or decision joins each pair of names."""
    found = store_pipeline().graphs.explain(entity)
    if as_json:
        echo(json.dumps(asdict(found), ensure_ascii=False, default=datetime.isoformat))
    else:
        _print_explanation(found)


def _print_entity(entity: ProjectEntity) -> None:
    counts = f"{entity.mentions} mentions in {entity.documents} documents"
    echo(f"{entity.id} {entity.label} {entity.name}: {counts}")


def _print_explanation(found: Explanation) -> None:
    _print_entity(found.entity)
    for member in found.entity.members:
        echo(f"  {member}")
    for reason in found.reasons:
        holds = "" if reason.holds else ", set aside"
        echo(
            f"  {reason.rule} {reason.score:.2f}{holds}: {reason.name_a} | {reason.name_b}{_said_by(reason)}"
        )


def _said_by(reason: Reason) -> str:
    """Who decided it, when and why, as far as it is known."""
    day = f" on {reason.at:%Y-%m-%d}" if reason.at else ""
    who = f" by {reason.who}" if reason.who else ""
    why = f", because: {reason.why}" if reason.why else ""
    return f" (decided{who}{day}{why})" if who or why else ""


@entities.command(epilog="Example: docpipe entities link --project acme")
@click.option("--project", "project_id", help="Only of this project.")
def link(project_id: str | None) -> None:
    """Join documents to their project's entities that are not yet: older ones, or where a worker died."""
    echo(f"{store_pipeline().link_entities(project_id)} documents linked")
