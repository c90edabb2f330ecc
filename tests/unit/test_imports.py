"""Importing docpipe is cheap and without effect; what is not installed is missed at use."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import docpipe
from tests.unit.conftest import ROOT, Python

HEAVY = "celery.app redis pymupdf cv2 numpy onnxruntime spacy boto3 supabase pydantic structlog babel"

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""

PROCESS = """
from docpipe import Options, Pipeline, DocpipeError, open_store
pipeline = Pipeline(store=open_store("sqlite://missing.db"), options=Options(isolate=False))
try:
    pipeline.process({file!r})
except DocpipeError as error:
    print(type(error).__name__, "|", error)
"""

EXTRAS = {
    "pymupdf": ("contract.pdf", "docpipe-celery[pdf]"),
    "rapidocr": ("invoice.png", "docpipe-celery[ocr]"),
    "PIL": ("invoice.png", "docpipe-celery[ocr]"),
    "lxml": ("letter.docx", "docpipe-celery[office]"),
    "tokenizers": ("notice_latin1.txt", "docpipe-celery[ner]"),
    "semantic_text_splitter": ("notice_latin1.txt", "docpipe-celery[worker]"),
    "boto3": ("s3://bucket/contract.pdf", "docpipe-celery[s3]"),
}


@pytest.mark.parametrize(
    "statement", ["import docpipe", "from docpipe import submit", "import docpipe.testing"]
)
def test_importing_docpipe_loads_nothing_heavy(python: Python, statement: str) -> None:
    done = python("-c", f"{statement}\nimport sys, json; print(json.dumps(list(sys.modules)))")
    loaded = set(json.loads(done.stdout))
    assert [name for name in HEAVY.split() if name in loaded] == []


def test_a_process_that_submits_loads_no_library_of_the_stages(python: Python, note: Path) -> None:
    program = f"""
import sys
from docpipe.testing import memory_app
from docpipe import Pipeline, Sources, open_store
pipeline = Pipeline(memory_app(), store=open_store("sqlite://light.db"), sources=Sources())
print(pipeline.submit({str(note)!r}).status().status)
heavy = "pymupdf cv2 numpy onnxruntime rapidocr spacy boto3 supabase semantic_text_splitter lxml PIL babel"
heavy += " psycopg rich"
print([name for name in heavy.split() if name in sys.modules])
"""
    assert python("-c", program).stdout == "ocr_queued\n[]\n"


COMMAND = """
import atexit, json, os, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules))))
from docpipe.cli import main
sys.argv = ["docpipe", *{arguments!r}]
main()
"""
SERVICES = "celery kombu redis supabase postgrest httpx psycopg structlog"
LIBRARIES = "pymupdf numpy PIL lxml spacy onnxruntime openvino rapidocr cv2 babel phonenumbers"


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--version"], f"pydantic rich {SERVICES} {LIBRARIES}"),
        (["--help"], f"pydantic rich {SERVICES} {LIBRARIES}"),
        (["status"], f"{SERVICES} {LIBRARIES}"),
        (
            ["run", "contract.pdf"],
            f"{SERVICES} openvino rapidocr cv2 omegaconf requests typer jinja2 spacy",
        ),
        (["run", "contract_scan.pdf"], f"{SERVICES} rapidocr.main omegaconf requests shapely typer spacy"),
        (["run", "notice_latin1.txt"], f"{SERVICES} spacy openvino rapidocr cv2 pymupdf PIL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_loads_only_what_it_needs(
    python: Python, examples: Path, tmp_path: Path, arguments: list[str], unneeded: str
) -> None:
    files = [str(examples / each) if "." in each else each for each in arguments]
    store = f"sqlite://{tmp_path / 'docpipe.db'}"
    done = python("-c", COMMAND.format(arguments=files), DOCPIPE_ISOLATE="false", DOCPIPE_STORE=store)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert [name for name in unneeded.split() if name in loaded] == [], done.stderr


@pytest.mark.parametrize("command", ["status", "submit", "monitor", "run"])
def test_a_command_without_the_extra_of_commands_says_what_to_install(python: Python, command: str) -> None:
    program = (
        f"import sys; sys.modules['rich'] = None; from docpipe.cli import main; sys.argv[1:] = {[command]!r};"
    )
    done = python("-c", program + " main()")
    told = "docpipe: rich is not installed. Run: pip install 'docpipe-celery[cli]'"
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, told)


def test_commands_whose_lines_are_plain_do_without_that_extra(python: Python) -> None:
    program = "import sys; sys.modules['rich'] = None; from docpipe.cli import main;"
    program += " sys.argv[1:] = ['deploy', 'grafana', '--write', 'out']; main()"
    assert python("-c", program).stdout.startswith("wrote out")


def test_spacy_without_its_command_line_is_whole_all_the_same(python: Python) -> None:
    program = "import docpipe.engines.ner.spacy, spacy, sys; print('spacy.cli' in sys.modules);"
    program += "print(spacy.info(silent=True)['spacy_version'] == spacy.__version__);"
    program += "from spacy.cli import info, convert; print(info.__module__)"
    assert python("-c", program).stdout == "False\nTrue\nspacy.cli.info\n"


def _unexplained(path: Path) -> list[str]:
    """The functions of a module that import, where neither they nor the module's docstring say why."""
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    if "import" in (ast.get_docstring(tree) or ""):
        return []
    late = {function: _imports(function, source) for function in ast.walk(tree) if _is_function(function)}
    return [f"{path}:{lines[0]}" for lines in late.values() if lines and "# noqa: PLC0415 - " not in lines[0]]


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _imports(function: ast.AST, source: str) -> list[str]:
    lines = source.splitlines()
    found = (node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom))
    return [lines[node.lineno - 1].strip() for node in found]


def test_an_import_inside_a_function_says_why() -> None:
    assert [each for path in ROOT.glob("docpipe/**/*.py") for each in _unexplained(path)] == []


@pytest.mark.parametrize("name", docpipe.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(docpipe, name) is not None


def test_the_public_names_are_those_with_a_home() -> None:
    with_home = [name for names in docpipe._HOMES.values() for name in names]
    assert sorted(with_home) == sorted(docpipe.__all__) == dir(docpipe)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sumbit'"):
        docpipe.sumbit  # noqa: B018 - the access is the test


def test_the_whole_public_api_imports_without_any_extra(python: Python) -> None:
    extras = [*EXTRAS, "psycopg", "numpy", "cv2", "chardet", "resiliparse", "rapidfuzz"]
    done = python(
        "-c",
        BLOCK.format(blocked=extras)
        + "from docpipe import *\nfrom docpipe.cli import cli\nprint('imported')",
    )
    assert (done.stdout, done.stderr) == ("imported\n", "")


@pytest.mark.parametrize("module", EXTRAS)
def test_a_missing_extra_is_named_with_its_pip_line_at_use(
    python: Python, examples: Path, module: str
) -> None:
    file, requirement = EXTRAS[module]
    source = file if "://" in file else str(examples / file)
    program = BLOCK.format(blocked=[module]) + PROCESS.format(file=source)
    done = python("-c", program)
    assert done.stdout.strip() == (
        f"MissingExtraError | {module} is not installed. Run: pip install '{requirement}'"
    ), done.stderr


def test_importing_reads_no_environment(python: Python) -> None:
    program = """
import os, sys
real = os.environ
class Watched(dict):
    def asked(self, name):
        if str(name).startswith(("DOCPIPE", "SUPABASE", "REDIS", "CELERY", "AWS")):
            print("read", name, sys._getframe(2).f_globals["__name__"])
    def __getitem__(self, name): self.asked(name); return super().__getitem__(name)
    def __contains__(self, name): self.asked(name); return super().__contains__(name)
    def get(self, name, default=None): self.asked(name); return super().get(name, default)
os.environ = Watched(real)
os.getenv = os.environ.get
import docpipe, docpipe.cli, docpipe.execution.work
from docpipe import *
"""
    done = python("-c", program, DOCPIPE_STORE="no such store", DOCPIPE_MAX_RETRIES="-7")
    reads = [line for line in done.stdout.splitlines() if line.split()[-1].startswith("docpipe")]
    assert (done.returncode, reads) == (0, []), done.stderr


def test_importing_never_touches_the_root_logger(python: Python) -> None:
    program = """
import logging
root = logging.getLogger()
before = (root.level, list(root.handlers), list(root.filters), root.disabled)
from docpipe import *
import docpipe.cli, docpipe.execution.work
print(before == (root.level, root.handlers, root.filters, root.disabled))
print([type(handler).__name__ for handler in logging.getLogger("docpipe").handlers])
"""
    assert python("-c", program).stdout == "True\n['NullHandler']\n"
