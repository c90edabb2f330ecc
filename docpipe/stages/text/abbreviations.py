"""Short forms of names, by their letters."""

from __future__ import annotations


def abbreviates(short: str, full: str) -> bool:
    """Whether the letters of `short` come, in order, from `full`, the first from the start of a word.

    The algorithm of Schwartz and Hearst, A simple algorithm for identifying abbreviation definitions in
    biomedical text (2003), with case ignored.
    """
    letters = [c for c in short.casefold() if c.isalnum()]
    words = full.casefold()
    place = len(words)
    for position in range(len(letters) - 1, -1, -1):
        place = words.rfind(letters[position], 0, place)
        while position == 0 and place > 0 and words[place - 1].isalnum():
            place = words.rfind(letters[0], 0, place)
        if place < 0:
            return False
    return 2 <= len(letters) <= 10 and len(short) < len(full)


def defines(full: str, short: str) -> bool:
    """Whether a name of several words can have the other for its acronym."""
    capitals = sum(c.isupper() for c in short)
    return " " in full and " " not in short and capitals >= 2 and abbreviates(short, full)
