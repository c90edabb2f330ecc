"""Signs of fonts that draw something else than their characters say: ticks, boxes, arrows."""

from __future__ import annotations

_DINGBATS = {code: 0x2700 + code - 0x20 for code in range(0x21, 0x7F)} | {
    0x25: 0x260E,
    0x2A: 0x261B,
    0x2B: 0x261E,
    0x48: 0x2605,
    0x6C: 0x25CF,
    0x6E: 0x25A0,
    0x73: 0x25B2,
    0x74: 0x25BC,
    0x75: 0x25C6,
    0x77: 0x25D7,
}
"""ITC Zapf Dingbats, as Unicode's chart of the block U+2700 names its signs."""
_WINGDINGS = {0x6C: 0x25CF, 0x6E: 0x25A0, 0x6F: 0x2610, 0xA7: 0x25AA, 0xA8: 0x2610, 0xD8: 0x27A2} | {
    0xFB: 0x2717,
    0xFC: 0x2713,
    0xFD: 0x2612,
    0xFE: 0x2611,
}
_PRIVATE = {0xF000 + code: sign for code, sign in _WINGDINGS.items()}
"""Where a symbol font without names has its characters."""


def is_symbol_font(font: str) -> bool:
    return font.endswith(("Dingbats", "Wingdings", "Wingdings-Regular"))


def as_unicode(text: str, font: str) -> str:
    """The signs that a symbol font draws for these characters."""
    return text.translate(_DINGBATS if font.endswith("Dingbats") else _WINGDINGS | _PRIVATE)
