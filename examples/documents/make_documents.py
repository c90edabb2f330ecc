"""Write the example documents into a folder (default: the folder of this script).

    python make_documents.py [FOLDER]

Text, dates and random seed are fixed, so two runs with the same library versions give the same
bytes.
"""

# mypy: disable-error-code="no-untyped-call"
# PyMuPDF annotates only part of its functions.

from __future__ import annotations

import io
import sys
import zipfile
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import docx
import numpy as np
import pymupdf
import texts
from docx.document import Document as Docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Pt
from docx.text.paragraph import Paragraph
from numpy.typing import NDArray
from PIL import Image, ImageFilter

A4 = pymupdf.paper_rect("a4")
LEFT, RIGHT, TOP = 72.0, A4.width - 72.0, 84.0
SCAN_DPI = 200
INVOICE_DPI = 150
BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
NAVY, GREY, PALE = (0.12, 0.22, 0.38), (0.4, 0.4, 0.4), (0.93, 0.95, 0.97)
STAMP = datetime(2024, 3, 15, 9, 0, 0, tzinfo=UTC)


# --- pages --------------------------------------------------------------------------------------


def winansi(text: str) -> str:
    """`text` as the character codes of the base 14 fonts, which PyMuPDF passes on unchanged."""
    return text.encode("cp1252").decode("latin-1")


def write(
    page: pymupdf.Page,
    x: float,
    y: float,
    text: str,
    font: str = "helv",
    size: float = 10.5,
    color: tuple[float, float, float] = BLACK,
    right: bool = False,
) -> None:
    """Put one line on the page; (x, y) in points is its left (or right) end on the baseline."""
    start = x - pymupdf.Font(font).text_length(text, size) if right else x
    page.insert_text((start, y), winansi(text), fontname=font, fontsize=size, color=color)


def write_block(page: pymupdf.Page, y: float, block: str) -> float:
    """Put a title, heading or justified paragraph below `y`; returns where the next block starts."""
    mark = block[: len(block) - len(block.lstrip("# "))]
    font, size, align, gap = {
        "": ("tiro", 12, pymupdf.TEXT_ALIGN_JUSTIFY, 12),
        "# ": ("tibo", 16, pymupdf.TEXT_ALIGN_CENTER, 18),
        "## ": ("tibo", 12.5, pymupdf.TEXT_ALIGN_LEFT, 5),
    }[mark]
    box = pymupdf.Rect(LEFT, y, RIGHT, A4.height - 60)
    text = " ".join(block.removeprefix(mark).split())
    rest = page.insert_textbox(box, text, fontname=font, fontsize=size, align=align, lineheight=1.45)
    if rest < 0:
        raise ValueError(f"the page is full before {block[:40]!r}")
    return float(box.y1 - rest + gap)


def write_signatures(page: pymupdf.Page, y: float) -> None:
    """Put one column per party below `y`."""
    for left, (party, person, role, date) in zip((LEFT, 320.0), texts.SIGNATURES, strict=True):
        write(page, left, y + 12, party, "tibo", 11)
        page.draw_line((left, y + 62), (left + 190, y + 62), width=0.7)
        for row, text in enumerate((f"Name: {person}", f"Title: {role}", f"Date: {date}")):
            write(page, left, y + 78 + 16 * row, text, "tiro", 11)


def contract() -> pymupdf.Document:
    pdf = pymupdf.open()
    for number, blocks in enumerate(texts.CONTRACT_PAGES, start=1):
        page = pdf.new_page(width=A4.width, height=A4.height)
        write(page, LEFT, 52, "Services Agreement", "tiro", 9.5, GREY)
        write(page, RIGHT, 52, texts.CONTRACT_HEADER, "tiro", 9.5, GREY, right=True)
        y = TOP
        for block in blocks.strip().split("\n\n"):
            y = write_block(page, y, block)
        write(page, RIGHT, A4.height - 40, f"Page {number} of 2", "tiro", 9.5, GREY, right=True)
    write_signatures(page, y)
    return pdf


def pdf_bytes(pdf: pymupdf.Document, title: str) -> bytes:
    """The file, with a fixed date and without a random identifier."""
    date = STAMP.strftime("D:%Y%m%d%H%M%SZ")
    pdf.set_metadata({"title": title, "author": "docpipe examples", "creationDate": date, "modDate": date})
    return bytes(pdf.tobytes(garbage=4, deflate=True, no_new_id=True))


# --- scan ---------------------------------------------------------------------------------------


def grey_picture(page: pymupdf.Page, dpi: int) -> Image.Image:
    pixmap = page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY)
    return Image.frombytes("L", (pixmap.width, pixmap.height), pixmap.samples)


def uneven_light(height: int, width: int) -> NDArray[np.float32]:
    """Grey levels to add: the lamp is weaker at the right and at the top."""
    across = np.linspace(0, -14, width, dtype=np.float32)
    down = np.linspace(-6, 4, height, dtype=np.float32)
    return across + down[:, None]


def speckle(grey: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Off-white paper, sensor noise, uneven light and dust; grey levels 0..255 in and out."""
    height, width = grey.shape
    noise = random.normal(0, 5, grey.shape).astype(np.float32)
    pixels = grey * 0.86 + 24 + uneven_light(height, width) + noise
    rows, columns = random.integers(0, height - 1, 900), random.integers(0, width - 1, 900)
    dust = random.integers(40, 170, 900).astype(np.float32)
    pixels[rows, columns] = dust
    pixels[rows[:300] + 1, columns[:300]] = dust[:300]
    return pixels.clip(0, 255)


def scanned(page: pymupdf.Page, degrees: float, random: np.random.Generator) -> bytes:
    """The page as a JPEG: turned counter-clockwise, blurred and speckled."""
    turned = grey_picture(page, SCAN_DPI).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    blurred = turned.filter(ImageFilter.GaussianBlur(0.6))
    pixels = speckle(np.asarray(blurred, dtype=np.float32), random).astype(np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG", quality=45, dpi=(SCAN_DPI, SCAN_DPI))
    return jpeg.getvalue()


def contract_scan() -> pymupdf.Document:
    random = np.random.default_rng(20240315)
    scan, original = pymupdf.open(), contract()
    for number, degrees in enumerate((1.6, -1.2)):
        page = scan.new_page(width=A4.width, height=A4.height)
        page.insert_image(page.rect, stream=scanned(original[number], degrees, random))
    return scan


# --- invoice ------------------------------------------------------------------------------------


def write_invoice_head(page: pymupdf.Page) -> None:
    name, address = texts.INVOICE_SENDER
    page.draw_rect((0, 0, A4.width, 84), color=None, fill=NAVY)
    write(page, 48, 46, name, "hebo", 18, WHITE)
    write(page, 48, 66, address, size=10, color=WHITE)
    write(page, A4.width - 48, 54, "INVOICE", "hebo", 22, WHITE, right=True)
    write(page, 48, 120, "Bill to", "hebo", color=GREY)
    for row, text in enumerate(texts.INVOICE_BUYER, start=1):
        write(page, 48, 121 + 17 * row, text)
    for row, (name, value) in enumerate(texts.INVOICE_FIELDS):
        write(page, 350, 120 + 18 * row, name, "hebo", color=GREY)
        write(page, A4.width - 48, 120 + 18 * row, value, right=True)


def write_invoice_row(page: pymupdf.Page, y: float, cells: tuple[str, ...], font: str = "helv") -> None:
    write(page, 56, y, cells[0], font)
    for right, text in zip((358, 452, A4.width - 56), cells[1:], strict=True):
        write(page, right, y, text, font, right=True)


def write_invoice_table(page: pymupdf.Page, y: float) -> float:
    """Put the line items and totals below `y`; returns the lowest baseline."""
    page.draw_rect((48, y - 17, A4.width - 48, y + 9), color=None, fill=PALE)
    write_invoice_row(page, y, texts.INVOICE_COLUMNS, "hebo")
    for cells in texts.INVOICE_LINES:
        y += 27
        write_invoice_row(page, y, cells)
        page.draw_line((48, y + 9), (A4.width - 48, y + 9), color=GREY, width=0.4)
    for name, value in texts.INVOICE_TOTALS:
        y += 25
        font = "hebo" if name == "Total due" else "helv"
        write(page, 358, y, name, font, 11)
        write(page, A4.width - 56, y, value, font, 11, right=True)
    return y


def invoice() -> Image.Image:
    page = pymupdf.open().new_page(width=A4.width, height=A4.height)
    write_invoice_head(page)
    y = write_invoice_table(page, 250)
    for row, line in enumerate(texts.INVOICE_END.splitlines()):
        write(page, 48, y + 60 + 20 * row, line)
    write(page, 48, A4.height - 48, "Thank you for your business.", "heit", 9.5, GREY)
    pixmap = page.get_pixmap(dpi=INVOICE_DPI)
    return Image.frombytes("RGB", (pixmap.width, pixmap.height), pixmap.samples)


# --- letter -------------------------------------------------------------------------------------

NOTE_MARK = '<w:r {}><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:{}/></w:r>'
FOOTNOTES = """\
<w:footnotes {names}>
<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>
<w:footnote w:type="continuationSeparator" w:id="0">
<w:p><w:r><w:continuationSeparator/></w:r></w:p></w:footnote>
<w:footnote w:id="1"><w:p>{mark}<w:r><w:t xml:space="preserve"> {text}</w:t></w:r></w:p></w:footnote>
</w:footnotes>"""
FOOTNOTES_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"


def add_footnote(letter: Docx, paragraph: Paragraph, text: str) -> None:
    """Add a footnotes part with one note, and the note's mark at the end of `paragraph`.

    python-docx has no call for this; the part is described in ECMA-376 Part 1, 17.11.
    """
    names = nsdecls("w")
    notes = FOOTNOTES.format(names=names, mark=NOTE_MARK.format("", "footnoteRef"), text=text)
    part = Part(PackURI("/word/footnotes.xml"), FOOTNOTES_TYPE, notes.encode(), letter.part.package)
    letter.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    paragraph._p.append(parse_xml(NOTE_MARK.format(names, 'footnoteReference w:id="1"')))


def add_paragraphs(letter: Docx, text: str) -> Paragraph:
    """Add a paragraph per blank-line block (short lines are kept apart); returns the last one."""
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        paragraph = letter.add_paragraph(("\n" if max(map(len, lines)) < 40 else " ").join(lines))
    return paragraph


def add_table(letter: Docx) -> None:
    table = letter.add_table(rows=0, cols=4)
    table.style = "Light Grid Accent 1"
    for values in texts.LETTER_TABLE:
        for cell, value in zip(table.add_row().cells, values, strict=True):
            cell.text = value
    letter.add_paragraph()


def letter() -> Docx:
    letter = docx.Document()
    letter.styles["Normal"].font.name = "Calibri"
    letter.styles["Normal"].font.size = Pt(11)
    section = letter.sections[0]
    for part, text in ((section.header, texts.LETTER_HEADER), (section.footer, texts.LETTER_FOOTER)):
        part.paragraphs[0].text = text
        part.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER
    add_footnote(letter, add_paragraphs(letter, texts.LETTER_START), texts.LETTER_FOOTNOTE)
    add_table(letter)
    add_paragraphs(letter, texts.LETTER_END)
    letter.core_properties.title = "Quotation QT-2024-118"
    letter.core_properties.author = "Catherine Reed"
    letter.core_properties.created = letter.core_properties.modified = STAMP
    return letter


def docx_bytes(letter: Docx) -> bytes:
    """The file, its members stamped with a fixed date instead of the hour of the run."""
    saved, fixed = io.BytesIO(), io.BytesIO()
    letter.save(saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(fixed, "w") as target:
        for name in source.namelist():
            member = zipfile.ZipInfo(name, STAMP.timetuple()[:6])
            target.writestr(member, source.read(name), zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


# --- mail ---------------------------------------------------------------------------------------


def mail_html() -> str:
    paragraphs = texts.MAIL_TEXT.strip().replace("&", "&amp;").replace("\n\n", "</p>\n<p>")
    return f"<html><body>\n<p>{paragraphs}</p>\n</body></html>\n"


def mail(contract_pdf: bytes) -> bytes:
    """The e-mail with the contract attached; its boundaries are fixed."""
    message = EmailMessage()
    message["From"] = "Maria Delgado <maria.delgado@northwind.example.com>"
    message["To"] = "Helen Marsh <helen.marsh@calderfinch.example.org>"
    message["Date"] = "Thu, 14 Mar 2024 16:42:10 -0700"
    message["Subject"] = "Signed services agreement, contract no. NHL-2024-0317"
    message["Message-ID"] = "<20240314164210.0317@northwind.example.com>"
    message.set_content(texts.MAIL_TEXT)
    message.add_alternative(mail_html(), subtype="html")
    message.add_attachment(contract_pdf, "application", "pdf", filename="contract.pdf")
    message.add_attachment(texts.CHECKLIST, filename="checklist.txt")
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=-docpipe-example-{number}")
    return message.as_bytes()


def make_documents(folder: Path) -> None:
    """Write the six documents into `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    contract_pdf = pdf_bytes(contract(), "Services Agreement NHL-2024-0317")
    (folder / "contract.pdf").write_bytes(contract_pdf)
    (folder / "contract_scan.pdf").write_bytes(pdf_bytes(contract_scan(), "Scan"))
    invoice().save(folder / "invoice.png", optimize=True, dpi=(INVOICE_DPI, INVOICE_DPI))
    (folder / "letter.docx").write_bytes(docx_bytes(letter()))
    (folder / "mail.eml").write_bytes(mail(contract_pdf))
    (folder / "notice_latin1.txt").write_bytes(texts.NOTICE.encode("iso-8859-1"))


if __name__ == "__main__":
    make_documents(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
