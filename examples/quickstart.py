"""Read a scanned contract in this process: facts, text, chunks, entities, relations, and where each stands.

    python examples/quickstart.py [FILE]

No services, no settings: state and results go to a SQLite file in a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from textwrap import fill

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from docpipe import Document, Entity, Mention, Pipeline, open_store

SCAN = Path(__file__).parent / "documents" / "contract_scan.pdf"
SHOWN = {"ORG": "Parties and other organisations", "DATE": "Dates", "MONEY": "Amounts"}

FACTS = {
    "parties": "PARTY_TO",
    "dates": "DATED",
    "amounts": "AMOUNT_OF",
    "signed by": "SIGNED_BY",
    "law": "GOVERNED_BY",
}

console = Console(highlight=False, markup=False, width=110)


def main(file: str | Path = SCAN) -> None:
    """Process one file and print what was found."""
    console.print(f"Reading {file} …")
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(store=open_store(f"sqlite://{folder}/docpipe.db"))
        document = pipeline.process(file)
        pipeline.store.close()
    show_facts(document)
    show_text(document)
    show_relations(document)
    for label, title in SHOWN.items():
        show_entities(document, label, title)


def show_facts(document: Document) -> None:
    """What the document says of itself: parties, dates, number, amounts, signatories."""
    if document.facts is None:
        return
    numbers = [fact.text for fact in document.facts.items if fact.type == "NUMBERED"]
    console.print(f"{document.facts.kind}: {', '.join([document.facts.title, *numbers])}")
    for title, type_ in FACTS.items():
        facts = [fact for fact in document.facts.items if fact.type == type_ and fact.role != "signing"]
        said = "; ".join(f"{fact.text} ({fact.role})" if fact.role else fact.text for fact in facts)
        console.print(fill(said, 80, initial_indent=f"{title:10}", subsequent_indent=" " * 10))


def show_text(document: Document) -> None:
    """The first lines, and how the text is divided."""
    console.print(f"\n{document.text[:420].strip()} …\n")
    for page in document.pages:
        width, height = page.width or 0.0, page.height or 0.0
        console.print(
            f"page {page.number}: {width:.0f} x {height:.0f} points, characters {page.start} to {page.end},"
            f" read by {page.method} ({page.reason})"
        )
    for chunk in document.chunks:
        pages = f"pages {chunk.page_from} to {chunk.page_to}"
        console.print(f"chunk {chunk.index}: characters {chunk.start} to {chunk.end}, {pages}")


def show_relations(document: Document) -> None:
    """Who stands how to what, and the words that say so."""
    table = new_table("Relations", "from", "relation", "to", "evidence", width=30)
    for relation in document.relations:
        source, target = document.entities[relation.source], document.entities[relation.target]
        evidence = document.text[relation.evidence.start : relation.evidence.end]
        table.add_row(one_line(source.name), relation.type, one_line(target.name), one_line(evidence))
    console.print(table)


def show_entities(document: Document, label: str, title: str) -> None:
    """Every entity of one label, with each place where the document names it."""
    table = new_table(title, "name", "page", "left, top, right, bottom (points)")
    for entity in document.entities:
        if entity.label == label:
            for mention in mentions_of(entity, document):
                table.add_row(one_line(entity.name), str(mention.page), box_of(mention))
    console.print(table)


def new_table(title: str, *columns: str, width: int = 50) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE)
    for column in columns:
        table.add_column(column, no_wrap=True, max_width=width)
    return table


def mentions_of(entity: Entity, document: Document) -> list[Mention]:
    return [document.mentions[index] for index in entity.mentions]


def box_of(mention: Mention) -> str:
    return ", ".join(f"{side:.0f}" for side in mention.box) if mention.box else "(no geometry)"


def one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main(*sys.argv[1:2])
