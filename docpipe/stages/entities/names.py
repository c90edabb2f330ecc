"""What an engine's names need before they are mentions: clean edges, no role words, one label per name.

The rules and word lists were chosen on the open halves of the sets that `benchmarks/entities.py` names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from docpipe.engines.ports import Span

NAMES = frozenset({"PERSON", "ORG", "LOCATION"})
"""Labels of names that hold no date or amount; the name of an event or a law may."""

_COUNTS = frozenset({"CARDINAL", "ORDINAL"})
"""Labels of numbers that say how many, or which in a row; the number of a clause is taken for one too."""

_KINDS = NAMES | {"NORP", "PRODUCT", "WORK_OF_ART", "EVENT", "LAW"}

_EDGES = " \t\r\n\"'“”‘’„«»`,;:-–—*_|@#&"
_OPEN = {"(": ")", "[": "]", "{": "}"}
_BRACKETS = frozenset("()[]{}")
_TAIL = re.compile(r"(?:['’]s|['’]|(?<=\w)\s+s|(?<=\.)\.)$")
_HEADING = re.compile(r"(?:\d{1,3}(?:\.\d{1,3})+\.?|\d{1,3}\.|\(\w{1,3}\)|[§•])\s+")
_FIELD = re.compile(r"[^\W\d_][\w ]{0,25}:\s+(?=\S)")
_TITLES = r"(?:Mr|Mrs|Ms|Dr|Prof|Messrs)\.?"
_TITLE = re.compile(rf"{_TITLES}\s+(?=\S)")
_TITLED = re.compile(rf"\b{_TITLES}\s$")
_SEAT = re.compile(r"[A-Z]-(?:[A-Z]\.?){1,2}|[A-Z]-[A-Z][a-z]+\.?")
"""A politician's party and state, as in `Jane Doe, D-Ariz.`"""
_LETTER = re.compile(r"[^\W\d_]")
_WORDS = re.compile(r"[^\W_]+")
_WORD_BEGINS = re.compile(r"(?<![\w&'’-])")
_WORD_ENDS = re.compile(r"(?![\w&]|-\w)")

_ROLE_WORDS = """
    a account accounting accounts administration affiliate affiliates agency agreement amendment
    amendments amount an and annex appendix article attn bank banks bill board bond bonds borrower buyer
    by chief city class client commission committee common companies company contract contractor
    corporation council counterparty county court customer date declarations department derivatives
    description director directors discloser disclosing distribution employee employer esq except
    executive exhibit facsimile financial for form fund funds government guarantor holder holders in
    appellant claimant defendant defendants petitioner plaintiff plaintiffs respondent
    index information insured insurer invoice issuer item landlord lender lenders licensee licensor
    management market markets media name no note notes now number of office officer on or participant
    participants parties party payment plan plans portfolio portfolios preferred price principal print
    prospectus purchaser q1 q2 q3 q4 quantity receiving recipient recital recitals reference registrant
    regulation report representative representatives rollover rt s schedule section sections securities seller
    series severability share shareholder shareholders shares state statement statements stock
    stockholder stockholders stocks subsidiaries subsidiary subtotal supplement supplier tax tenant the
    therefore title to total trust trustee trustees trusts underwriter unit vat vendor whereas whereof
    witness witnesseth
"""
_WORDS_OF_ADDRESS = """
    mr mrs ms miss sir madam dr prof herr herrn herren frau damen geehrte geehrter geehrten madame monsieur
    mademoiselle mesdames messieurs mme mlle señor señora señores signor signore signora signori egregio
    gentile senhor senhora heer mevrouw meneer heren dames pan pani panie panowie
"""
"""How people are addressed in the languages of Western Europe and Poland; Babel has no such words."""
_ROLES = frozenset((_ROLE_WORDS + _WORDS_OF_ADDRESS).split())
"""Words of contracts, filings, forms and letters; nothing that consists of them is a name."""

_CURRENCY = re.compile(r"[$€£¥₹]|\b(?!VAT|TAX)[A-Z]{3}\b|(?i:dollar|euro|pound|franc|yen|rupee|money)")
_LAW = re.compile(r"\b(?:Act|Code|Regulations?)$")
_PLACE = re.compile(
    r"\b(?:County|River|Lake|Mountains?|Islands?|Street|Avenue|Road|Bay|Valley|Airport|Park|Bridge|Peninsula|Hills"
    r"|Beach|Province|District|Creek|Station|Square|Boulevard|Drive|Lane|Row|Terrace|Crescent|Quay|Wharf)$"
    r"|^(?:Lake|Mount|Cape|Gulf of|Bay of|Isle of|(?:Rue|Avenue|Boulevard|Place|Quai) d(?:e|u|es|e la)) "
)
_NUMBERED = re.compile(
    r"\d[\d-]*[A-Za-z]?\s+(?!(?:Street|Avenue|Road|District|Ward|Arrondissement)\b)(?=[A-Z])"
)
_SIDE = re.compile(r"(?:(?:north|south|east|west|central)(?:east|west|ern)?) (?=[A-Z])")
_GROUND = re.compile(r" (?:areas?|regions?|sectors?|fields?|coast|border|parishes|islands?|suburbs?)$")
"""Small words before and behind a place that are not of its name: `south Ohio`, `Ohio coast`."""
_COMPANY_OF = re.compile(
    r"(?i) (?:(?:limited|general|public|joint|stock|liability|exempted|professional|non-?profit) ){0,4}"
    r"(?:corporation|company|partnership|limited)$"
)
_ONE = re.compile(r"\b[Aa]n? $")
_LOOSE_END = re.compile(r"(?i)(?: (?:and|or|of|the|their|its|by|for|with)){1,3}$")
_PARTICLE = r"(?:af|al|av|bin|da|das|de|del|della|den|der|di|do|dos|du|el|ibn|la|le|ten|ter|van|von|zu)"
_SMALL_FIRST = re.compile(rf"(?!{_PARTICLE} )[a-z]{{2,}} (?=[A-Z])")
_STATE_BEFORE = re.compile(r"(?:U\. ?S\.|US|U\.K\.|UK|U\.N\.|UN)$")
_SHORTENED = re.compile(r"(?<!\w)[A-Z]\. ?[A-Z]$")
_STOPPED = re.compile(r"[a-z,.] (?:[A-Z]|Jr|Sr)$")
"""Of a person: an initial, Junior and Senior."""
_INITIALS = re.compile(r"(?<=[a-z,] )(?:[A-Z]\. ){1,2}$")
_INITIAL_LAST = re.compile(r"[a-z] [A-Z]\.$")
_ABBREVIATED = re.compile(r"\b[A-Z][a-z]{1,4}$")
_POLITY = re.compile(
    r"(?P<named>\b(?!The )[A-Z][\w'’]{0,15} )?"
    r"\b(?P<polity>(?:State|Commonwealth|Province|Kingdom|Republic|County) of"
    r"|(?:STATE|COMMONWEALTH|COUNTY) OF) $"
)
_REACH = 24
"""Characters before a name in which such a word can stand."""
_CAPITAL = re.compile(r",? D\.? ?C\b\.?")
_CAPITAL_CITY = "Washington"


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space, quotes, dashes, a leading "the", a final 's and unpaired brackets."""
    while start < end:
        inner = _trimmed_once(text, start, end)
        if inner == (start, end):
            break
        start, end = inner
    return start, end


def _trimmed_once(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    if piece.isalnum():
        return start, end
    if piece[0] in _EDGES or piece.startswith("the "):
        return start + (4 if piece.startswith("the ") else 1), end
    if piece[-1] in "'’s." and (tail := _TAIL.search(piece)):
        return start, start + tail.start()
    if piece[-1] in _EDGES:
        return start, end - 1
    if piece[0] not in _BRACKETS and piece[-1] not in _BRACKETS:
        return start, end
    for left, right in _OPEN.items():
        if piece.count(left) > piece.count(right) and left in (piece[0], piece[-1]):
            return (start + 1, end) if piece[0] == left else (start, end - 1)
        if piece.count(right) > piece.count(left) and right in (piece[0], piece[-1]):
            return (start, end - 1) if piece[-1] == right else (start + 1, end)
    return start, end


def tidied(text: str, spans: Sequence[Span]) -> list[Span]:
    """The spans by what each of them says, sorted; those that name nothing are left out.

    1. Edges are trimmed; of a name also the number of a heading, a field's
       word and colon (`Bank: `), and the titles Mr., Mrs., Ms., Dr., Prof.
    2. A name without a letter, of role words only (`the Company`, `Board of Directors`, also as a
       law or work), an organisation in small letters, or a person of one word in small letters is none.
    3. An amount without a currency is none, and a number that only counts names nothing.
    4. An Act, Code or Regulation is a LAW; a County, River, Street … is a LOCATION. Whoever stands behind
       such a title is a PERSON; a party and state (`D-Ariz.`) is none.
    5. A name ends with the dot of its abbreviation (`U.S.`, `Ann Lee Jr.`). A place begins behind the number
       of a house, and with the words `State of`; small words around a name (`south`, `coast`) are not of it.
       `a Delaware corporation` names the place.
    """
    found = (_tidy(text, span) for span in sorted(spans, key=lambda span: (span.start, -span.end)))
    return [span for span in found if span]


def _tidy(text: str, span: Span) -> Span | None:
    start, end = trim(text, span.start, span.end)
    if span.label in _COUNTS or (span.label in _KINDS and only_roles(text[start:end])):
        return None
    if span.label not in NAMES:
        empty = start == end or (span.label == "MONEY" and not _CURRENCY.search(text, start, end))
        return None if empty else Span(start, end, span.label, span.score)
    if (
        lead := _HEADING.match(text, start, end)
        or _FIELD.match(text, start, end)
        or (_TITLE.match(text, start, end) if span.label == "PERSON" else None)
    ):
        start = lead.end()
    piece = text[start:end]
    if not _LETTER.search(piece) or (lead and only_roles(piece)):
        return None
    if piece.islower() and (span.label == "ORG" or (span.label == "PERSON" and piece.isalpha())):
        return None
    if span.label == "PERSON" and _SEAT.fullmatch(piece):
        return None
    end = _with_dot(text, start, end, span.label)
    titled = _TITLED.search(text, max(0, start - _REACH), start)
    label = "PERSON" if titled else _by_form(span.label, text[start:end])
    return Span(*_bordered(text, start, end, label), span.score)


def _bordered(text: str, start: int, end: int, label: str) -> tuple[int, int, str]:
    """The name without small words of its sentence; the place alone of `a Delaware corporation`."""
    if label == "ORG" and (loose := _LOOSE_END.search(text[start:end])):
        end = start + loose.start()
    if label == "ORG" and _ONE.search(text, max(0, start - 3), start):
        kind = _COMPANY_OF.search(text[start:end])
        return (start, start + kind.start(), "LOCATION") if kind else (start, end, label)
    if label == "PERSON" and (small := _SMALL_FIRST.match(text, start, end)):
        return small.end(), end, label
    if label != "LOCATION":
        return start, end, label
    start = _place_start(text, start, end)
    ground = _GROUND.search(text[start:end])
    return start, start + ground.start() if ground else end, label


def _with_dot(text: str, start: int, end: int, label: str) -> int:
    """The end of the name behind the dot of its abbreviation: `U.S.`, `Ann Lee Jr.`; `Calif.` where a comma
    follows.
    """
    if text[end : end + 1] != ".":
        return end
    stopped = _STOPPED.search(text, start, end) if label == "PERSON" else None
    dotted = (
        stopped
        or _SHORTENED.search(text, start, end)
        or (text[end + 1 : end + 2] == "," and _ABBREVIATED.search(text, start, end))
    )
    return end + 1 if dotted else end


def _place_start(text: str, start: int, end: int) -> int:
    """Where the place begins: behind a house's number and a side (`south`), and before `State of`."""
    if before := _NUMBERED.match(text, start, end) or _SIDE.match(text, start, end):
        return before.end()
    polity = _POLITY.search(text, max(0, start - _REACH), start)
    return polity.start("polity") if polity and not polity["named"] else start


def only_roles(name: str) -> bool:
    """Whether the words are all words of contracts, filings and forms (and so name nothing)."""
    return _ROLES.issuperset(_WORDS.findall(name.lower()))


def _by_form(label: str, name: str) -> str:
    if " " not in name:
        return label
    if _LAW.search(name):
        return "LAW"
    return "LOCATION" if _PLACE.search(name) else label


def settled(text: str, spans: Sequence[Span]) -> list[Span]:
    """The sorted spans, of two that overlap the longer, by what the document as a whole says of their names.

    1. `Washington` and `D.C.` after it are one place. Initials belong to a person, before (`S. Donald Lee`)
       and within the name (`Ann B. Lee`); `U.S.` right before an organisation to it.
    2. A name takes the label that most of its mentions have; with as many of each, every one keeps its own.
    3. A first or last name of somebody called by both elsewhere is that PERSON, whatever it was taken for,
       and is found where it was missed.
    """
    joined = _joined(text, spans)
    voted = _voted(text, joined)
    people = first_and_last_names(text, voted)
    known = [
        span._replace(label="PERSON")
        if span.label in _KINDS and text[span.start : span.end] in people
        else span
        for span in voted
    ]
    return sorted([*known, *_missed(text, known, people)], key=lambda span: span.start)


def _joined(text: str, spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for each in spans:
        span = _from_its_initials(text, each, joined[-1].end if joined else 0)
        if joined and (whole := _as_one(text, joined[-1], span)):
            joined[-1] = whole
            continue
        if joined and joined[-1].end > span.start:
            if span.end - span.start > joined[-1].end - joined[-1].start:
                joined[-1] = span
            continue
        if text[span.start : span.end] == _CAPITAL_CITY and (more := _CAPITAL.match(text, span.end)):
            span = span._replace(end=more.end(), label="LOCATION")
        joined.append(span)
    return joined


def _from_its_initials(text: str, span: Span, least: int) -> Span:
    if span.label != "PERSON":
        return span
    initials = _INITIALS.search(text, max(least, span.start - _REACH), span.start)
    return span._replace(start=initials.start()) if initials else span


def _as_one(text: str, first: Span, span: Span) -> Span | None:
    """Both in one, where a person's name was parted behind an initial (`Ann B.`, `Lee`) or the letters of a
    state stand before an organisation of its (`U.S.`, `Central Command`).
    """
    if text[first.end : span.start] != " ":
        return None
    name = text[first.start : first.end]
    if first.label == span.label == "PERSON" and _INITIAL_LAST.search(name):
        return first._replace(end=span.end)
    if first.label in ("LOCATION", "ORG") and span.label == "ORG" and _STATE_BEFORE.search(name):
        return span._replace(start=first.start)
    return None


def _voted(text: str, spans: Sequence[Span]) -> list[Span]:
    votes: dict[str, dict[str, int]] = {}
    for span in spans:
        if span.label in NAMES:
            counted = votes.setdefault(text[span.start : span.end].lower(), {})
            counted[span.label] = counted.get(span.label, 0) + 1

    def voted(span: Span) -> Span:
        counted = votes[text[span.start : span.end].lower()] if span.label in NAMES else {}
        if len(counted) < 2:
            return span
        best = max(counted, key=counted.__getitem__)
        return span._replace(label=best) if counted[best] > counted[span.label] else span

    return [voted(span) for span in spans]


def first_and_last_names(text: str, spans: Sequence[Span]) -> dict[str, float]:
    """First and last names of the persons who are called by both, with the best score."""
    scores: dict[str, float] = {}
    for span in spans:
        words = text[span.start : span.end].split()
        if span.label == "PERSON" and 2 <= len(words) <= 4:
            for word in (words[0], words[-1]):
                if word.lower() not in _ROLES:
                    scores[word] = max(span.score, scores.get(word, 0.0))
    return scores


def _missed(text: str, spans: Sequence[Span], people: dict[str, float]) -> Iterator[Span]:
    """Last names in places that no span holds."""
    names = {name for name in people if len(name) >= 4 and name[0].isupper()}
    last = {text[span.start : span.end].split()[-1] for span in spans if span.label == "PERSON"}
    if not names & last:
        return
    taken = iter([*spans, Span(len(text) + 1, len(text) + 1, "")])
    span = next(taken)
    places = ((start, start + len(name), name) for name in names & last for start in _starts(text, name))
    done = 0
    for start, end, name in sorted(places, key=lambda place: (place[0], -place[1])):
        while span.end <= start:
            span = next(taken)
        if done <= start and end <= span.start:
            yield Span(start, end, "PERSON", people[name])
        done = max(done, end)


def _starts(text: str, name: str) -> Iterator[int]:
    """Where the name stands as a word of its own."""
    start = text.find(name)
    while start >= 0:
        if _WORD_BEGINS.match(text, start) and _WORD_ENDS.match(text, start + len(name)):
            yield start
        start = text.find(name, start + 1)
