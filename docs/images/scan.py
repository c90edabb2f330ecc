"""Draws docs/images/scan.svg: the first page of the scanned example with what docpipe found, facts and graph.

python docs/images/scan.py
"""

from __future__ import annotations

import base64
import tempfile
from html import escape
from pathlib import Path

import pymupdf

from docpipe import Pipeline, open_store
from docpipe.cli.views.document_json import to_json
from docpipe.cli.views.fact_lines import fact_lines

HERE = Path(__file__).parent
SCAN = HERE.parents[1] / "examples" / "documents" / "contract_scan.pdf"
COLOURS = {
    "ORG": "#1967d2",
    "PERSON": "#b3261e",
    "DATE": "#1e7d34",
    "MONEY": "#a05a00",
    "LOCATION": "#6a1b9a",
}
SCALE = 0.62
LEFT = 400


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(store=open_store(f"sqlite://{folder}/docpipe.db"))
        document = pipeline.process(SCAN)
        pipeline.store.close()
    found = to_json(document, SCAN.name)
    lines = list(fact_lines(found))
    picture = [*page(found), *facts(lines), *graph(found, 190 + 17 * len(lines))]
    text = "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 530" font-family="sans-serif">',
            '<rect width="940" height="530" fill="white"/>',
            *picture,
            "</svg>",
            "",
        ]
    )
    (HERE / "scan.svg").write_text(text, encoding="utf-8")


def page(found: dict) -> list[str]:
    pixels = pymupdf.open(SCAN)[0].get_pixmap(dpi=110, colorspace=pymupdf.csGRAY)
    data = base64.b64encode(pixels.tobytes("jpeg", jpg_quality=45)).decode()
    width, height = 595 * SCALE, 842 * SCALE
    size = f'x="4" y="4" width="{width:.0f}" height="{height:.0f}"'
    drawn = [
        f'<image {size} href="data:image/jpeg;base64,{data}"/>',
        f'<rect {size} fill="none" stroke="#bbb"/>',
    ]
    for mention in found["mentions"]:
        colour = COLOURS.get(mention["label"])
        if mention["page"] == 1 and mention["bbox"] and colour:
            x0, y0, x1, y1 = (side * SCALE + 4 for side in mention["bbox"])
            drawn.append(
                f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}"'
                f' fill="{colour}" fill-opacity=".22" stroke="{colour}" stroke-width=".6"/>'
            )
    return drawn


def facts(lines: list[str]) -> list[str]:
    drawn = [
        f'<text x="{LEFT}" y="28" font-size="14" font-family="monospace" fill="#555">'
        "$ docpipe run contract_scan.pdf</text>"
    ]
    for row, line in enumerate(lines):
        told = escape(line).replace(" ", "\u00a0")
        drawn.append(
            f'<text x="{LEFT - 12}" y="{54 + 17 * row}" font-size="10.8"'
            f' font-family="monospace">{told}</text>'
        )
    return drawn


def graph(found: dict, top: float) -> list[str]:
    """The subject in the middle of its parties, dates, amounts and signatories."""
    names = [
        fact for fact in found["facts"] if fact["type"] in ("PARTY_TO", "SIGNED_BY", "GOVERNED_BY", "DATED")
    ]
    chosen = list({fact["text"]: fact for fact in names if fact["role"] != "signing"}.values())[:7]
    x, y = LEFT + 20, top
    drawn = []
    for number, fact in enumerate(chosen):
        row = y + number * (500 - top) / max(1, len(chosen) - 1)
        middle = (top + 500) / 2
        relation = fact["type"] if fact["type"] == "SIGNED_BY" else f"{fact['type']} {fact['role']}".strip()
        drawn += [
            f'<path d="M{x + 96} {middle:.0f} C{x + 160} {middle:.0f}'
            f' {x + 150} {row:.0f} {x + 210} {row:.0f}"'
            ' fill="none" stroke="#999"/>',
            f'<text x="{x + 216}" y="{row + 4:.0f}" font-size="11" fill="#777">{escape(relation)}</text>',
            f'<text x="{x + 335}" y="{row + 4:.0f}" font-size="11">{escape(fact["text"])}</text>',
        ]
    middle = (top + 500) / 2
    drawn += [
        f'<ellipse cx="{x + 48}" cy="{middle:.0f}" rx="52" ry="24" fill="#e8f0fe" stroke="#1967d2"/>',
        f'<text x="{x + 48}" y="{middle + 4:.0f}" font-size="12" text-anchor="middle">agreement</text>',
    ]
    return drawn


if __name__ == "__main__":
    main()
