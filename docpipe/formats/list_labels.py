"""Numbers of lists in letters and Roman digits."""

from __future__ import annotations

_ROMAN = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)


def written_number(count: int, form: str) -> str:
    """A number as Word calls its form: `decimal`, `lowerLetter`, `upperRoman`; Arabic for all others."""
    match form:
        case "lowerLetter" | "upperLetter":
            letter = chr(97 + (count - 1) % 26) * min((count - 1) // 26 + 1, 20) if count > 0 else ""
            return letter if form == "lowerLetter" else letter.upper()
        case "lowerRoman" | "upperRoman":
            return roman(count) if form == "lowerRoman" else roman(count).upper()
        case "decimalZero":
            return f"{count:02d}"
        case "ordinal":
            return f"{count}."
        case _:
            return str(count)


def roman(count: int) -> str:
    """A number in small Roman digits; in Arabic ones beyond what Romans wrote."""
    if not 0 < count < 4000:
        return str(count)
    text = ""
    for value, digits in _ROMAN:
        repeat, count = divmod(count, value)
        text += digits * repeat
    return text
