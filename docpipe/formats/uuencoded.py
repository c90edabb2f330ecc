"""Files that an old mail program wrote into the text of a mail (uuencode)."""

from __future__ import annotations

import binascii
import re

_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n(?=[!-`])", re.MULTILINE)
_END = re.compile(rb"^[ `][ \t]*\r?\nend[ \t]*\r?$|^end[ \t]*\r?$", re.MULTILINE)


def without_files(data: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The text without the files in it, and each file's name and bytes; what is no such file stays text."""
    if b"begin " not in data:
        return data, []
    text: list[bytes] = []
    files: list[tuple[str, bytes]] = []
    at = 0
    begins = list(_BEGIN.finditer(data))
    for begin, until in zip(begins, [*(later.start() for later in begins[1:]), len(data)], strict=False):
        end = _END.search(data, begin.end(), until)
        try:
            content = b"".join(map(_line, data[begin.end() : end.start()].splitlines())) if end else None
        except binascii.Error:
            continue
        if end and content is not None:
            files.append((begin[1].decode("utf-8", "replace").strip(), content))
            text.append(data[at : begin.start()])
            at = end.end()
    return b"".join([*text, data[at:]]), files


def _line(line: bytes) -> bytes:
    """Programs differ in what they write for blanks at a line's end, so its length decides."""
    length = (line[0] - 32 & 63) if line else 0
    return binascii.a2b_uu(line[: 1 + (length + 2) // 3 * 4])
