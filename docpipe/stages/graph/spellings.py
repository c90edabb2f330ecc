"""When two spellings of one label name one thing: pure rules over a pair of names, each with its score."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

from rapidfuzz import fuzz

from docpipe.stages.entities.companies import legal_forms
from docpipe.stages.text.reading_text import reading_text


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LITERAL = _words(
    "DATE TIME MONEY CARDINAL ORDINAL QUANTITY PERCENT EMAIL URL PHONE IBAN VAT_NUMBER CASE_NUMBER "
    "CONTRACT_NUMBER INVOICE_NUMBER"
)
"""Labels of values: one only when their values are equal, or without a value when they read the same."""

SIMILAR = 85
"""Least rapidfuzz ratio (0..100) of two spellings of one name; chosen on the open half of Re-DocRED."""

_TITLES = _words(
    "mr mrs ms miss dr prof professor sir lord lady dame president king queen prince princess senator "
    "sen governor gov general gen captain capt colonel col lieutenant lt sergeant sgt major judge "
    "justice rev reverend saint st hon honorable chancellor minister pope emperor"
)
_DEGREES = _words("esq phd md dds jd mba cpa qc kc obe cbe mp")
_NUMBERED = _words("i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi")
"""Words that distinguish namesakes."""
_LEGAL_FORMS = _words(
    "inc incorporated corp corporation co company ltd limited plc llc llp lp gmbh ag kg sa sarl bv nv "
    "pty oy ab group holding holdings"
)
_LONGEST_FORM = 4
"""Most words of a legal form once its full stops are away: `sp z o o`."""
_COUNTRIES = {
    "us": "united states",
    "u s": "united states",
    "usa": "united states",
    "u s a": "united states",
    "america": "united states",
    "united states of america": "united states",
    "uk": "united kingdom",
    "u k": "united kingdom",
    "great britain": "united kingdom",
    "prc": "china",
    "people s republic of china": "china",
    "ussr": "soviet union",
}
_FORMS_OF_STATE = re.compile(
    r"(?:(?:united )?kingdom|state|commonwealth|city|town|principality|sultanate|grand duchy"
    r"|(?:federal|islamic|people s|socialist) republic) of (?!ireland|china|korea)"
)
_SMALL = _words("of the and for in to on at de la du des del da di von van et &")
_ELSEWHERE = (_SMALL - {"of"}) | _words("europe america asia africa international uk usa bank")
"""Where the rest of an organisation's name begins with one of these, it is another one: a branch."""
_PARTS = _words("school college department faculty division institute hospital press library airport express")


class Decision(NamedTuple):
    """Why two names are one."""

    rule: str
    score: float
    """0..1: how rarely the rule errs."""


FORM = 0.98
"""Score of `form`."""
ACRONYM = Decision("acronym", 0.85)
INITIALS = Decision("initials", 0.85)


@dataclass(frozen=True)
class Name:
    """One spelling and what it is compared by: make it with `named`."""

    label: str
    key: str
    surface: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        return tuple(self.key.split())

    @cached_property
    def digits(self) -> str:
        return re.sub(r"\D", "", self.key)

    @cached_property
    def initials(self) -> str:
        return "".join(word[0] for word in plain(self.surface).split() if word not in _SMALL)

    @cached_property
    def acronym(self) -> str:
        """The letters of an acronym (`U.N.` is `un`), empty for other names."""
        letters = re.sub(r"[.&\s]", "", self.surface)
        return letters.lower() if 2 <= len(letters) <= 7 and letters.isalpha() and letters.isupper() else ""

    @cached_property
    def seen(self) -> str:
        """The key as bad print looks: what OCR takes for each other is one."""
        return " ".join(map(_seen, self.words))


def named(label: str, text: str, value: str | None = None) -> Name:
    """The name that a mention with this label, text and value has."""
    surface = " ".join(reading_text(text).text.split())  # without soft hyphens, words joined again
    return Name(label, name_key(label, surface, value), surface)


def compare(label: str, one: str, other: str) -> Decision | None:
    """Whether two names of one label (texts, or keys of `name_key`) may be one thing; None if they differ.

    Symmetric. Rules: `form` (case, accents, punctuation, possessive, titles, legal forms and name order
    aside, they read the same), `ocr` (what bad print confuses), `spelling` (a few
    characters differ, never a digit), `initials` (given names are abbreviated) and `acronym`. The last
    two may fit several names. Only `resolve` can decide that a name is part of a fuller one.
    """
    first, second = named(label, one), named(label, other)
    if first.key == second.key:
        return Decision("form", FORM)
    return alike(first, second) or _abbreviates(first, second) or _abbreviates(second, first)


def _abbreviates(short: Name, full: Name) -> Decision | None:
    if short.label in LITERAL:
        return None
    if short.label == "PERSON":
        return INITIALS if _has_initials_of(short, full) else None
    letters = short.key.replace(" ", "")
    return ACRONYM if 1 < len(letters) <= 7 and len(full.words) > 1 and letters == full.initials else None


def alike(one: Name, other: Name) -> Decision | None:
    """By `ocr` or `spelling`: the rules that need no look at other names."""
    return _alike(one, other) if one.label == other.label and one.label not in LITERAL else None


def shortens(short: Name, full: Name) -> Decision | None:
    """By `acronym`, `initials` or `part`: the rules for a short name that can stand for nothing else."""
    return _short_for(short, full) if short.label == full.label and short.label not in LITERAL else None


def plain(text: str) -> str:
    """Lower case, without accents, possessive, leading "the" and punctuation; single spaces."""
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    letters = re.sub(r"['’]s\b", "", letters)
    return " ".join(re.sub(r"^the\s+|[^\w\s]|_", " ", letters).split())


def name_key(label: str, surface: str, value: str | None = None) -> str:
    """What all texts of one name have in common that differ in form only: equal keys are one name.

    Of a value it is the value (`Mention.value`), and where that is not known the text in lower case.
    """
    if label in LITERAL:
        return value or surface.casefold()
    words = plain(_in_order(surface) if label == "PERSON" else surface).split()
    if label == "PERSON":
        words = _untitled(words)
    if label == "ORG":
        words = _without_form(words)
    joined = " ".join(words)
    if label == "LOCATION":
        joined = _FORMS_OF_STATE.sub("", _COUNTRIES.get(joined, joined), count=1)
    return joined or surface.casefold()


def _without_form(words: list[str]) -> list[str]:
    """The words without the legal forms they end with, whole or in pieces: `sp z o o`."""
    while True:
        form = next(
            (size for size in range(min(_LONGEST_FORM, len(words) - 1), 0, -1) if _is_form(words[-size:])), 0
        )
        if not form:
            return words
        words = words[:-form]


def _is_form(words: list[str]) -> bool:
    joined = " ".join(words)
    return joined in _LEGAL_FORMS or joined in _forms_of_the_world()


@cache
def _forms_of_the_world() -> frozenset[str]:
    return frozenset(plain(form) for form in legal_forms())


def _in_order(surface: str) -> str:
    """`John Doe` for `Doe, John`; a title or degree after the comma is left where it is."""
    last, comma, first = surface.partition(",")
    after = plain(first).split()
    if not comma or "," in first or not after or set(after) & (_DEGREES | _NUMBERED | _TITLES | {"jr", "sr"}):
        return surface
    return f"{first} {last}" if len(last.split()) <= 2 else surface


def _untitled(words: list[str]) -> list[str]:
    while len(words) > 1 and words[0] in _TITLES:
        words = words[1:]
    while len(words) > 1 and words[-1] in _DEGREES:
        words = words[:-1]
    return words


_LOOKALIKES = str.maketrans("01i|5", "olll5")


def _seen(word: str) -> str:
    """`Amold` and `Arnold`, `G00gle` and `Google` as one; a number stays as it is."""
    if word.isdigit():
        return word
    return word.translate(_LOOKALIKES).replace("rn", "m").replace("vv", "w")


# --- rules ------------------------------------------------------------------------------------------


def _alike(one: Name, other: Name) -> Decision | None:
    if min(len(one.key), len(other.key)) >= 4 and one.seen == other.seen:
        return Decision("ocr", 0.9)
    if min(len(one.key), len(other.key)) <= 5 or one.digits != other.digits:
        return None
    if one.key.replace(" ", "") == other.key.replace(" ", ""):
        return Decision("spelling", 0.95)
    ratio = fuzz.ratio(one.key, other.key, score_cutoff=SIMILAR)
    if ratio and len(one.words) == len(other.words) and not (one.acronym or other.acronym):
        pairs = zip(one.words, other.words, strict=True)
        if all(_same_word(a, b) for a, b in pairs if a != b):
            return Decision("spelling", round(ratio / 100, 2))
    return None


def _same_word(one: str, other: str) -> bool:
    """Whether two words differ by a misspelling, not by an ending (German, Germany, Germans)."""
    short, long = sorted((one, other), key=len)
    if long.startswith(short[:-1]):
        return False
    return fuzz.ratio(one, other) >= SIMILAR - 15


def _short_for(short: Name, full: Name) -> Decision | None:
    if short.acronym and short.label != "PERSON" and not full.acronym and len(full.words) > 1:
        return ACRONYM if full.initials == short.acronym else None
    if short.label == "PERSON":
        if _has_initials_of(short, full):
            return INITIALS
        return Decision("part", 0.8) if _is_part_of_person(short, full) else None
    if short.label == "ORG" and _is_part_of_org(short, full):
        return Decision("part", 0.75)
    return None


def _has_initials_of(short: Name, full: Name) -> bool:
    """J. H. Smith and John Henry Smith."""
    if len(short.words) != len(full.words) or short.words[-1] != full.words[-1]:
        return False
    given = list(zip(short.words[:-1], full.words[:-1], strict=True))
    shorter = any(len(one) < len(other) for one, other in given)
    return shorter and all(one in (other, other[0]) for one, other in given)


def _is_part_of_person(short: Name, full: Name) -> bool:
    rest = set(full.words) - set(short.words)
    return (
        len(full.words) > len(short.words)
        and len(short.key) >= 3
        and set(short.words) <= set(full.words)
        and not rest <= _NUMBERED
    )


def _is_part_of_org(short: Name, full: Name) -> bool:
    """Northwind of Northwind Traders, Parliament of Norwegian Parliament; not Utah of Bank of Utah."""
    count = len(short.words)
    if len(full.words) <= count or len(short.key) < 4:
        return False
    if full.words[:count] == short.words:
        rest = full.words[count:]
        return rest[0] not in _ELSEWHERE and (count == 1 or not _PARTS & set(rest))
    return full.words[-count:] == short.words and full.words[-count - 1] not in _SMALL
