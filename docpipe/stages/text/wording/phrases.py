"""What the wording of agreements is made of in a language other than English."""

from __future__ import annotations

import re
from typing import NamedTuple


class Phrases(NamedTuple):
    """The expressions of one language. Those that say what a date or amount is end where it begins (`$`)."""

    language: str
    """By ISO 639, for numbers in words."""
    title: re.Pattern[str]
    """The line that names the agreement."""
    amends: re.Pattern[str]
    itself: re.Pattern[str]
    """How an agreement speaks of itself."""
    opens: re.Pattern[str]
    """The words before its first party."""
    follows: re.Pattern[str]
    """The words before its next party."""
    stops: re.Pattern[str]
    """Where its parties end."""
    lead: re.Pattern[str]
    """What stands before a party's name; `person` and `company` say what it names."""
    ends: re.Pattern[str]
    """What ends a party's name."""
    individual: re.Pattern[str]
    company: re.Pattern[str]
    """What is said of a person, and of a company, behind the name."""
    called: re.Pattern[str]
    """What a party is called: `term`."""
    collective: re.Pattern[str]
    """A term for all parties."""
    laws: tuple[re.Pattern[str], ...]
    """Which law governs: a `place`, or the `law` by its adjective."""
    length: re.Pattern[str]
    """A length of time: `number`, `digits` in brackets, `unit`."""
    units: dict[str, str]
    """The first letters of a unit, and its sign in ISO 8601."""
    lasts: re.Pattern[str]
    """What says that the length behind it is the agreement's; it has to stand in the same sentence."""
    lasts_not: re.Pattern[str]
    effective: re.Pattern[str]
    concluded: re.Pattern[str]
    signed: re.Pattern[str]
    expires: re.Pattern[str]
    purpose: re.Pattern[str]
    """What an amount behind it is for."""
