"""Headers and footers are told from text by standing on page after page."""

from __future__ import annotations

from docpipe.models import Line, Method, Page, Role
from docpipe.stages.ocr.running_titles import mark_running_titles


def document(*pages: list[tuple[float, str]]) -> tuple[str, list[Page]]:
    """Pages 100 points high of lines 5 points high, each with its distance from the top."""
    text, made = "", []
    for number, lines in enumerate(pages, start=1):
        start, placed = len(text), []
        for y, words in lines:
            placed.append(Line(len(text), len(text) + len(words), (0, y, 50, y + 5)))
            text += words + "\n"
        made.append(Page(number, start, len(text), 70, 100, Method.TEXT, tuple(placed)))
        text += "\n"
    return text, made


def marked(*pages: list[tuple[float, str]]) -> dict[str, set[Role]]:
    text, made = document(*pages)
    roles: dict[str, set[Role]] = {}
    for page in mark_running_titles(text, made):
        for line in page.lines:
            roles.setdefault(text[line.start : line.end], set()).add(line.role)
    return roles


def test_what_stands_at_the_edge_of_every_page_is_marked_and_numbers_may_differ() -> None:
    pages = [[(2.0, "Annual Report"), (50.0, f"text {n} here"), (92.0, f"Page {n}")] for n in range(1, 4)]
    assert marked(*pages) == {
        "Annual Report": {Role.HEADER},
        **{f"text {n} here": {Role.BODY} for n in range(1, 4)},
        **{f"Page {n}": {Role.FOOTER} for n in range(1, 4)},
    }


def test_the_same_words_in_the_middle_of_pages_are_text() -> None:
    assert marked(*[[(40.0, "Total")]] * 4) == {"Total": {Role.BODY}}


def test_what_stands_at_the_edge_of_two_of_many_pages_is_text() -> None:
    pages = [[(2.0, "Chapter One")], [(2.0, "Chapter One")], [(2.0, "a")], [(2.0, "b")]]
    assert marked(*pages) == {"Chapter One": {Role.BODY}, "a": {Role.BODY}, "b": {Role.BODY}}


def test_one_page_says_nothing_and_pages_without_geometry_stay_as_they_are() -> None:
    text, pages = document([(2.0, "Annual Report")])
    assert mark_running_titles(text, pages) == tuple(pages)
    bare = [Page(n, 0, 4, None, None, Method.TEXT, (Line(0, 4),)) for n in (1, 2, 3)]
    assert mark_running_titles("Text", bare) == tuple(bare)
