"""Which mentions of one document name the same thing: exact first, then rules that rarely err."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz import fuzz

from docpipe.models import Entity, Mention


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LITERAL = _words(
    "DATE TIME MONEY CARDINAL ORDINAL QUANTITY PERCENT EMAIL URL PHONE IBAN CASE_NUMBER "
    "CONTRACT_NUMBER INVOICE_NUMBER"
)
"""Labels of values: these are the same only when they read the same."""

SIMILAR = 85
"""Least rapidfuzz ratio (0..100) of two spellings of one name; chosen on the open half of Re-DocRED."""

_NEIGHBOURS = 20
"""How many names to either side a name is compared with, in alphabetical order of both its ends."""

_TITLES = _words(
    "mr mrs ms miss dr prof professor sir lord lady dame president king queen prince princess senator "
    "sen governor gov general gen captain capt colonel col lieutenant lt sergeant sgt major judge "
    "justice rev reverend saint st hon honorable chancellor minister pope emperor"
)
_LEGAL_FORMS = _words(
    "inc incorporated corp corporation co company ltd limited plc llc llp lp gmbh ag kg sa sarl bv nv "
    "pty oy ab group holding holdings"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_COUNTRIES = {
    "us": "united states",
    "u s": "united states",
    "usa": "united states",
    "u s a": "united states",
    "united states of america": "united states",
    "uk": "united kingdom",
    "u k": "united kingdom",
}
_SMALL = _words("of the and for in de la du von van &")


@dataclass(frozen=True)
class _Name:
    """One spelling, as its mentions have it, and what it is compared by."""

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


class _Sets:
    """Disjoint sets; the smallest member names its set, so the order of joining does not matter."""

    def __init__(self, members: Iterable[_Name]) -> None:
        self._parent = {member: member for member in members}

    def root(self, member: _Name) -> _Name:
        while (parent := self._parent[member]) != member:
            self._parent[member] = member = self._parent[parent]
        return member

    def join(self, one: _Name, other: _Name) -> None:
        low, high = sorted((self.root(one), self.root(other)), key=_order)
        self._parent[high] = low


def resolve(mentions: Sequence[Mention]) -> tuple[Entity, ...]:
    """The things that `mentions` name: every mention belongs to exactly one entity.

    Two mentions are one entity when their labels agree and, in this order: they read the same
    without case, accents, punctuation, possessive, titles and legal forms; one is the other with a
    few characters changed (never in a digit); one is an acronym of the other; a person's name is
    part of exactly one fuller name, an organisation's name begins exactly one fuller name. Values
    (dates, amounts, addresses, numbers) are one only when they read the same.

    Entities come in the order of their first mention; an entity is named by its fullest, then most
    frequent spelling. The grouping does not depend on the order of the mentions. The time is that
    of sorting, times a constant.
    """
    surfaces = Counter((mention.label, _surface(mention.text)) for mention in mentions)
    names = _names(surfaces)
    sets = _joined(sorted(set(names.values()), key=_order))
    groups: dict[_Name, list[Mention]] = defaultdict(list)
    for mention in sorted(mentions, key=lambda mention: mention.start):
        groups[sets.root(names[mention.label, _surface(mention.text)])].append(mention)
    return tuple(_entity(index, group) for index, group in enumerate(groups.values()))


def plain(text: str) -> str:
    """Lower case, without accents, possessive, leading "the" and punctuation; single spaces."""
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    letters = re.sub(r"['’]s\b", "", letters)
    return " ".join(re.sub(r"^the\s+|[^\w\s]|_", " ", letters).split())


def _surface(text: str) -> str:
    return " ".join(text.split())


def _key(label: str, surface: str) -> str:
    if label in LITERAL:
        return _value(label, surface)
    words = plain(surface).split()
    if label == "PERSON":
        while len(words) > 1 and words[0] in _TITLES:
            words = words[1:]
    if label == "LOCATION":
        return _COUNTRIES.get(" ".join(words), " ".join(words) or surface.casefold())
    if label == "ORG":
        while len(words) > 1 and words[-1] in _LEGAL_FORMS:
            words = words[:-1]
    return " ".join(words) or surface.casefold()


def _value(label: str, surface: str) -> str:
    """The value in one form: dates as ISO 8601 where all parts are named, numbers without their spaces."""
    if label == "DATE":
        return _iso_date(surface) or surface.casefold()
    if label in ("IBAN", "PHONE"):
        return re.sub(r"[^\w+]", "", surface)
    return surface.replace(" ", "").casefold() if label == "MONEY" else surface.casefold()


def _iso_date(surface: str) -> str | None:
    """`14 March 2024`, `March 14th, 2024` and `2024-03-14` alike; None for numbers of unclear order."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", surface):
        return surface
    words = re.findall(r"[a-z]+|\d+", surface.casefold())
    months = [_MONTHS.index(word[:3]) + 1 for word in words if word[:3] in _MONTHS]
    days = [int(word) for word in words if word.isdigit() and len(word) < 3]
    years = [int(word) for word in words if word.isdigit() and len(word) == 4]
    others = {word for word in words if word.isalpha() and word[:3] not in _MONTHS}
    if len(months) == len(days) == len(years) == 1 and others <= {"st", "nd", "rd", "th", "day", "of", "the"}:
        return f"{years[0]:04}-{months[0]:02}-{days[0]:02}"
    return None


def _names(surfaces: Counter[tuple[str, str]]) -> dict[tuple[str, str], _Name]:
    """The name each (label, spelling) stands for; spellings with one key share the commonest spelling."""
    by_key: dict[tuple[str, str], list[str]] = defaultdict(list)
    for label, surface in surfaces:
        by_key[label, _key(label, surface)].append(surface)
    return {
        (label, surface): _Name(label, key, min(group, key=lambda s: (-surfaces[label, s], s)))
        for (label, key), group in by_key.items()
        for surface in group
    }


def _order(name: _Name) -> tuple[str, str]:
    return name.label, name.key


def _joined(names: Sequence[_Name]) -> _Sets:
    sets = _Sets(names)
    comparable = [name for name in names if name.label not in LITERAL]
    for one, other in _misspelt(comparable):
        sets.join(one, other)
    for acronym, host in _only_hosts(_acronyms(comparable), sets):
        sets.join(acronym, host)
    for stands_for in (_has_initials_of, _is_part_of):
        for short, full in _only_hosts(_shortened(comparable, stands_for), sets):
            sets.join(short, full)
    return sets


def _misspelt(names: Sequence[_Name]) -> Iterator[tuple[_Name, _Name]]:
    """Pairs that differ in a few characters: sorted by either end, one error leaves them neighbours."""
    for direction in (1, -1):
        ordered = sorted(names, key=lambda name: (name.label, name.key[::direction]))
        for position, one in enumerate(ordered):
            for other in ordered[position + 1 : position + 1 + _NEIGHBOURS]:
                if one.label == other.label and _similar(one, other):
                    yield one, other


def _similar(one: _Name, other: _Name) -> bool:
    if min(len(one.key), len(other.key)) <= 5 or one.digits != other.digits:
        return False
    if one.key.replace(" ", "") == other.key.replace(" ", ""):
        return True
    if len(one.words) != len(other.words) or not fuzz.ratio(one.key, other.key, score_cutoff=SIMILAR):
        return False
    return all(_same_word(a, b) for a, b in zip(one.words, other.words, strict=True) if a != b)


def _same_word(one: str, other: str) -> bool:
    """Whether two words differ by a misspelling, not by an ending (German, Germany, Germans)."""
    short, long = sorted((one, other), key=len)
    if long.startswith(short[:-1]):
        return False
    return fuzz.ratio(one, other) >= SIMILAR - 15


Hosts = dict[_Name, list[_Name]]


def _acronyms(names: Sequence[_Name]) -> Hosts:
    """For every acronym, the names whose initials it is."""
    by_initials: dict[tuple[str, str], list[_Name]] = defaultdict(list)
    for name in names:
        if len(name.words) > 1 and name.label != "PERSON" and not name.acronym:
            by_initials[name.label, name.initials].append(name)
    return {name: by_initials.get((name.label, name.acronym), []) for name in names if name.acronym}


def _shortened(names: Sequence[_Name], stands_for: Callable[[_Name, _Name], bool]) -> Hosts:
    """For every name of a person or an organisation, the fuller names it may stand for."""
    by_word: dict[tuple[str, str], list[_Name]] = defaultdict(list)
    for name in names:
        if name.label in ("PERSON", "ORG"):
            for word in set(name.words):
                by_word[name.label, word].append(name)
    return {
        name: [host for host in _rarest(name, by_word) if stands_for(name, host)]
        for name in names
        if name.label in ("PERSON", "ORG")
    }


_CROWD = 200
"""A word that more names than this share tells none of them apart."""


def _rarest(name: _Name, by_word: dict[tuple[str, str], list[_Name]]) -> list[_Name]:
    telling = [word for word in name.words if len(word) > 1]
    shared = min((by_word[name.label, word] for word in telling), key=len, default=[])
    return shared if len(shared) <= _CROWD else []


def _has_initials_of(short: _Name, full: _Name) -> bool:
    """J. H. Smith and John Henry Smith."""
    if short.label != "PERSON" or len(short.words) != len(full.words) or short.words[-1] != full.words[-1]:
        return False
    given = list(zip(short.words[:-1], full.words[:-1], strict=True))
    shorter = any(len(one) < len(other) for one, other in given)
    return shorter and all(one in (other, other[0]) for one, other in given)


def _is_part_of(short: _Name, full: _Name) -> bool:
    if len(full.words) <= len(short.words) or len(short.key) < 3:
        return False
    if short.label == "PERSON":
        return set(short.words) <= set(full.words)
    return len(short.key) >= 4 and full.words[: len(short.words)] == short.words


def _only_hosts(hosts: Hosts, sets: _Sets) -> list[tuple[_Name, _Name]]:
    """The pairs whose second is, as the sets stand now, the only thing the first can mean."""
    return [
        (name, candidates[0])
        for name, candidates in hosts.items()
        if candidates and len({sets.root(candidate) for candidate in candidates}) == 1
    ]


def _entity(index: int, mentions: Sequence[Mention]) -> Entity:
    spellings = Counter(_surface(mention.text) for mention in mentions)
    label = mentions[0].label

    def fullness(spelling: str) -> tuple[int, int, bool, int, str]:
        words = len(_key(label, spelling).split())
        return -words, -spellings[spelling], spelling.isupper(), len(spelling), spelling

    return Entity(index, min(spellings, key=fullness), label, tuple(mention.index for mention in mentions))


def name_key(label: str, text: str) -> str:
    """What two spellings of one name have in common; across documents, equal keys are one name."""
    return _key(label, _surface(text))


def compare(label: str, one: str, other: str) -> tuple[str, float] | None:
    """Whether two keys (of `name_key`) with one label may name the same thing.

    Returns:
        The rule and a score 0..1, the same for either order: `spelling` (a few characters differ),
        `initials` (given names are abbreviated) or `acronym`; None if they differ.
    """
    short, long = sorted(
        (_Name(label, one, one), _Name(label, other, other)), key=lambda n: (len(n.key), n.key)
    )
    if _similar(short, long):
        return "spelling", round(fuzz.ratio(short.key, long.key) / 100, 4)
    if _has_initials_of(short, long):
        return "initials", 0.8
    if label != "PERSON" and len(long.words) > 1 and short.key.replace(" ", "") == long.initials:
        return "acronym", 0.7
    return None
