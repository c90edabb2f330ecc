"""A document as Markdown: what is a heading, a table, a list item, a paragraph."""

from __future__ import annotations

from pathlib import Path

from docpipe.cli.views.document_markdown import to_markdown
from docpipe.execution.options import Options
from docpipe.execution.reading import read
from docpipe.execution.tools import Tools
from docpipe.models import Document, Line, Method, Page, Role


def document(*rows: tuple[str, float, float], role: Role = Role.BODY) -> Document:
    """Of one page, with a row for each text, its height and the width of a letter, 2 points apart."""
    lines, start, top = [], 0, 50.0
    for text, height, letter in rows:
        box = (50.0, top, 50.0 + letter * len(text), top + height)
        lines.append(Line(start, start + len(text), box, role=role))
        start, top = start + len(text) + 1, top + height + 2
    whole = "".join(f"{text}\n" for text, _, _ in rows)
    page = Page(1, 0, len(whole), 595.0, 842.0, Method.TEXT, tuple(lines))
    return Document("uuid", 1, "completed", "name", text=whole, pages=(page,))


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


def test_the_headings_of_a_contract_are_its_title_and_its_clauses(examples: Path) -> None:
    output = read(examples / "contract.pdf", "contract.pdf", Tools(Options()), lambda *_: None)
    text = to_markdown(Document("u", 1, "completed", "n", text=output.text or "", pages=output.pages or ()))
    assert headings(text)[:4] == [
        "# SERVICES AGREEMENT",
        "### 1. Services",
        "### 2. Term",
        "### 3. Fees and payment",
    ]
    assert "wishes to renew the control systems of its quay cranes." in text


def test_lines_of_a_page_that_lies_askew_are_no_headings() -> None:
    long, short = "A line over the whole of the page, whose box is high", "and its end."
    askew = document((long, 24, 5), (short, 13, 5), (short, 13, 5), (long, 24, 5), (short, 13, 5))
    assert headings(to_markdown(askew)) == []


def test_rows_of_as_many_cells_are_a_table() -> None:
    table = document(("Item\tPrice", 12, 5), ("Rope | red\t2.00", 12, 5), ("Total", 12, 5))
    assert to_markdown(table) == "| Item | Price |\n| --- | --- |\n| Rope \\| red | 2.00 |\n\nTotal\n"


def test_bullets_and_numbers_are_items_and_what_looks_like_markup_is_not() -> None:
    rows = (("• first", 12, 5), ("2) second", 12, 5), ("# not a heading, *not* bold", 12, 5))
    assert to_markdown(document(*rows)) == "- first\n\n2. second\n\n\\# not a heading, \\*not\\* bold\n"


def test_running_titles_are_left_out() -> None:
    assert to_markdown(document(("Page 1 of 2", 12, 5), role=Role.FOOTER)) == "\n"


def test_a_text_without_geometry_keeps_its_paragraphs() -> None:
    text = "One line\nand another.\n\nA second paragraph.\n"
    page = Page(1, 0, len(text), None, None, Method.TEXT)
    plain = Document("uuid", 1, "completed", "name", text=text, pages=(page,))
    assert to_markdown(plain) == "One line and another.\n\nA second paragraph.\n"
