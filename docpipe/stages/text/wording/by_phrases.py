"""What agreements in French and German say by their wording, read by the phrases of their language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from cleanco import matches, typesources
from text_to_num import alpha2digit

from docpipe.models import FactType, Mention
from docpipe.stages.text.wording.french import FRENCH
from docpipe.stages.text.wording.german import GERMAN
from docpipe.stages.text.wording.phrases import Phrases
from docpipe.stages.text.wording.values import Said

_LANGUAGES = (FRENCH, GERMAN)
_HEAD = 5_000
_TITLE_HEAD = 1_500
_LONGEST = 2_500
_OFTEN = 3
_FEW_WORDS = 4
_BEFORE = 240
_SENTENCE = re.compile(
    r"(?:(?<=[a-zäöüßé)»])|(?<=\d{4}))[.;]\s+(?=[A-ZÀ-Ý§])|\n[^\S\n]*\n|\n(?=(?:§|\d{1,2}\.|Article)\s)"
)
_FORMS = re.compile(
    r"(?:^|\s)(?:SAS|SASU|SARL|Sàrl|S\.?A\.?|SNC|SCI|EURL|GmbH|AG|KG|OHG|UG|e\.\s?[KVG]\.?|SE)$"
)
_SHORTENED = re.compile(r"\.\s?\w{1,2}\.$")
"""The end of a form whose full stop belongs to it: `S.A.`, `e.K.`"""
_FULL = re.compile(r"\d{4}-\d\d-\d\d$")


def phrases_of(text: str) -> Phrases | None:
    """The language in which the text is an agreement: it has the title of one, and parties or often speaks of
    itself as one; None where it is none.
    """
    for language in _LANGUAGES:
        if language.title.search(text, 0, _TITLE_HEAD) and (
            len(_parties(text, language)) > 1 or len(language.itself.findall(text)) >= _OFTEN
        ):
            return language
    return None


def read_by_phrases(text: str, language: Phrases) -> list[Said]:
    """Title, parties, law and term, the surest first where two run into each other."""
    title = language.title.search(text, 0, _TITLE_HEAD)
    span = title.span("title") if title else (0, 0)
    own = [Said(FactType.KIND, *span, "CONTRACT", span, 0.9)] if title else []
    return [*own, *_parties(text, language), *_law(text, language), *_term(text, language)]


# --- parties ------------------------------------------------------------------------------------------


def _parties(text: str, language: Phrases) -> list[Said]:
    """Those behind the opening words; where some are called by a term, only they."""
    for opening in language.opens.finditer(text, 0, _HEAD):
        stop = language.stops.search(text, opening.end(), opening.end() + _LONGEST)
        end = stop.start() if stop else min(len(text), opening.end() + _LONGEST)
        found = _listed(text, language, opening.end(), end)
        called = [each for each in found if each.role]
        if found := called if len(called) > 1 else found:
            return found
    return []


def _listed(text: str, language: Phrases, start: int, end: int) -> list[Said]:
    begins = [start, *(found.end() for found in language.follows.finditer(text, start, end))]
    named = [span for begin in begins if (span := _name(text, language, begin, end))]
    ends = [*(begin for begin, *_ in named[1:]), end]
    return [_party(text, language, *span, stop) for span, stop in zip(named, ends, strict=True)]


def _name(text: str, language: Phrases, begin: int, limit: int) -> tuple[int, int, int, str] | None:
    """Where the words about a party begin, its name, and the label that the words before it show."""
    lead = language.lead.match(text, begin, limit)
    start = lead.end() if lead else begin
    stop = language.ends.search(text, start, limit)
    piece = text[start : stop.start() if stop else limit].rstrip(" –—-")
    end = start + len(piece if _SHORTENED.search(piece) else piece.rstrip("."))
    words = text[start:end].split()
    if not words or not words[0][0].isupper() or len(words) > 9 or end - start < 3:
        return None
    label = next((name for name in ("company", "person") if lead and lead[name]), "")
    return begin, start, end, {"company": "ORG", "person": "PERSON"}.get(label, "")


def _party(text: str, language: Phrases, begin: int, start: int, end: int, label: str, stop: int) -> Said:
    described = text[end:stop]
    label = label or _label(text[start:end], described, language)
    return Said(FactType.PARTY_TO, start, end, label, (begin, stop), 0.9, _role(described, language))


def _label(name: str, described: str, language: Phrases) -> str:
    if language.individual.search(described[:160]):
        return "PERSON"
    if _FORMS.search(name) or any(matches(name, _types())) or language.company.search(described[:200]):
        return "ORG"
    return "PERSON" if 2 <= len(name.split()) <= _FEW_WORDS else "ORG"


@cache
def _types() -> list[tuple[str, str]]:
    """cleanco's legal forms of the world."""
    return list(typesources())


def _role(described: str, language: Phrases) -> str:
    """The first term in which the party is called that is not one for all of them."""
    for found in language.called.finditer(described):
        term = next(filter(None, found.groups()), "")
        if not language.collective.match(term):
            return " ".join(term.split())
    return ""


# --- law and term -------------------------------------------------------------------------------------


def _law(text: str, language: Phrases) -> Iterator[Said]:
    """The place whose law governs, or that law by its adjective (`droit français`)."""
    for rule in language.laws:
        for found in rule.finditer(text):
            if name := next((each for each in ("place", "law") if found[each]), None):
                label = "LOCATION" if name == "place" else "LAW"
                yield Said(FactType.GOVERNED_BY, *found.span(name), label, found.span(), 0.95)
                return


def _term(text: str, language: Phrases) -> Iterator[Said]:
    """How long the agreement lasts: the first length that its sentence says this of."""
    for found in language.length.finditer(text):
        sentence = _SENTENCE.split(text[max(0, found.start() - _BEFORE) : found.start()])[-1]
        lasts = language.lasts.search(sentence)
        if lasts and not language.lasts_not.search(sentence) and _length(found, language):
            shown = found.start() - len(sentence), found.end()
            yield Said(FactType.TERM_OF, *found.span(), "DATE", shown, 0.9)
            return


def length_by_phrases(text: str) -> str | None:
    """ISO 8601 for a length of time in months or years: `P2Y` for `deux (2) ans`."""
    for language in _LANGUAGES:
        found = language.length.fullmatch(text)
        if found and (length := _length(found, language)):
            return length
    return None


def _length(found: re.Match[str], language: Phrases) -> str | None:
    words = [each.lower() for each in (found["digits"], found["number"]) if each]
    numbers = (alpha2digit(word, language.language, 0) for word in words)
    count = next((number for number in numbers if number.isdigit()), None)
    unit = found["unit"].lower().removeprefix("kalender").removeprefix("vertrags")
    return f"P{int(count)}{language.units[unit[0]]}" if count else None


# --- dates --------------------------------------------------------------------------------------------


def dates_by_phrases(text: str, dates: Sequence[Mention], language: Phrases) -> Iterator[tuple[Said, str]]:
    """What is said of the dates: from when the agreement holds, when it was signed, when it ends.

    It holds from the day that is said, else from that on which it was concluded, else from the first
    signature.
    """
    best: Said | None = None
    for each in (each for each in dates if each.value and _FULL.match(each.value)):
        before = text[max(0, each.start - _BEFORE) : each.start]
        for score, role, rule in _rules(language):
            if found := rule.search(before):
                shown = each.start - len(before) + found.start(), each.end
                said = Said(FactType.DATED, each.start, each.end, "", shown, score, role)
                if role in ("signing", "expiry"):
                    yield said, role
                if role != "expiry" and (best is None or score > best.score):
                    best = said
                break
    if best:
        yield best, "effective"


def _rules(language: Phrases) -> tuple[tuple[float, str, re.Pattern[str]], ...]:
    return (
        (0.9, "expiry", language.expires),
        (0.95, "effective", language.effective),
        (0.9, "effective", language.concluded),
        (0.85, "signing", language.signed),
    )
