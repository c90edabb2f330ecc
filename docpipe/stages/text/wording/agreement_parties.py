"""All parties of an agreement, from its opening words, its signatures and its head, the surest first."""

from __future__ import annotations

from collections.abc import Iterable

from docpipe.stages.text.wording.letters import addressee, called
from docpipe.stages.text.wording.names import squeezed
from docpipe.stages.text.wording.parties import labelled_parties, read_parties
from docpipe.stages.text.wording.signatures import signing_parties
from docpipe.stages.text.wording.values import Said

_ENOUGH = 2


def agreement_parties(text: str) -> list[Said]:
    """The parties that the opening words or labelled fields name; if fewer than two, also who signs or is
    addressed.
    """
    found = read_parties(text) or labelled_parties(text)
    if len(_distinct(text, found)) >= _ENOUGH:
        return _distinct(text, found)
    signed = list(signing_parties(text))
    found += [each for each in signed if each.label == "ORG"]
    if len(_distinct(text, found)) < _ENOUGH and (letter := addressee(text)):
        found.append(letter)
    if len(_distinct(text, found)) < _ENOUGH:
        found = [*called(text), *found]
    if len(_distinct(text, found)) < _ENOUGH:
        found += [each for each in signed if each.label == "PERSON"]
    return _distinct(text, found)


def _distinct(text: str, found: Iterable[Said]) -> list[Said]:
    """Each once, without those that are the beginning of another's name."""
    kept: dict[str, Said] = {}
    for each in found:
        key = squeezed(text[each.start : each.end])
        if not any(key.startswith(other) or other.startswith(key) for other in kept):
            kept[key] = each
    return list(kept.values())
