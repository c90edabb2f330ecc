"""What has capitals and is no name: terms that an agreement defines, labels of forms, states with a zip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from docpipe.engines.ports import Span
from docpipe.stages.text.wording.terms_of_art import Vocabulary, vocabulary

_JUDGED = frozenset({"PERSON", "ORG"})
_SIGNED = re.compile(r"/[sS]/\s*")
_STATE = re.compile(r"(?:[Tt]he\s+)?(?:State|Commonwealth)\s+of\s+[A-Z]\w+(?:\s+[A-Z]\w+)?")
_ZIP = re.compile(r"[A-Z]{2}\s+\d{5}(?:-\d{4})?")
_LABELS = re.compile(r"(?<!\s)\s++(?:(?:Print(?:ed)?\s+)?Name|Title|Date|By|Its|Address|Signature)$")
_FORM = re.compile(r"(?i)(?:^|\W)(?:inc|llc|ltd|corp|l\.?l?\.?p|plc|gmbh|n\.a|s\.a)\.?$")


def no_terms(text: str, spans: Sequence[Span]) -> list[Span]:
    """The spans without those of persons and organisations that name none.

    A signature loses its `/s/`, a name the label of the next field (`Ann Lee Title:`); a state is a LOCATION,
    with a zip code behind it none. In an agreement, what consists of words of its defined terms is no name
    (`Confidential Information`, `Recipient's Representatives`), nor is a word that it also writes small.
    """
    words = vocabulary(text)
    return [kept for span in spans for kept in _judged(text, span, words)]


def _judged(text: str, span: Span, words: Vocabulary | None) -> Iterator[Span]:
    if span.label not in _JUDGED:
        yield span
        return
    start, end = span.start, span.end
    if signed := _SIGNED.match(text, start, end):
        start = signed.end()
    if text[end : end + 1] == ":" and (label := _LABELS.search(text[start:end])):
        end = start + label.start()
    piece = text[start:end]
    if not piece or _ZIP.fullmatch(piece):
        return
    if _STATE.fullmatch(piece):
        yield Span(start, end, "LOCATION", span.score)
    elif _FORM.search(piece) or not (words and words.is_term(piece)):
        yield Span(start, end, span.label, span.score)
