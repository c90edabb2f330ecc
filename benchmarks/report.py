"""Tables in Markdown and bars in SVG; what the benchmarks print and put into docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

_BAR, _GAP, _LEFT, _WIDE = 22, 12, 210, 420
"""Pixels: height of a bar, space below it, room for names, length of the longest bar."""

_FEATURES = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI", "amx_tile": "AMX"}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    ruler = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ruler, *rows))


def machine() -> str:
    """What the figures were taken on, and when."""
    info = Path("/proc/cpuinfo")
    told = info.read_text() if info.is_file() else ""
    found = re.search(r"model name\s*: (.*)", told)
    cpu = found[1] if found else platform.processor() or platform.machine()
    load = os.getloadavg()[0]
    cores = f"{os.cpu_count()} cores (load {load:.1f} when done)"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cpu}{features(told)}, {cores}, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def features(told: str) -> str:
    """How a processor multiplies, by the flags in `/proc/cpuinfo`, and what oneDNN is kept to."""
    flags = set(told.split())
    if not flags:
        return ""
    there = [name for flag, name in _FEATURES.items() if flag in flags]
    absent = [name for flag, name in _FEATURES.items() if flag not in flags]
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    words = [f"has {', '.join(there)}"] * bool(there) + [f"lacks {', '.join(absent)}"] * bool(absent)
    return f" ({'; '.join([*words, *([f'oneDNN kept to {limit}'] if limit else [])])})"


def scatter(title: str, points: Sequence[tuple[str, float, float]], across: str, up: str) -> str:
    """Named points as SVG, each at how far across and up it is; the first is the one that is compared."""
    most = max((x for _, x, _ in points), default=0) or 1
    low, high = (edge((y for _, _, y in points), default=0.0) for edge in (min, max))
    spread = (high - low) or 1
    wide, tall = _LEFT + _WIDE, 260
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + 260} {tall + 90}" '
        'font-family="sans-serif" font-size="14">',
        f'<text x="10" y="22" font-weight="bold" fill="#555">{title}</text>',
        f'<path d="M60 40V{tall + 50}H{wide + 120}" fill="none" stroke="#999"/>',
        f'<text x="{wide + 120}" y="{tall + 76}" text-anchor="end" fill="#777">{across}</text>',
        f'<text x="66" y="52" fill="#777">{up}</text>',
    ]
    for row, (name, x, y) in enumerate(points):
        left, top = 70 + (wide - 60) * x / most, 70 + (tall - 40) * (high - y) / spread
        colour = "#546e7a" if row == 0 else "#b0bec5"
        lines += [
            f'<circle cx="{left:.1f}" cy="{top:.1f}" r="6" fill="{colour}"/>',
            f'<text x="{left + 10:.1f}" y="{top + 5:.1f}" fill="#777">{name} ({x:.2f}, {y:.4f})</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def bars(title: str, values: Sequence[tuple[str, float]], unit: str) -> str:
    """A bar chart as SVG, one bar per name; the first is the one that is compared."""
    longest = max((value for _, value in values), default=0) or 1
    height = 40 + len(values) * (_BAR + _GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDE + 110} {height}" '
        'font-family="sans-serif" font-size="14">',
        f'<text x="10" y="22" font-weight="bold" fill="#555">{title}</text>',
    ]
    for row, (name, value) in enumerate(values):
        y, length = 38 + row * (_BAR + _GAP), _WIDE * value / longest
        colour = "#546e7a" if row == 0 else "#b0bec5"
        lines += [
            f'<text x="{_LEFT - 10}" y="{y + 16}" text-anchor="end" fill="#777">{name}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{_LEFT + length + 8:.1f}" y="{y + 16}" fill="#777">{value:.2f} {unit}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def replace_section(page: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- name -->` and `<!-- end of name -->` of a page."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
