"""Everything that the wording of an agreement shows, in one reading."""

from __future__ import annotations

import re

from docpipe.models import FactType
from docpipe.stages.text.wording.agreement_parties import agreement_parties
from docpipe.stages.text.wording.by_phrases import phrases_of, read_by_phrases
from docpipe.stages.text.wording.laws import read_law
from docpipe.stages.text.wording.parties import labelled_parties, read_parties
from docpipe.stages.text.wording.phrases import Phrases
from docpipe.stages.text.wording.terms import read_term
from docpipe.stages.text.wording.titles import read_title
from docpipe.stages.text.wording.values import Said

_AGREED = re.compile(
    r"(?i)\b(?:this|the)\s+(?:[\w-]+,?\s+){0,4}?(?:agreement|contract|lease|deed|covenant\s+not\s+to\s+compete)\b"
)
_AGREES = re.compile(r"\b[Aa]gree(?:s|d)?\b")
_OFTEN = 3
TITLE = "CONTRACT"
"""The label of an agreement's title."""


def is_agreement(text: str) -> bool:
    """Whether the text calls itself an agreement time and again, or is headed so and has parties, or somebody
    agrees; in English, French or German.
    """
    return _is_english_agreement(text) or phrases_of(text) is not None


def _is_english_agreement(text: str) -> bool:
    if len(_AGREED.findall(text)) >= _OFTEN:
        return True
    title = read_title(text)
    named = read_parties(text) or labelled_parties(text)
    if title and " " in text[slice(*title)] and len(named) > 1:
        return True
    return title is not None and " " in text[slice(*title)] and len(_AGREES.findall(text)) >= _OFTEN


def language_of(text: str) -> Phrases | None:
    """The phrases of the agreement's language; None for English, and for what is no agreement."""
    return None if _is_english_agreement(text) else phrases_of(text)


def read_wording(text: str) -> list[Said]:
    """Title (as `KIND`), parties, law and term of an agreement, none over another; of other texts nothing."""
    if not _is_english_agreement(text):
        language = phrases_of(text)
        return _apart(read_by_phrases(text, language)) if language else []
    title, law, term = read_title(text), read_law(text), read_term(text)
    own = Said(FactType.KIND, *title, TITLE, title, 0.9) if title else None
    return _apart([each for each in (own, *agreement_parties(text), law, term) if each])


def _apart(found: list[Said]) -> list[Said]:
    kept: list[Said] = []
    for each in sorted(found, key=lambda said: (-said.score, said.start)):
        if all(each.end <= other.start or other.end <= each.start for other in kept):
            kept.append(each)
    return sorted(kept, key=lambda said: said.start)
