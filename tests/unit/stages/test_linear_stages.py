"""Chunks, entities and graph of hostile texts take time in proportion to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest

from docpipe.engines.ports import Span
from docpipe.models import Method, Page, Ref
from docpipe.stages.chunk import split_text
from docpipe.stages.entities.mentions import find_mentions
from docpipe.stages.graph.build import build_graph
from docpipe.stores.text_search import MAX_WORDS, PageHit, occurrences, terms
from tests.growth import growth

TEXTS = {
    "letters": "Dear Ann Lee,\nYours sincerely,\nAnn Lee\n",
    "parties": 'THIS AGREEMENT is made between Acme Traders Ltd (the "Buyer") and Beta Ltd (the "Seller").\n',
    "terms defined": 'Acme Ltd ("A{n}") and ',
    "signatures": "By: ____________\nName: Ann Lee\nTitle: CEO\nAcme Ltd\n\n",
    "totals": "Total: EUR 1,200.00\nInvoice No. {n}\n",
    "dates of an agreement": "effective as of 3 May 2021 and expires on 4 May 2022. ",
    "terms of an agreement": "for a term of two (2) years from the Effective Date. ",
    "laws": "governed by the laws of the State of New York. ",
    "headers of mails": "From: a@b.example\nTo: c@d.example\nSubject: x\nDate: 3 May 2021\n",
    "cases": "Acme Ltd, Plaintiff, v. Beta Ltd, Defendant. Case No. 1:21-cv-{n}\n",
    "companies": "Acme {n} Ltd. ",
    "people": "Ann Lee{n} of Acme Ltd works for Acme Ltd. ",
    "people of one line": "Ann X{n} ",
    "amounts": "EUR {n},200.00 shall be paid to Acme Ltd. ",
    "roles": "The Borrower pays the Lender. ",
    "a receipt": "ITEM 1 2.00\nCASH 5.00\nCHANGE 3.00\n",
    "titles": "Master Services Agreement dated 3 May 2021\n",
    "French parties": "Entre la société Acme SARL (ci-après « le Client ») et ",
    "German parties": 'zwischen der Acme GmbH (nachfolgend "Auftraggeber") und ',
}


class Names:
    """Names of two words, by how they begin."""

    name = "names 1"

    def find(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        for text in texts:
            found = re.finditer(r"(?:(Ann)|Acme) \w+", text)
            yield [Span(*name.span(), "PERSON" if name[1] else "ORG", 0.9) for name in found]


def _page(text: str) -> Page:
    return Page(1, 0, len(text), None, None, Method.TEXT)


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_found_and_related_is_linear_in(kind: str) -> None:
    def found_and_related(size: int) -> None:
        unit = TEXTS[kind]
        text = "".join(unit.replace("{n}", str(number)) for number in range(size // len(unit)))
        pages = [_page(text)]
        chunks = split_text(text, pages).chunks or ()
        mentions = find_mentions(text, pages, chunks, engine=Names()).mentions or ()
        build_graph(text, pages, chunks, mentions)

    assert growth(found_and_related) is None


@pytest.mark.parametrize(
    "query", ["a " * MAX_WORDS, '"' + "a " * MAX_WORDS + '"', '"a a" ' * (MAX_WORDS // 2)], ids=len
)
def test_what_a_query_finds_on_a_page_is_linear_in_the_page(query: str) -> None:
    def on_page(size: int) -> None:
        text = "a " * (size // 2)
        occurrences(PageHit(Ref("x", 1), "", None, _page(text), text, ((0, size),), 0.0), terms(query))

    assert growth(on_page) is None
