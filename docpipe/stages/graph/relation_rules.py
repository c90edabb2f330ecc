"""What two mentions of one sentence say about each other, by their labels and the words around them.

The words come masked: every other mention in them stands as its label in angle quotes (`‹PERSON›`), so
that a rule can distinguish `of Avis of Folsom` from `of Folsom`, and no name is taken for a cue.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Rule(NamedTuple):
    """What a pair of mentions says: the relation, whether the second mention is its source, how surely."""

    type: str
    backwards: bool
    score: float
    verb: str = ""


class Context(NamedTuple):
    """The masked text of a sentence before, between and after two mentions."""

    before: str
    between: str
    after: str

    @property
    def distance(self) -> int:
        return len(self.between.split())


PAPERS = frozenset({"CONTRACT", "CONTRACT_NUMBER", "CASE_NUMBER", "INVOICE_NUMBER"})
"""Labels of contracts, cases and invoices: what has parties, dates and amounts."""


def kind(label: str) -> str:
    """The label by which rules are chosen: PAPER for all `PAPERS`."""
    return "PAPER" if label in PAPERS else label


def relate(one: str, other: str, context: Context) -> Rule | None:
    """What mentions with the labels `one` and `other`, in the order of the text, say about each other.

    The first of the rules for the two labels that applies; rules read `context` only.
    """
    for rule in _RULES.get((kind(one), kind(other)), ()):
        if said := rule(context):
            return said
    return None


def may_relate(one: str, other: str) -> bool:
    """Whether there is any rule for two mentions with these labels in this order."""
    return (kind(one), kind(other)) in _RULES


# --- words --------------------------------------------------------------------------------------------

_JOB = (
    r"\b(?:president|chairman|chairwoman|chairperson|chair|chief|director|secretary|minister|spokes(?:man|woman|person)"
    r"|officer|leader|head|members?|manager|superintendent|supervisor|professor|editor|publisher|analyst|officials?"
    r"|attorney|lawyer|scientist|researcher|engineer|executive|commander|agent|aide|senator|dean|coach|owner|founder"
    r"|co-founder|co-leader|ceo|cfo|economist|judge|detective|partner|correspondent|reporter|employee|trader|activist"
    r"|counsel|treasurer|administrator|representative|ambassador|astronauts?|captain|major|lieutenant|sergeant"
    r"|general|inspector|star|host|consultant|adviser|advisor|expert|technician|physician|doctor)\b"
)
_WORKS = (
    r"\b(?:works?|worked|working|employed|hired|joined|joins|serv(?:es|ed|ing)|assigned to|stars? (?:on|in)"
    r"|head(?:s|ed)|heading|leads|led|founded|runs|teach(?:es)?|taught|set up)\b"
)
_job = re.compile(_JOB, re.IGNORECASE)
_works = re.compile(_WORKS)
_job_of = re.compile(
    _JOB + r"[^.;‹]{0,30}\b(?:of|for|at|with|in) (?:the |an? )?(?:[\w-]+ ){0,2}$", re.IGNORECASE
)
_at = re.compile(r"\b(?:of|for|at|with)\b")
_job_after = re.compile(r"(?:['’]s?)?(?:\s[a-z-]+){0,3}?\s" + _JOB, re.IGNORECASE)
_went = re.compile(
    r"\b(?:went|came|come|speak|spoke|visit\w*|meet\w*|met|arrested|taken|against|enter\w*|flew|met)\b"
)
_article = re.compile(r",? (?:is )?(?:an?|the|another|former)(?: former)? ")
_said = re.compile(r"\b(?:said|says)(?: the [a-z]+['’]s)? $")
_apposed = re.compile(r",(?: \d+,)? an? [a-z][\w ,-]{0,40}?" + _JOB, re.IGNORECASE)
_people_joined = re.compile(r"‹PERSON›(?:, ‹PERSON›){0,16}+(?: \([^()]*+\))?+,? and (?:the )?")

_TITLE = (
    r"(?:(?:U\.?S\.? )?(?:Sen|Gov|Rep|Lt|Sgt|Col|Gen|Maj|Capt|Dr|Mr|Mrs|Ms|Prof|Rev|Lt\. Gov|Atty\. Gen)\."
    r"|Senator|Governor|Representative|Mayor|President|Premier|Prime Minister|Foreign Minister|Minister"
    r"|Chancellor|King|Queen|Prince|Ambassador|Congressman|Congresswoman|Councilman|Judge|Leader|[Nn]ative|resident|citizen)"
)
_titles = re.compile(rf"(?:['’]s?)?,? (?:[a-z-]+ )?(?:{_TITLE} )*")
_home = re.compile(
    r"\b(?:born|lives?|lived|living|resid(?:es?|ed|ing|ents?)|native|grew up|raised|mayor|governor|senator"
    r"|sen\.|rep\.|king|queen|citizen|moved|home(?:town)?|attorney general)\b|\b[RD]-$",
    re.IGNORECASE,
)
_hometown = re.compile(
    r"\b(?:home|hometown|house|native|resident|citizen|born)(?: in| of| near)? (?:the )?[^.;]{0,40}$"
)
_of_place = re.compile(
    r"(?:,? \d+,)? (?:of|from) (?:the )?(?:[a-z-]+ ){0,2}(?:‹LOCATION›,? )*"
    r"|(?:,? \d+)?, (?:an? |the )?[^.;‹]{0,60}(?<!\w)(?:of|from|in|on|for) (?:the )?(?:[a-z-]+ ){0,2}"
    r"(?:‹LOCATION›,? )*"
)
_verbs = re.compile(
    r"\b(?:said|says|told|will|would|was|were|has|had|plans?|attended|arrested|visit\w*|went|made|named|took|signed"
    r"|[a-z]+ing|recently)\b"
)
_apart = re.compile(
    r"\b(?:said|says|told|made|named|elected|according to|with|and|where|when|that|which)\b|[.;:()]"
)

_FAR = (
    r"(?:(?:the|nearby|rural|downtown|central|extreme|far|upper|lower|mostly|heavily|western|eastern|northern|southern"
    r"|(?:north|south)?-?(?:east|west|north|south)(?:ern)?)\s){0,4}"
)
_inside = re.compile(
    rf"\s*(?:\(|,?\s(?:(?!and\b|or\b)[a-z]+(?<!ed)\s){{0,2}}(?:in|of)\s{_FAR}|,\s(?=[a-z]){_FAR})\s*"
)
_part_of_place = re.compile(
    r"\s(?:suburb|district|neighbou?rhood|capital|city|town|village|island|port|resort|province|state)s? of "
    r"(?:the )?"
    r"|,? including (?:[a-z-]+ ){0,6}"
    r"|['’]s\s"
)
_apposed_place = re.compile(rf", an? [^.;,‹]{{1,40}} (?:in|on|at|of) {_FAR}")
_in_start = re.compile(r"(?:^|[\"“(.] ?)In (?:the )?(?:[a-z]+ )?$")
_in_again = re.compile(r",[^.;‹]{1,50} (?:in|at|of) (?:the )?")
_beside = re.compile(r"\b(?:and|near|off|from|or|to|than)\b")
_list_before = re.compile(r"(?:[A-Z][\w.]{1,30}|›), $")
_address_before = re.compile(r"\b\d{1,5}[A-Za-z]? (?:(?:[A-Z][\w.]{0,30}|‹\w+›),? ){1,4}$")
_list_after = re.compile(r", (?:[A-Z][\w.]{1,30}|‹\w+›)(?:,| and\b)|,? and (?:[A-Z]|‹)")
_places_listed = re.compile(r"› in (?:the )?$")

_seat = re.compile(r"\b(?:in|of|at|based|near|from|headquarter\w*)\b|^\s*[,(]")
_not_a_seat = re.compile(r"‹ORG›|\b(?:and|while|when|was|were|who|said)\b|› ?,? near\b")
_its_seat = re.compile(r"\b(?:agency|company|firm|organi[sz]ation|department|bank|group) (?:in|of) $")
_dateline = re.compile(r"(?:,? ‹[A-Z_]++›)*+,?+\s*+[({]?+\s*+")
_dateline_end = re.compile(r"\s*(?:\)|--|—|_(?!\w))")
_branch = re.compile(r"\s(?:branch|office|plant|bureau|campus|unit|chapter|headquarters)e?s? of (?:the )?")

_KILL = (
    r"(?:kill(?:ed|ing|er|s)?|shot|shooting|assassin\w*|murder\w*|slay\w*|slain|stabb\w+|death of|wounded)"
)
_kill = re.compile(rf"\b{_KILL}\b", re.IGNORECASE)
_passive = re.compile(r"\b(?:by|orders of|hands of)\b")
_killer_of = re.compile(r"['’]s? (?:[a-z]+ ){0,2}(?:killer|assassin|murderer|slayer),? ")
_persons_joined = re.compile(r"‹PERSON›(?:,? and|, ) ?$")

_party = re.compile(
    r"\b(?:between|among|parties|party|enter(?:ed|s)? into|signed|made by|by and|conclud(?:ed|es?)|plaintiff"
    r"|defendant|v\.|vs\.?|versus)(?!\w)|In the matter of",
    re.IGNORECASE,
)
_aside = re.compile(r"[\w.],\s*$")
"""A comma after a plain word: what follows belongs to an address, and is no further party."""
_dated = re.compile(
    r"\b(?:dated?|as of|effective|effect|made|signed|entered|executed|filed|issued|on|of)\b", re.IGNORECASE
)
_worth = re.compile(
    r"\b(?:total\w*|amount\w*|sum|price|fee|fees|value\w*|worth|for|of|pay\w*|due|cost\w*|rent|salary|deposit"
    r"|liability|exceed)\b",
    re.IGNORECASE,
)
_due = re.compile(r"\bdue\b", re.IGNORECASE)
_fields = re.compile(r"\n[A-Z][\w ]{0,30}: ")
"""Lines of a form, each a field's name, a colon and its value."""
_verb = re.compile(
    r"(?<!\ba )(?<!\ban )(?<!\bthe )(?<!\b(?:its|his|her) )(?<!\btheir )\b"
    r"(?:(?:shall|will|must|may|has|have|had|was|were|is|are)\s+(?:\w+\s+){0,2}?)?"
    r"(?:[a-z]{3,}(?:ed|ized|ised)|pays?|owns?|owes?|buys?|bought|sells?|sold|leases?|grants?|holds?|held|leads?|led"
    r"|gave|gives?|sent|sends?|met|meets?|sues?|made|makes?|wrote|writes?|built|builds?|won|wins?|represents?|provides?"
    r"|delivers?|transfers?|assigns?|appoints?|acquires?|controls?|supplies)\b"
)


# --- rules, by the labels of the two mentions in the order of the text ------------------------------


def _killed(words: Context) -> Rule | None:
    if _killer_of.fullmatch(words.between):
        return Rule("KILLED", True, 0.8)
    between = _persons_joined.sub("", words.between)
    if words.distance <= 14 and _kill.search(between) and "‹PERSON›" not in between:
        passive = _passive.search(between) is not None
        return Rule("KILLED", passive, 0.8) if passive or not re.search(r"\bbeing\b", between) else None
    return None


def _located_in(words: Context) -> Rule | None:
    between = words.between
    if _part_of_place.fullmatch(between):
        return Rule("LOCATED_IN", True, 0.7)
    if _list_of_places(words):
        return None
    if _in_start.search(words.before) and _in_again.fullmatch(between):
        return Rule("LOCATED_IN", True, 0.6)
    if _inside.fullmatch(between) or _apposed_place.fullmatch(between):
        return Rule("LOCATED_IN", False, 0.8)
    if words.distance <= 2 and between.count(",") == 1 and not _beside.search(between):
        return Rule("LOCATED_IN", False, 0.6)
    return None


def _list_of_places(words: Context) -> bool:
    if not words.between.startswith(","):
        return False
    before = _list_before.search(words.before) and not _address_before.search(words.before)
    listed = before or _list_after.match(words.after)
    parallel = _places_listed.search(words.before) and words.after.startswith(" in ")
    return bool(listed or parallel)


def _org_in_place(words: Context) -> Rule | None:
    if _its_seat.search(words.between):
        return Rule("BASED_IN", False, 0.6)
    if words.distance <= 5 and _seat.search(words.between) and not _not_a_seat.search(words.between):
        return Rule("BASED_IN", False, 0.7)
    return None


def _place_of_org(words: Context) -> Rule | None:
    if words.between.strip() in ("", "'s", "’s", "-based", "based", "'") or _branch.fullmatch(words.between):
        return Rule("BASED_IN", True, 0.7)
    if _dateline.fullmatch(words.between) and _dateline_end.match(words.after):
        return Rule("BASED_IN", True, 0.6)
    return None


def _person_at_org(words: Context) -> Rule | None:
    between = words.between
    if "‹PERSON›" in _people_joined.sub("", between) or _other_form(between):
        return None
    beside = _article.fullmatch(between) or between in (", ", " of ", " is the ")
    if beside and _job_after.match(words.after):
        return Rule("WORK_FOR", False, 0.7)
    if words.distance <= 25 and _job_of.search(between):
        return Rule("WORK_FOR", False, 0.8)
    near = words.distance <= 10 and not _went.search(between)
    if near and (_job.search(between) or _works.search(between) or _at.search(between)):
        return Rule("WORK_FOR", False, 0.7)
    return None


def _other_form(between: str) -> bool:
    """Whether the fields of one form end between two names: what follows heads the next form."""
    return _fields.search(between) is not None and between.endswith("\n")


def _org_of_person(words: Context) -> Rule | None:
    between = _people_joined.sub("", words.between)
    if "‹ORG›" not in between and _said.search(between) and _reports_for_it(words):
        return Rule("WORK_FOR", True, 0.6)
    if "‹PERSON›" in between or re.search(r"\band\b", between):
        return None
    near = words.distance <= 4 or (words.distance <= 10 and _job.search(between))
    return Rule("WORK_FOR", True, 0.6) if near else None


def _reports_for_it(words: Context) -> bool:
    """`Acme fell, said Ann, a manager.` and `said the company's Ann`."""
    apposed = _apposed.match(words.after)
    return words.between.endswith(("'s ", "’s ")) or bool(
        apposed and "‹ORG›" not in words.after[: apposed.end() + 20]
    )


def _person_in_place(words: Context) -> Rule | None:
    between = words.between
    if "‹PERSON›" in between:
        return None
    if between == ", " and re.match(r"['’]s (?:[a-z]+ ){0,2}[a-z]", words.after):
        return Rule("LIVE_IN", False, 0.6)
    if re.fullmatch(r"(?:, \d+)?, an? (?:former )?", between) and re.match(r" [a-z]", words.after):
        return Rule("LIVE_IN", False, 0.6)
    at_home = (12, _home), (20, _hometown)
    if any(words.distance <= most and cue.search(between) for most, cue in at_home):
        return Rule("LIVE_IN", False, 0.7)
    if _of_place.fullmatch(between) and not _verbs.search(between) and words.distance <= 14:
        return Rule("LIVE_IN", False, 0.5)
    return None


def _place_of_person(words: Context) -> Rule | None:
    between = words.between
    if _titles.fullmatch(between) and not re.search(r"resident of the $", words.before):
        return None if _apart.search(re.sub(_TITLE, "", between)) else Rule("LIVE_IN", True, 0.6)
    near = words.distance <= 3 or (words.distance <= 7 and _home.search(between))
    return Rule("LIVE_IN", True, 0.5) if near and not _apart.search(between) else None


def _paper_of_party(words: Context) -> Rule | None:
    party = _party.search(words.between) and not _aside.search(words.between)
    return Rule("PARTY_TO", True, 0.8) if party else None


def _party_of_paper(words: Context) -> Rule | None:
    return Rule("PARTY_TO", False, 0.7) if _party.search(words.before + words.between) else None


def _paper_of_date(words: Context) -> Rule | None:
    near = words.distance <= 8 and not _due.search(words.between)
    near = near and (_dated.search(words.between) is not None or not re.search(r"\w", words.between))
    return Rule("DATED", False, 0.8) if near else None


def _date_of_paper(words: Context) -> Rule | None:
    near = words.distance <= 8 and _dated.search(words.before[-20:]) and not _due.search(words.before[-20:])
    return Rule("DATED", True, 0.6) if near else None


def _paper_worth(words: Context) -> Rule | None:
    return Rule("AMOUNT_OF", True, 0.7) if _worth.search(words.between) else None


def _worth_of_paper(words: Context) -> Rule | None:
    near = words.distance <= 10 and re.search(r"\b(?:under|for|of|in|by)\b", words.between)
    return Rule("AMOUNT_OF", False, 0.7) if near else None


def _related(words: Context) -> Rule | None:
    found = None if _fields.search(words.between) else _verb.search(words.between)
    return Rule("RELATED_TO", False, 0.3, " ".join(found.group().split())) if found else None


_Rule = Callable[[Context], Rule | None]

_RULES: dict[tuple[str, str], tuple[_Rule, ...]] = {
    ("PERSON", "PERSON"): (_killed, _related),
    ("LOCATION", "LOCATION"): (_located_in,),
    ("ORG", "LOCATION"): (_org_in_place,),
    ("LOCATION", "ORG"): (_place_of_org,),
    ("PERSON", "ORG"): (_person_at_org, _related),
    ("ORG", "PERSON"): (_org_of_person, _related),
    ("PERSON", "LOCATION"): (_person_in_place,),
    ("LOCATION", "PERSON"): (_place_of_person,),
    ("ORG", "ORG"): (_related,),
    ("PERSON", "MONEY"): (_related,),
    ("ORG", "MONEY"): (_related,),
    ("PAPER", "PERSON"): (_paper_of_party,),
    ("PAPER", "ORG"): (_paper_of_party,),
    ("PERSON", "PAPER"): (_party_of_paper,),
    ("ORG", "PAPER"): (_party_of_paper,),
    ("PAPER", "DATE"): (_paper_of_date,),
    ("DATE", "PAPER"): (_date_of_paper,),
    ("PAPER", "MONEY"): (_paper_worth,),
    ("MONEY", "PAPER"): (_worth_of_paper,),
}
