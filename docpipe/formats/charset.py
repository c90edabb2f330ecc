"""Character sets: which ones a document may ask for, and the ones that cannot be mistaken."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ISO_2022 = (
    (b"\x1b$)C", "iso2022_kr"),
    (b"\x1b$", "iso2022_jp_2"),
    (b"\x1b(J", "iso2022_jp_2"),
    (b"\x1b(I", "iso2022_jp_3"),
)
_HZ = re.compile(rb"~\{(?:[\x21-\x77][\x21-\x7e])++~\}")
"""Chinese between the marks of RFC 1843."""
_LEAST_HZ = 12
"""Bytes, marks included: fewer may be of a programming language."""
_SAMPLE = 4096

_NAMES = """
ascii utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be
iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-10
iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16
cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 tis-620 koi8-r koi8-u koi8-t
cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869
cp1006 cp1125 mac-roman mac-cyrillic mac-greek mac-latin2 mac-turkish ptcp154 kz1048 hp-roman8
big5 big5hkscs cp950 gb2312 gbk gb18030 hz euc_kr cp949 johab iso2022_kr euc_jp euc_jis_2004 cp932
shift_jis shift_jis_2004 shift_jisx0213 iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_3 iso2022_jp_ext
"""
SAFE = frozenset(codecs.lookup(name).name for name in _NAMES.split())
"""Codecs a document may name: plain character sets.

Python has more, which run escapes the sender wrote (unicode_escape), transform bytes (rot13, zip) or
raise always (undefined).
"""
_COMMON_MISNAMES = {
    "iso8859-1": "cp1252",  # as every browser does (WHATWG Encoding Standard)
    "ascii": "cp1252",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}


def safe_charset(name: str | None) -> str | None:
    """The codec for a charset a document names; None for an unknown or unsafe one."""
    if not name or len(name) > 40 or "\0" in name or not name.isascii():
        return None
    try:
        codec = codecs.lookup(name.strip("\"' ")).name
    except LookupError:
        return None
    return _COMMON_MISNAMES.get(codec, codec) if codec in SAFE else None


def is_one_byte(charset: str) -> bool:
    """Whether each byte is a letter of its own, so that the charset fits any bytes and proves nothing."""
    return charset == "ascii" or len(bytes(range(256)).decode(charset, "replace")) == 256


def unmistakable_charset(data: bytes) -> str | None:
    """The charset that a mark, an escape or the places of its NUL bytes give away, else None."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    for escape, name in _ISO_2022:
        if escape in data and data.isascii():
            return name
    if data.isascii() and _is_hz(data):
        return "hz"
    return _by_nul_places(data[:_SAMPLE]) or _by_wide_letters(data[:_SAMPLE])


def _is_hz(data: bytes) -> bool:
    if sum(map(len, _HZ.findall(data))) < _LEAST_HZ:
        return False
    try:
        data.decode("hz")
    except UnicodeDecodeError:
        return False
    return True


def _by_nul_places(sample: bytes) -> str | None:
    sample = sample[: len(sample) // 4 * 4]
    if len(sample) < 8 or b"\0" not in sample:
        return None
    nuls = [sample[place::4].count(0) / (len(sample) // 4) for place in range(4)]
    match [share > 0.6 for share in nuls]:
        case [False, False | True, True, True] if nuls[0] < 0.05:
            return "utf-32-le"
        case [True, True, _, False] if nuls[3] < 0.05:
            return "utf-32-be"
        case [False, True, False, True] if nuls[0] + nuls[2] < 0.1:
            return "utf-16-le"
        case [True, False, True, False] if nuls[1] + nuls[3] < 0.1:
            return "utf-16-be"
    return None


def _by_wide_letters(sample: bytes) -> str | None:
    """UTF-16 without a mark and not in Latin letters: only digits, blanks and line ends hold a NUL."""
    if len(sample) < 16 or b"\0" not in sample:
        return None
    plain = {name: _plain_share(sample, name) for name in ("utf-16-le", "utf-16-be")}
    best = max(plain, key=lambda name: plain[name])
    return best if plain[best] > 0.0 else None


def _plain_share(sample: bytes, charset: str) -> float:
    """Share of ASCII letters, if all the others are letters of a few neighbouring alphabets; else zero."""
    text = sample[: len(sample) // 2 * 2].decode(charset, "replace").removesuffix("\ufffd")
    if not text or any(_is_odd(letter) for letter in text):
        return 0.0
    scripts = {ord(letter) >> 7 for letter in text if letter > "\x7f"}
    east_asian = sum("\u3000" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" for letter in text)
    few = len(scripts) <= 8 or east_asian > 0.6 * len(text)
    return sum(letter < "\x7f" for letter in text) / len(text) if few else 0.0


def _is_odd(letter: str) -> bool:
    return not (letter.isprintable() or letter in "\t\n\r\f\u3000") or letter == "\ufffd"
