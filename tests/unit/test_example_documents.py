"""The documents beside `make_documents.py` are what it makes, and hold the facts of `facts.json`."""

from __future__ import annotations

import io
import json
import runpy
import string
import subprocess
import sys
import zipfile
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

pymupdf = pytest.importorskip("pymupdf")
Image = pytest.importorskip("PIL.Image")
pytest.importorskip("docx")

FOLDER = Path(__file__).parents[2] / "examples" / "documents"
FACTS: dict[str, list[dict[str, str | int]]] = json.loads((FOLDER / "facts.json").read_text("utf-8"))
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
PagesByPart = dict[str, list[str]]


def pdf_pages(data: bytes) -> list[str]:
    return [page.get_text() for page in pymupdf.open(stream=data, filetype="pdf")]


def docx_text(data: bytes) -> str:
    """The paragraphs of the body, footnotes, footer and header, line breaks kept."""
    with zipfile.ZipFile(io.BytesIO(data)) as members:
        names = sorted(
            name for name in members.namelist() if name.startswith("word/") and name.endswith(".xml")
        )
        roots = [ElementTree.fromstring(members.read(name)) for name in names]
    paragraphs = [paragraph for root in roots for paragraph in root.iter(f"{W}p")]
    return "\n".join("".join(map(run_text, paragraph.iter())) for paragraph in paragraphs)


def run_text(element: ElementTree.Element) -> str:
    return {f"{W}t": element.text or "", f"{W}br": "\n"}.get(element.tag, "")


def parts_of_mail(data: bytes) -> PagesByPart:
    """Head and plain body under "", the html body under "html", attachments under their names."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None and html is not None
    head = "".join(f"{name}: {value}\n" for name, value in message.items())
    parts = {"": [head + plain.get_content()], "html": [html.get_content()]}
    for part in message.iter_attachments():
        content = part.get_content()
        parts[str(part.get_filename())] = pdf_pages(content) if isinstance(content, bytes) else [content]
    return parts


def pages_of(path: Path) -> PagesByPart:
    """The text a file carries, page by page; the document itself is the part ""."""
    data = path.read_bytes()
    match path.suffix:
        case ".pdf":
            return {"": pdf_pages(data)}
        case ".docx":
            return {"": [docx_text(data)]}
        case ".eml":
            return parts_of_mail(data)
        case _:
            return {"": [data.decode("iso-8859-1")]}


def pictures_of(path: Path) -> list[NDArray[np.int16]]:
    if path.suffix != ".pdf":
        return [np.asarray(Image.open(path), dtype=np.int16)]
    pdf = pymupdf.open(path)
    images = [pdf.extract_image(image[0])["image"] for page in pdf for image in page.get_images()]
    return [np.asarray(Image.open(io.BytesIO(image)), dtype=np.int16) for image in images]


def folded(text: str) -> str:
    return " ".join(text.split())


def iban_remainder(iban: str) -> int:
    """ISO 7064 MOD 97-10 over the rearranged number; 1 where the checksum is right (ISO 13616)."""
    compact = iban.replace(" ", "")
    digits = (string.digits + string.ascii_uppercase).index
    return int("".join(str(digits(char)) for char in compact[4:] + compact[:4])) % 97


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    subprocess.run([sys.executable, FOLDER / "make_documents.py", folder], check=True)
    return folder


def test_the_script_makes_exactly_the_documents_that_have_facts(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == set(FACTS)


@pytest.mark.parametrize("name", ["contract.pdf", "letter.docx", "mail.eml", "notice_latin1.txt"])
def test_a_committed_document_has_the_text_the_script_makes(made: Path, name: str) -> None:
    assert pages_of(FOLDER / name) == pages_of(made / name)


@pytest.mark.parametrize("name", ["contract_scan.pdf", "invoice.png"])
def test_a_committed_picture_has_the_pixels_the_script_makes(made: Path, name: str) -> None:
    """Other releases of the libraries may smooth edges a little differently, but change no letter."""
    committed, fresh = pictures_of(FOLDER / name), pictures_of(made / name)
    assert [picture.shape for picture in committed] == [picture.shape for picture in fresh]
    for old, new in zip(committed, fresh, strict=True):
        assert np.mean(np.abs(old - new) > 64) < 1e-5


@pytest.mark.parametrize("name", ["contract.pdf", "letter.docx", "mail.eml", "notice_latin1.txt"])
def test_every_fact_stands_on_its_page(name: str) -> None:
    parts = pages_of(FOLDER / name)
    missing = [
        fact["text"]
        for fact in FACTS[name]
        if str(fact["text"]) not in folded(parts[str(fact.get("part", ""))][int(fact["page"]) - 1])
    ]
    assert missing == []


def test_the_scan_has_the_facts_of_the_contract_and_no_text_layer() -> None:
    assert FACTS["contract_scan.pdf"] == FACTS["contract.pdf"]
    assert pages_of(FOLDER / "contract_scan.pdf") == {"": ["", ""]}


def test_the_scan_is_two_grey_pages_at_200_dpi_below_900_kb() -> None:
    path = FOLDER / "contract_scan.pdf"
    assert [picture.shape for picture in pictures_of(path)] == [(2339, 1653), (2339, 1653)]
    assert path.stat().st_size < 900_000


def test_the_notice_is_latin_1_and_not_utf_8() -> None:
    with pytest.raises(UnicodeDecodeError):
        (FOLDER / "notice_latin1.txt").read_bytes().decode("utf-8")


def test_the_iban_has_a_valid_checksum() -> None:
    ibans = [str(fact["text"]) for facts in FACTS.values() for fact in facts if fact["kind"] == "iban"]
    assert [iban_remainder(iban) for iban in ibans] == [1]


def test_the_html_body_of_the_mail_says_what_the_plain_one_says() -> None:
    parts = parts_of_mail((FOLDER / "mail.eml").read_bytes())
    html = "".join(ElementTree.fromstring(parts["html"][0]).itertext())
    assert folded(html) in folded(parts[""][0])


def test_the_amounts_of_the_invoice_add_up() -> None:
    texts = runpy.run_path(str(FOLDER / "texts.py"))
    rows = [[float(cell.replace(",", "")) for cell in row[1:]] for row in texts["INVOICE_LINES"]]
    subtotal, vat, total = (float(value.lstrip("€").replace(",", "")) for _, value in texts["INVOICE_TOTALS"])
    assert [quantity * price for quantity, price, _ in rows] == [amount for _, _, amount in rows]
    assert (sum(row[2] for row in rows), 0.2 * subtotal, subtotal + vat) == (subtotal, vat, total)
