"""Who reads: docpipe, and what one would use instead. One process of one of them is

    python -m benchmarks.contenders NAME

It says `ready` when it has read one page to warm up, named on the first line of standard input. Then it
takes a JSON list of `[path, dpi]` per line, and answers each with an object: `texts`, `cpu` seconds and
`memory`, the peak of its largest process in megabytes.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Page = tuple[str, int]
"""Path of a picture, and its dots per inch."""
Read = Callable[[list[Page]], list[str]]


@dataclass(frozen=True, slots=True)
class Contender:
    """What is run, and how it is used."""

    title: str
    found: Callable[[], str | None]
    """Its version; None where it is not installed."""
    load: Callable[[], Read]
    alone: bool = False
    """One process, which spreads over the cores by itself."""
    whole: bool = False
    """It is given all pages at once."""


def _docpipe(**ocr_options: str) -> Read:
    """The ocr stage as a worker runs it."""
    from docpipe.execution.options import Options
    from docpipe.execution.reading import read
    from docpipe.execution.tools import Tools

    tools = Tools(Options(isolate=False, ocr_options=ocr_options))

    def text(path: Path) -> str:
        return read(path, path.name, tools, lambda *_: None).text or ""

    return lambda pages: [text(Path(path)) for path, _ in pages]


def _rapidocr() -> Read:
    """RapidOCR with its own defaults, as a user would call it."""
    import numpy as np
    from PIL import Image
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "error"})

    def text(path: str) -> str:
        with Image.open(path) as picture:
            pixels = np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])
        return "\n".join(getattr(engine(pixels), "txts", None) or ())

    return lambda pages: [text(path) for path, _ in pages]


def _tesseract() -> Read:
    os.environ["OMP_THREAD_LIMIT"] = "1"  # one process per core, as docpipe
    return lambda pages: [_output("tesseract", path, "stdout", "--dpi", str(dpi)) for path, dpi in pages]


def _ocrmypdf() -> Read:
    """All pages as one PDF, two at a time."""
    os.environ["OMP_THREAD_LIMIT"] = "1"

    def texts(pages: list[Page]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            source, text = Path(folder, "scans.pdf"), Path(folder, "text.txt")
            source.write_bytes(_as_pdf(pages))
            options = ["-j", "2", "--force-ocr", "--output-type", "pdf", "--quiet", "--sidecar", str(text)]
            _output("ocrmypdf", *options, str(source), str(Path(folder, "read.pdf")))
            found = text.read_text(encoding="utf-8").split("\f")
        return [*found, *[""] * len(pages)][: len(pages)]

    return texts


def _docling() -> Read:
    from docling.document_converter import DocumentConverter  # type: ignore[import-not-found,unused-ignore]

    converter = DocumentConverter()
    return lambda pages: [converter.convert(path).document.export_to_text() for path, _ in pages]


def _as_pdf(pages: list[Page]) -> bytes:
    pymupdf: Any = import_module("pymupdf")
    document = pymupdf.open()
    for path, dpi in pages:
        picture = pymupdf.Pixmap(path)
        sheet = document.new_page(width=picture.width * 72 / dpi, height=picture.height * 72 / dpi)
        sheet.insert_image(sheet.rect, filename=path)
    data: bytes = document.tobytes()
    return data


def _output(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return done.stdout.decode(errors="replace")


def _package(*names: str) -> Callable[[], str | None]:
    def found() -> str | None:
        try:
            return ", ".join(f"{name} {version(name)}" for name in names)
        except PackageNotFoundError:
            return None

    return found


def _command(name: str) -> Callable[[], str | None]:
    def found() -> str | None:
        if not shutil.which(name):
            return None
        said = subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
        return f"{name} {(said.stdout or said.stderr).split()[-1 if name == 'ocrmypdf' else 1]}"

    return found


CONTENDERS = {
    "docpipe": Contender("docpipe", _package("docpipe-celery", "rapidocr", "openvino"), _docpipe),
    "docpipe-int8": Contender(
        "docpipe, 8 bits first",
        _package("docpipe-celery", "docpipe-recogniser", "openvino"),
        lambda: _docpipe(precision="int8"),
    ),
    "docpipe-onnxruntime": Contender(
        "docpipe on ONNX Runtime",
        _package("docpipe-celery", "rapidocr", "onnxruntime"),
        lambda: _docpipe(inference="onnxruntime"),
    ),
    "rapidocr": Contender("RapidOCR as shipped", _package("rapidocr", "onnxruntime"), _rapidocr, alone=True),
    "tesseract": Contender("Tesseract", _command("tesseract"), _tesseract),
    "ocrmypdf": Contender("OCRmyPDF", _command("ocrmypdf"), _ocrmypdf, alone=True, whole=True),
    "docling": Contender("docling", _package("docling"), _docling, alone=True),
}


# --- one process ------------------------------------------------------------------------------------


def _used() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in whose) / 1024


def main(name: str) -> None:
    """Serve pages from standard input."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    read = CONTENDERS[name].load()
    read(json.loads(sys.stdin.readline()))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        before = _used()
        texts = read(json.loads(line))
        answer = {"texts": texts, "cpu": _used() - before, "memory": _peak()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
