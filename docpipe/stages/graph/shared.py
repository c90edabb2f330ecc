"""Companies with nearly the same name, and one address, account or number behind both."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from rapidfuzz import fuzz

from docpipe.models import Mention
from docpipe.stages.graph.aliases import Alias
from docpipe.stages.graph.spellings import SIMILAR, named, plain

_TELLING = frozenset({"IBAN", "VAT_NUMBER", "EMAIL", "PHONE", "URL"})
"""Labels of what belongs to one company."""

_REACH = 200
"""Characters behind a name in which such a thing is its own, if no other name stands between."""

_WORDS_OF_ADDRESS = 4
_SCORE = 0.9


def find_shared(text: str, mentions: Sequence[Mention]) -> Iterator[Alias]:
    """Pairs of ORG mentions that differ in a few letters, never a digit, and share what only one company has.

    That is an IBAN, a VAT number, a mail address, a telephone number, a web address or the words of an
    address (`12 Harbour Road, Bristol`) behind either name. Linear in the mentions, except for sorting.
    """
    owners: dict[str, list[Mention]] = defaultdict(list)
    owner: Mention | None = None
    for mention in sorted(mentions, key=lambda each: each.start):
        if mention.label in ("ORG", "PERSON"):
            owner = mention if mention.label == "ORG" else None
            if owner and (address := _address(text, owner.end)):
                owners[address].append(owner)
        elif owner and mention.label in _TELLING and mention.start - owner.end <= _REACH:
            owners[f"{mention.label} {mention.value or mention.text}"].append(owner)
    for together in owners.values():
        ordered = sorted(together, key=lambda each: (named("ORG", each.text).key, each.start))
        for one, other in pairwise(ordered):
            if _nearly(one, other):
                yield Alias(one.index, other.index, "shared", _SCORE)


def _address(text: str, end: int) -> str | None:
    """The first words behind the name, where one of the first three has the number of a house."""
    words = plain(text[end : end + 80]).split()[:_WORDS_OF_ADDRESS]
    numbered = any(map(str.isdigit, words[:3]))
    return " ".join(words) if numbered and len(words) == _WORDS_OF_ADDRESS else None


def _nearly(one: Mention, other: Mention) -> bool:
    key, second = (named("ORG", each.text).key for each in (one, other))
    if key == second:
        return False
    same_digits = re.sub(r"\D", "", key) == re.sub(r"\D", "", second)
    return same_digits and fuzz.ratio(key, second) >= SIMILAR
