"""A name that stands where a party stands: how far it goes, and what it names."""

from __future__ import annotations

import re

FORM = (
    r"(?=[A-Z]|plc\b)(?i:incorporated|inc|national\s+association|ltd|limited|l\.?l\.?c|l\.?l\.?l?\.?p|l\.?p|p\.?l\.?c|corporation|corp"
    r"|company|co|gmbh|ag|kg|s\.?a"
    r"|s\.?[àa]\.?r\.?l|s\.r\.l|b\.?v|n\.?v|asa|a/s|pty|oy|ab|n\.?a|s\.?p\.?a|k\.k|s\.?e|pte|bhd)(?![\w&])\.?"
)
"""A company's legal form, in capitals or not; of those in small letters, `plc`."""

_STOPPED = r"(?:(?<=\b[A-Z])\.|(?<=\b[A-Z][a-z])\.|(?<=\bSt)\.)?"
_WORD = rf"(?:&?[a-z]?[A-Z0-9](?:[\w&'’/+¢!-]|\.(?=\w))*+{_STOPPED}|&)"
_JOIN = r"(?:(?:of|the|de|del|la|van|von|der|for)\s+){1,2}"
_MIDDLE = r"(?:[“\"][A-Z][\w .-]{1,30}[”\"])"
_STRONG = r"(?i:incorporated|inc|ltd|l\.?l\.?c|l\.?l?\.?l\.?p|l\.p|p\.?l\.?c|corp|corporation|gmbh)(?![\w&])"
NAME = re.compile(
    rf"(?:{_WORD}|{_MIDDLE})(?:[^\S\t]+(?:{_JOIN}(?={_WORD}))?(?!{_STRONG})(?:{_WORD}|{_MIDDLE})){{0,9}}"
    rf"(?:\.?,?[^\S\t]+{FORM}(?:\s+of\s+America)?)*(?:,?\s+(?:Jr|Sr|II|III|IV|M\.D|Ph\.D)\b\.?)*"
)
"""Words with capitals, small words between them, and the legal forms that follow."""

_ENDS_WITH_FORM = re.compile(rf"(?:^|[\s,]){FORM}$")
_ORGANISED = re.compile(
    r"(?i)\b(?:bank|trust|university|college|institute|fund|partners|holdings?|group|capital"
    r"|technolog(?:y|ies)|systems"
    r"|sciences|pharmaceuticals?|laboratories|stores|services|associates|international|industries"
    r"|enterprises|solutions"
    r"|networks?|communications|energy|health(?:care)?|medical|department|authority|foundation"
    r"|ministry|therapeutics"
    r"|securities|acquisition|resources|association|agency|software|entertainment|financial"
    r"|insurance|products)\b|&"
)
_INDIVIDUAL = re.compile(
    r"(?i)\b(?:individual|employee|executive|consultant|associate|director|advisor|contractor|mr"
    r"|ms|mrs)\b"
)
_LISTS = re.compile(r"(?i)\b(?:and|or|of)\b|;")
"""What the words of a heading hold, and no person's name."""
_NO_NAME_WORDS = """
    a agreement an and any associate background between both buyer by client company confidential
    confidentiality consultant contract contractor corporation counterparty customer date dated deed
    disclosing discloser distributor each effective either employee employer entity exhibit executive
    first following for form his her i in incorporated individual introduction investor it its landlord lease
    lender lessee lessor liability licensee licensor limited logo name now of on other our owner participant
    parties partnership party print
    printed provider purchaser recipient receiving recital recitals schedule second section seller
    signature such supplier tenant that the their these this title to undersigned us vendor we whereas
    witness witnesseth you your
"""
_NO_NAME = frozenset(_NO_NAME_WORDS.split())
_NO_BEGINNING_WORDS = "this whereas such print printed and or of above to effective page article"
_NO_BEGINNING = frozenset(_NO_BEGINNING_WORDS.split())
_PAPER = re.compile(r"(?i)\b(?:agreement|plan|act|policy|program|corporation\s+law)$")
_BLANK = re.compile(r"x{3,}")
"""Where a form leaves room for a name: `XXXX`."""
_LETTERS = re.compile(r"[^\W\d_]+")
_TAIL = re.compile(r"(?:[,;:\s-]|(?<![A-Z])(?<!\b[A-Z][a-z])(?<!\b[A-Z][a-z]{2})(?<!\bCorp)\.){1,20}$")
_ABBREVIATED = re.compile(rf"\s{FORM}$")


def name_at(text: str, start: int, limit: int) -> tuple[int, int] | None:
    """The span of the name that begins at `start` and ends before `limit`; None where none does."""
    found = NAME.match(text, start, limit)
    if not found:
        return None
    end = found.end()
    while (cut := _cut(text, start, end)) < end:
        end = cut
    return (start, end) if is_name(text[start:end]) else None


def _cut(text: str, start: int, end: int) -> int:
    """Without what does not belong to a name's end: commas, the full stop of a sentence."""
    piece = text[start:end]
    if _ABBREVIATED.search(piece):
        return end
    tail = _TAIL.search(piece)
    return start + tail.start() if tail else end


def has_form(name: str) -> bool:
    """Whether it ends with a company's legal form."""
    return _ENDS_WITH_FORM.search(name) is not None


def is_organisation(name: str) -> bool:
    """Whether its form or a word of it is that of a company or institution."""
    return has_form(name) or _ORGANISED.search(name) is not None


def is_name(name: str) -> bool:
    """Whether it has a word that is none of those that contracts call anybody by."""
    words = [word.casefold() for word in _LETTERS.findall(name)]
    said = any(word not in _NO_NAME and not _BLANK.fullmatch(word) for word in words)
    return len(name) > 2 and said and words[0] not in _NO_BEGINNING and not _PAPER.search(name)


def squeezed(name: str) -> str:
    """What two spellings of a party have in common: small letters and digits, without "the"."""
    return re.sub(r"[\W_]|^the\b", "", name.casefold())


def label_of(name: str, described: str = "") -> str:
    """ORG or PERSON, by the name's form and the words behind it (`an individual`, `a Delaware company`)."""
    words = name.split()
    if is_organisation(name):
        return "ORG"
    if re.search(
        r"(?i)\b(?:corporation|company|partnership|limited|organi[sz]ed|incorporated)\b", described[:160]
    ):
        return "ORG"
    if _INDIVIDUAL.search(described[:160]) or (2 <= len(words) <= 4 and not _LISTS.search(name)):
        return "PERSON"
    return "ORG"
