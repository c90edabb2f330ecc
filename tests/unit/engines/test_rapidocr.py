# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docpipe.engines import load_ner, load_ocr
from docpipe.engines.ports import OcrEngine
from docpipe.errors import ConfigurationError, MissingExtraError
from docpipe.formats.base import TextLine
from docpipe.stages.ocr.reading_order import in_reading_order, level

Pixels = NDArray[np.uint8]

PROSE = (
    "The parties to this agreement are named below.",
    "Payment is due within thirty days of delivery.",
    "Notices shall be sent to the registered office.",
    "This contract is governed by the laws of France.",
)


def page(
    lines: tuple[str, ...] = PROSE, size: int = 36, width: int = 1100, height: int = 0, left: int = 60
) -> Pixels:
    """Black text on white paper."""
    step = 2 * size
    sheet = Image.new("RGB", (width, height or step * (len(lines) + 1)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, text in enumerate(lines):
        pen.text((left, size // 2 + row * step), text, "black", ImageFont.load_default(size))
    return np.ascontiguousarray(np.asarray(sheet)[:, :, ::-1])


def read(engine: OcrEngine, pixels: Pixels) -> list[str]:
    found = engine.read(pixels)
    pieces = [TextLine(line.text) for line in found]
    lines = in_reading_order(pieces, level([line.quad for line in found]))
    return "".join(line.joint + line.text for line in lines).split("\n")[1:]


ENGINES = {
    "float": {"inference": "openvino"},
    "int8": {"inference": "openvino", "precision": "int8"},
    "onnxruntime": {"inference": "onnxruntime"},
}


@cache
def loaded(name: str) -> OcrEngine:
    """Models are loaded once for all tests of this module."""
    return load_ocr("rapidocr", **ENGINES[name])


def quick_first(first: str, *others: str) -> list[Any]:
    """What holds for any models: the quick tests try the first, the slow ones the others."""
    return [first, *(pytest.param(each, marks=pytest.mark.slow) for each in others)]


@pytest.fixture(params=quick_first(*ENGINES))
def engine(request: pytest.FixtureRequest) -> OcrEngine:
    return loaded(request.param)


@pytest.fixture(params=quick_first("float", "onnxruntime"))
def in_floats(request: pytest.FixtureRequest) -> OcrEngine:
    """Only the letters of a line are read in 8 bits: where lines are, and how the page lies, never is."""
    return loaded(request.param)


@pytest.fixture
def one() -> OcrEngine:
    """How a page is cut up and put together is the same whatever the models run on."""
    return loaded("float")


def test_printed_lines_are_read_with_their_places_and_confidence(engine: OcrEngine) -> None:
    lines = sorted(engine.read(page()), key=lambda line: line.quad[0][1])
    assert [line.text for line in lines] == list(PROSE)
    assert all(line.confidence > 0.9 for line in lines)
    for row, line in enumerate(lines):
        (x0, y0), _, (_, y1), _ = line.quad
        assert 40 <= x0 <= 65
        assert y0 <= 18 + 72 * row + 18 <= y1


def printed(text: str) -> Pixels:
    """The line in a typeface that has Chinese letters, too."""
    document = pymupdf.open()
    paper = document.new_page(width=700, height=60)
    paper.insert_text((20, 40), text, fontsize=24, fontname="china-s")
    drawn = paper.get_pixmap(dpi=100)
    rows = np.frombuffer(drawn.samples, np.uint8).reshape(drawn.height, drawn.width, 3)
    return np.ascontiguousarray(rows[:, :, ::-1])


@pytest.mark.parametrize(
    "text",
    [
        "中华人民共和国公司法第一章总则",
        "This contract 合同 is signed.",
        "东京都 2024 Acme Ltd.",
    ],
)
def test_letters_of_all_scripts_that_the_model_knows_are_read(engine: OcrEngine, text: str) -> None:
    found = sorted(engine.read(printed(text)), key=lambda line: line.quad[0][0])
    assert " ".join(line.text for line in found).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_orientation_of_a_turned_page_is_what_brings_it_upright(in_floats: OcrEngine, turns: int) -> None:
    turned = np.rot90(page(), turns).copy()
    degrees = in_floats.orientation(turned)
    assert degrees == (360 - 90 * turns) % 360
    assert read(in_floats, np.rot90(turned, degrees // 90).copy()) == list(PROSE)


def test_a_skewed_page_is_read_in_order(one: OcrEngine) -> None:
    sheet = Image.fromarray(page(height=600)).rotate(3, fillcolor="white", expand=True)
    assert read(one, np.asarray(sheet).copy()) == list(PROSE)


def test_small_print_on_a_large_page_is_found_in_strips() -> None:
    from docpipe.engines.ocr.rapidocr import RapidOcrEngine

    small = RapidOcrEngine(detection_pixels=150_000)
    lines = tuple(f"{n:02d} {PROSE[n % 4]}" for n in range(24))
    found = read(small, page(lines, size=24, width=1700, height=1200))
    assert found == list(lines)


def test_print_too_small_for_one_look_at_a_large_page_is_read(one: OcrEngine) -> None:
    sheet = np.full((3400, 2400, 3), 255, np.uint8)
    block = page(PROSE * 5, size=14, width=420, left=10)
    sheet[200 : 200 + len(block), 100:520] = block
    assert read(one, sheet) == list(PROSE * 5)


def test_a_tall_narrow_receipt_keeps_its_small_lines(one: OcrEngine) -> None:
    lines = tuple(f"Item {n:02d} costs {n}.50" for n in range(60))
    assert read(one, page(lines, size=28, width=420, left=20)) == list(lines)


def test_a_strip_no_higher_than_its_line_is_read(one: OcrEngine) -> None:
    assert read(one, page(PROSE[:1])[12:66]) == [PROSE[0]]


@pytest.mark.parametrize("shape", [(1, 60_000), (60_000, 1), (1, 1), (20, 30_000), (30_000, 20), (64, 64)])
def test_pictures_of_extreme_shape_or_without_text_give_no_lines(
    in_floats: OcrEngine, shape: tuple[int, int]
) -> None:
    blank = np.full((*shape, 3), 255, np.uint8)
    assert (in_floats.orientation(blank), in_floats.read(blank)) == (0, [])


def test_lines_below_the_least_score_count_as_seen_and_not_read() -> None:
    from docpipe.engines.ocr.rapidocr import RapidOcrEngine

    [line] = RapidOcrEngine(min_score=1.01).read(page(PROSE[:1]))
    assert line.text == ""
    assert line.confidence > 0.9


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_reads_with_models_of_its_own_and_not_with_openvino(engine: OcrEngine) -> None:
    assert read(engine, page(PROSE[:1])) == [PROSE[0]]
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(send, "\n".join([*read(engine, page(PROSE[:1])), engine.name]).encode())
        finally:
            os._exit(0)  # whatever happened: the test session belongs to the parent
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        text, name = pipe.read().decode().splitlines()
    assert text == PROSE[0]
    assert name.endswith("(onnxruntime)")
    os.waitpid(child, 0)


def test_reading_leaves_the_root_logger_alone_and_its_own_quiet(
    engine: OcrEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (logging.getLogger().level, list(logging.getLogger().handlers))
    engine.read(np.full((200, 200, 3), 255, np.uint8))
    assert (logging.getLogger().level, list(logging.getLogger().handlers)) == before
    assert capfd.readouterr() == ("", "")


# --- what the models run on -----------------------------------------------------------------------


def test_the_engines_name_says_its_version_and_what_it_runs_on(engine: OcrEngine) -> None:
    engine.read(page(PROSE[:1]))
    assert re.fullmatch(r"rapidocr 3\.[\d.]+ \((openvino|openvino, int8|onnxruntime)\)", engine.name)


def test_openvino_is_chosen_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from docpipe.engines.ocr.rapidocr import RapidOcrEngine

    assert RapidOcrEngine().inference == "openvino"
    without_openvino(monkeypatch)
    assert RapidOcrEngine().inference == "onnxruntime"


def test_8_bits_that_are_asked_for_need_openvino() -> None:
    with pytest.raises(ConfigurationError, match=r"Only OpenVINO reads in 8 bits, .*runs on onnxruntime"):
        load_ocr("rapidocr", inference="onnxruntime", precision="int8")
    with pytest.raises(ConfigurationError, match=r"'half'\. Choose one of float, auto, int8"):
        load_ocr("rapidocr", precision="half")


@pytest.mark.parametrize("vnni", [True, False])
def test_8_bits_are_chosen_where_they_are_faster(monkeypatch: pytest.MonkeyPatch, vnni: bool) -> None:
    from docpipe.engines.ocr.openvino import eight_bits

    monkeypatch.setattr(eight_bits, "bytes_are_faster", lambda: vnni)
    engine = load_ocr("rapidocr", inference="openvino", precision="auto")
    assert read(engine, page(PROSE[:1])) == [PROSE[0]]
    assert engine.name.endswith("(openvino, int8)" if vnni else "(openvino)")


def test_8_bits_made_of_another_model_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from docpipe.engines.ocr.openvino import eight_bits

    monkeypatch.setattr(eight_bits, "bytes_are_faster", lambda: True)
    other = tmp_path / "other.onnx"
    other.write_bytes(b"another model")
    assert eight_bits.layers(other, "auto") is None
    with pytest.raises(ConfigurationError, match=r"no 8-bit layers for other\.onnx"):
        eight_bits.layers(other, "int8")


def test_8_bits_that_are_not_installed_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docpipe.engines.ocr.openvino import eight_bits

    monkeypatch.setattr(eight_bits, "bytes_are_faster", lambda: True)
    monkeypatch.setattr(eight_bits, "PACKAGE", "docpipe_nowhere")
    assert eight_bits.layers(tmp_path, "auto") is None
    with pytest.raises(MissingExtraError, match=r"not installed.*docpipe-celery\[openvino\]"):
        eight_bits.layers(tmp_path, "int8")


def test_the_process_that_reads_may_read_the_layers_in_8_bits(tmp_path: Path) -> None:
    from docpipe.engines.ocr.openvino.eight_bits import PACKAGE
    from docpipe.execution.isolation.reach import reachable

    engines = {"rapidocr": {"precision": "int8"}}
    places = reachable(engines, document=tmp_path, scratch=tmp_path, further=(), programs=False)
    assert str(Path(str(files(PACKAGE)))) in places


def test_a_model_that_rapidocr_comes_without_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docpipe.engines.ocr.openvino import runtime

    monkeypatch.setattr(runtime, "_MODELS", tmp_path)
    with pytest.raises(ConfigurationError, match=r"without the model PP-OCRv6_rec_small\.onnx\. Install"):
        load_ocr("rapidocr", inference="openvino").read(page(PROSE[:1]))


def test_onnx_runtime_that_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "docpipe.engines.ocr.onnx_runtime", raising=False)
    monkeypatch.delattr("docpipe.engines.ocr.onnx_runtime", raising=False)
    with pytest.raises(MissingExtraError, match=r"docpipe-celery\[ocr\]"):
        load_ocr("rapidocr", inference="onnxruntime").read(page(PROSE[:1]))


BLANK, A, B = range(3)


def steps(*places: tuple[int, int, float]) -> NDArray[np.float32]:
    """Scores: the likeliest at each step, the next, and how far it is below."""
    made = np.full((len(places), 3), -9, np.float32)
    for step, (first, second, margin) in enumerate(places):
        made[step, [first, second]] = 9, 9 - margin
    return made


@pytest.mark.parametrize(
    ("scores", "clear"),
    [
        pytest.param(steps((BLANK, A, 5), (A, BLANK, 0.1), (A, B, 3), (B, A, 3)), True, id="sure"),
        pytest.param(steps((BLANK, A, 5), (A, B, 0.4), (A, B, 0.9), (B, A, 3)), False, id="a letter is not"),
        pytest.param(
            steps((A, B, 3), (BLANK, A, 0.1), (B, A, 3)), True, id="a thin blank between two letters"
        ),
        pytest.param(
            steps((A, B, 3), (BLANK, A, 0.1), (A, B, 3)), False, id="a thin blank in a double letter"
        ),
        pytest.param(steps((A, B, 3), (BLANK, A, 0.1), (BLANK, A, 3), (A, B, 3)), True, id="a double letter"),
        pytest.param(steps((BLANK, A, 0.1)), False, id="perhaps a letter"),
        pytest.param(steps((BLANK, A, 5)), True, id="nothing"),
    ],
)
def test_a_line_in_8_bits_is_taken_where_each_letter_is_clear(
    scores: NDArray[np.float32], clear: bool
) -> None:
    from docpipe.engines.ocr.openvino.recogniser import is_clear

    assert is_clear(scores) == clear


def test_a_line_that_is_not_clear_in_8_bits_is_read_in_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    from docpipe.engines.ocr.openvino import recogniser

    seen = []
    monkeypatch.setattr(recogniser, "is_clear", lambda scores: seen.append(scores))
    picture = page(PROSE[:2])
    assert loaded("int8").read(picture) == loaded("float").read(picture)
    assert len(seen) == 2


def test_openvino_that_is_asked_for_and_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    without_openvino(monkeypatch)
    with pytest.raises(MissingExtraError, match=r"docpipe-celery\[openvino\]"):
        load_ocr("rapidocr", inference="openvino")


def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    from docpipe.engines.ocr import rapidocr as engine_module

    monkeypatch.setattr(engine_module, "find_spec", lambda name: None)


def test_processes_share_the_cores_as_openvino_does_not_pin_its_threads() -> None:
    from docpipe.engines.ocr.openvino.runtime import settings

    assert settings(threads=2) == {"INFERENCE_NUM_THREADS": 2, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}


def test_a_signal_finds_its_stack_after_openvinos_models_were_freed_in_any_order() -> None:
    code = """if True:
        import gc, os, signal, numpy
        from docpipe.engines import load_ocr
        blank = numpy.full((64, 640, 3), 255, numpy.uint8)
        engines = [load_ocr("rapidocr", inference="openvino") for _ in range(2)]
        print([engine.read(blank) for engine in engines])
        while engines:
            del engines[0]
            gc.collect()
        signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
        os.kill(os.getpid(), signal.SIGUSR1)"""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[[], []]\nhandled\n")


def test_cuda_without_onnxruntime_gpu_says_what_to_install() -> None:
    with pytest.raises(ConfigurationError, match=r"no CUDAExecutionProvider here.*docpipe-celery\[gpu\]"):
        load_ocr("rapidocr", inference="cuda")


def test_cuda_is_passed_on_to_onnxruntime_and_never_replaced_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import onnxruntime

    from docpipe.engines.ocr.onnx_runtime import parameters
    from docpipe.engines.ocr.rapidocr import RapidOcrEngine

    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    engine = RapidOcrEngine(inference="cuda")
    assert parameters(1, gpu=True)["EngineConfig.onnxruntime.use_cuda"] is True
    with pytest.raises(ConfigurationError, match="ONNX Runtime cannot use the GPU"):
        engine.read(page(PROSE[:1]))


def test_an_unknown_inference_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'tpu'\. Choose one of auto, onnxruntime, openvino, cuda"):
        load_ocr("rapidocr", inference="tpu")


@pytest.mark.parametrize(
    ("shape", "width"),
    [((48, 1), 64), ((48, 64), 64), ((24, 40), 128), ((48, 640), 640), ((48, 650), 768), ((60, 1000), 896)],
)
def test_lines_come_in_few_widths_whatever_their_own(shape: tuple[int, int], width: int) -> None:
    from docpipe.engines.ocr.line_widths import in_bucket

    assert in_bucket(np.zeros((*shape, 3), np.uint8)).shape == (48, width, 3)


# --- loading by name ----------------------------------------------------------------------------


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match=r"rapidocr, rapidocr-onnxruntime, tesseract, or package\.module:attribute"
    ):
        load_ocr("ocrad")
    with pytest.raises(ConfigurationError, match=r"Choose one of .*openai, spacy"):
        load_ner("flair")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="colour"):
        load_ocr("rapidocr", colour=True)


def test_an_engine_of_a_third_party_is_loaded_by_its_dotted_name() -> None:
    from docpipe.engines.ocr.rapidocr import RapidOcrEngine

    found = load_ocr("docpipe.engines.ocr.rapidocr:RapidOcrEngine", threads=2)
    assert isinstance(found, RapidOcrEngine)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package:Engine", "cannot be imported"),
        ("docpipe.errors:Engine", "no class or function 'Engine'"),
    ],
)
def test_a_third_party_engine_that_is_not_there_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_ocr(name)


def test_a_missing_library_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    monkeypatch.delitem(sys.modules, "docpipe.engines.ocr.rapidocr_onnxruntime", raising=False)
    with pytest.raises(MissingExtraError, match=r"docpipe-celery\[ocr-legacy\]"):
        load_ocr("rapidocr-onnxruntime")


def test_importing_the_loader_imports_no_engine() -> None:
    heavy = "{'numpy', 'cv2', 'onnxruntime', 'rapidocr', 'spacy'}"
    code = f"import sys, docpipe.engines; sys.exit(bool({heavy} & set(sys.modules)))"
    here = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=here, check=False).returncode == 0


def test_a_processor_that_openvino_cannot_use_names_what_can(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    from docpipe.engines.ocr.openvino import runtime

    monkeypatch.setattr(runtime, "settings", lambda threads: {"INFERENCE_NUM_THREADS": "none"})
    with pytest.raises(ConfigurationError, match=r"OpenVINO cannot run .*OCR_INFERENCE=onnxruntime"):
        load_ocr("rapidocr", inference="openvino").read(page(PROSE[:1]))
