"""Names of companies by their legal form, of which cleanco keeps those of the world."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from cleanco import termdata

from docpipe.engines.ports import Span
from docpipe.stages.entities.alternatives import one_of
from docpipe.stages.entities.names import only_roles

_MORE = (
    "KGaA",
    "SpA",
    "S.p.A",
    "Sp. z o. o.",
    "SCE",
    "S.à r.l.",
    "Sàrl",
    "S.à.r.l.",
    "GesmbH",
    "PartGmbB",
    "SE",
    "N.A",
    "P.C",
    "P.A",
    "e.K",
    "E.K",
    "e.V",
    "E.V",
    "e.G",
    "S.L.U",
    "S.A.U",
    "UG (haftungsbeschränkt)",
    "Limited Liability Company",
    "Limited Partnership",
    "Public Limited Company",
)
"""Forms and spellings of them that cleanco lacks."""

_TITLED = (
    "Inc",
    "Corp",
    "Ltd",
    "Plc",
    "Oy",
    "Oyj",
    "Pty",
    "Pte",
    "Pvt",
    "Ltda",
    "Lda",
    "Kft",
    "Zrt",
    "Nyrt",
    "Bt",
)
"""Short forms without full stops that are written with one capital; other short words with one are words."""

_AMBIGUOUS_WORDS = """
    and company private limited co co. at ad as be da ec ee ei ep et ev fa gp ij ik kt nl ok pp ps pt sd sp
    sf tov vat uk ud xt xk bl bm sep sem dat cpt fop aat teo tdv ses. ent. gte. rt. p.p. p.c. a.e. e.c. e.g.
    a.m. s.s. s.p. s.c. s.f. o.d. e.e. k.d. d.d. a.d. o.e. b.m. p.l.c. obrt etat
"""
_AMBIGUOUS = frozenset(_AMBIGUOUS_WORDS.split())
"""Terms of cleanco's that are other words or abbreviations far more often, or need `&` or a name before."""

_CAPITAL = r"[^\W\d_a-zß-öø-ÿ]"
_CAPITAL_OR_DIGIT = r"[^\W_a-zß-öø-ÿ]"
"""No small letter of western languages; those of others are told apart afterwards."""

_PLAIN = r"(?:[\w&'’-]|\.(?=\w)){0,30}"
_LEADING = re.compile(
    r"(?:(?:The|This|That|Between|By|And|From|To|For|With|In|On|At|Of|If|When|While|As|Both|Dear|Seller|Buyer"
    r"|Client|Customer|Supplier|Tenant|Landlord|Licensor|Licensee|Plaintiffs?|Defendants?|Petitioner|Respondent|Party|Parties"
    r"|Vice President|Chief (?:Executive|Financial|Operating) Officer|Managing Director|General Counsel"
    r"|THE|BETWEEN|AND|BY|OF|TO|FOR"
    r"|Die|Der|Das|Firma|Zwischen|Und|Von|La|Le|Les|Entre|Et|Il|El|Tra|Fra)"
    r"(?:[:,.]| and| of)? )+"
)
_WORD = re.compile(r"\S+")
_OF_A_NAME = re.compile(r" of [A-Z]")
_ENDS_WITH_STOP = re.compile(
    r"\.\w{1,4}\.$|\b(?:Inc|INC|Ltd|LTD|Corp|CORP|Co|CO|Kft|Zrt|Ltda|Bhd|srl|Rt|o\.o|r\.l)\.$"
)
"""A full stop that belongs to the form."""


def _as_printed(term: str) -> Iterator[str]:
    """The ways in which a form of cleanco's (in small letters) stands in print."""
    bare = term.rstrip(".")
    if len(bare) < 2 or term in _AMBIGUOUS or not bare.isprintable() or not bare[0].isalpha():
        return
    if "." in bare or "/" in bare or " " in bare:
        yield from (bare, bare.upper(), bare[0].upper() + bare[1:], _mixed(bare), bare.title())
        return
    yield bare.upper()
    if len(bare) > 3:
        yield bare.capitalize()
    if bare in ("gmbh", "mbh"):
        yield bare.replace("mbh", "mbH").replace("gmbH", "GmbH")


def _mixed(form: str) -> str:
    """`S.p.A`, `Sp. z o.o`: the first letter and the last a capital where all others are single."""
    if " " in form or "/" in form:
        return form[0].upper() + form[1:]
    letters = form.split(".")
    return ".".join((letters[0].upper(), *letters[1:-1], letters[-1].upper()))


@cache
def legal_forms() -> frozenset[str]:
    """The legal forms of companies as they are printed, without a full stop at the end."""
    tables = (*termdata.terms_by_type.values(), *termdata.terms_by_country.values())
    printed = {form for table in tables for term in table for form in _as_printed(term)}
    fixed = {"plc", "GmbH", "mbH", "L.L.C", "Limited", "LIMITED", "ApS", "d.o.o", "s.r.o", "a.s", "OÜ"}
    return frozenset({*printed, *_MORE, *_TITLED, *fixed})


@cache
def _company() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A name and its form, and the form alone, which is quicker to find."""
    company = r"(?:& |and )?(?:Co|CO)(?=\.|,? (?:Inc|Ltd|LLC|KG|Limited))|& (?:Cie|Co|CO|Company)"
    form = rf"(?:{one_of(legal_forms())}|{company})"
    word = (
        rf"(?:(?:{_CAPITAL}\.){{1,4}}|(?:Co|St|Cie|Bros|Mfg|Intl|Int)\.|Bank of|{_CAPITAL_OR_DIGIT}{_PLAIN})"
    )
    middle = rf"(?:{word}|&|and|de|del|della|di|du|des|von|van|et|und|y|e|i|\({_CAPITAL}[\w.& ]{{1,20}}\))"
    end = r"(?![\w’'&]|-\w|\.\w)(?! Partner)"
    country = rf" \({_CAPITAL}[\w.& ]{{1,20}}\)"
    more = rf"(?:(?:,?|{country}) {form}{end}\.?|,? & (?:Co|CO)\.?(?: (?:KG|KGaA)\b)?)"
    first = rf"(?:,? {form}{end}\.?|,? & Co\.)"
    name = re.compile(
        rf"(?<![\w&'’.-])(?={_CAPITAL}){word}(?: {middle}){{0,6}}?{first}{more}{{0,2}}",
    )
    return name, re.compile(rf" {form}{end}")


def find_companies(text: str, low: int, high: int) -> Iterator[Span]:
    """The ORG spans in `text[low:high]`: the words with capitals before a legal form, and it."""
    name, form = _company()
    if not form.search(text, low, high):
        return
    for match in name.finditer(text, low, high):
        start, end = match.span()
        if not _ENDS_WITH_STOP.search(match.group()):
            end -= match.group().endswith(".")
        if lead := _LEADING.match(text, start, end):
            start = lead.end()
        start = _past_small_words(text, start, end)
        words = text[start:end].split()
        if len(words) > 1 and not _shouted(words) and not only_roles(" ".join(words[:-1])):
            yield Span(start, end, "ORG")


def to_its_form(text: str, start: int, end: int, company: Span) -> tuple[int, int]:
    """The span of a name that holds a company by its legal form, without what follows that, but for `of` and
    a name (`Power Corporation of Canada`), nor the small words and roles before it: `Plaintiff Acme, Inc.`
    """
    if not (start <= company.start and company.end <= end):
        return start, end
    before = text[start : company.start]
    surplus = before.islower() or only_roles(before)
    goes_on = _OF_A_NAME.match(text, company.end, end)
    return (company.start if surplus else start), end if goes_on else company.end


def without_form(company: str) -> str:
    """The name before the first legal form."""
    _, form = _company()
    found = form.search(company)
    return (company[: found.start()] if found else company).rstrip(" ,")


def _past_small_words(text: str, start: int, end: int) -> int:
    """Past words that begin with a small letter of an eastern language."""
    small = [
        word for word in _WORD.finditer(text, start, end) if word.group() > "ÿ" and word.group()[0].islower()
    ]
    return small[-1].end() + 1 if small else start


def _shouted(words: list[str]) -> bool:
    """Whether a form of two letters ends a run of words in capitals: `JOHN SMITH AS`, `STOP PAYMENT AB`."""
    return (
        len(words[-1]) == 2 and words[-1].isupper() and words[-1] not in ("AG", "KG") and words[-2].isupper()
    )
