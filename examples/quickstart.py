"""Read a scanned contract in this process: its facts, and where each name, date and amount stands.

    python examples/quickstart.py [FILE]

No services, no settings: state and results go to a SQLite file in the folder .demo, for `docpipe show`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import fill

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from docpipe import Document, Entity, Mention, Pipeline, open_store

SCAN = Path(__file__).parent / "documents" / "contract_scan.pdf"
STORE = Path(".demo") / "docpipe.db"
SHOWN = {"ORG": "Parties and other organisations", "DATE": "Dates", "MONEY": "Amounts"}

FACTS = {
    "parties": "PARTY_TO",
    "dates": "DATED",
    "amounts": "AMOUNT_OF",
    "signed by": "SIGNED_BY",
    "law": "GOVERNED_BY",
}

console = Console(highlight=False, markup=False, width=80)


def main(file: str | Path = SCAN) -> None:
    """Process one file and print what was found."""
    console.print(f"Reading {shortened(file)}, half a minute …\n")
    STORE.parent.mkdir(exist_ok=True)
    pipeline = Pipeline(store=open_store(f"sqlite://{STORE}"))
    document = pipeline.process(file, reprocess=True)
    pipeline.store.close()
    show_facts(document)
    console.print()
    for label, title in SHOWN.items():
        show_entities(document, label, title)
    show_next(document, file)


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


def show_entities(document: Document, label: str, title: str) -> None:
    """Every entity of one label: how else the document writes it, how often, and where first."""
    table = new_table(title, "name", "times", "first on page", "at (points)")
    for entity in document.entities:
        if entity.label == label:
            mentions = mentions_of(entity, document)
            first = min(mentions, key=lambda mention: mention.start)
            table.add_row(named(entity, mentions), str(len(mentions)), str(first.page), corner_of(first))
    console.print(table)


def show_next(document: Document, file: str | Path) -> None:
    """Three commands that go on from here."""
    docpipe = Path(sys.executable).parent / "docpipe"
    store = f"--store {shortened(STORE)}"
    console.print("Try next:\n")
    for command in (
        f"show {document.document_uuid} \\\n      {store} --out contract.html",
        f"text {shortened(file)} \\\n      {store} --markdown",
        f"run {shortened(SCAN.parent)} \\\n      {store}",
    ):
        console.print(f"  {shortened(docpipe)} {command}", soft_wrap=True)
    console.print("\nThe first writes a page for your browser: the scan with all that was found.")


def shortened(path: str | Path) -> str:
    """As one types it from here."""
    here = Path.cwd()
    path = Path(path).absolute()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def new_table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE)
    for column in columns:
        table.add_column(column)
    return table


def mentions_of(entity: Entity, document: Document) -> list[Mention]:
    return [document.mentions[index] for index in entity.mentions]


def named(entity: Entity, mentions: list[Mention]) -> str:
    written = dict.fromkeys(" ".join(mention.text.split()) for mention in mentions)
    others = ", ".join(text for text in written if text != entity.name)
    return f"{entity.name} (also: {others})" if others else entity.name


def corner_of(mention: Mention) -> str:
    """Left and top of the mention's box."""
    return ", ".join(f"{side:.0f}" for side in mention.box[:2]) if mention.box else "(no geometry)"


if __name__ == "__main__":
    main(*sys.argv[1:2])
