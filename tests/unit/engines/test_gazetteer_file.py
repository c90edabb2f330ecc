from __future__ import annotations

from pathlib import Path

import pytest

from docpipe.engines.ports import Span
from docpipe.errors import ConfigurationError
from docpipe.execution.gazetteer_file import read_gazetteer


def test_names_and_labels_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text('\ufeffname,label\n"Acme, Inc.",org\n\nNess,LOCATION\n', encoding="utf-8")
    assert read_gazetteer(path).find("Acme, Inc. of Ness") == [Span(0, 10, "ORG"), Span(14, 18, "LOCATION")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Acme,ORG\n", "must begin with the line: name,label"),
        (b"name,label\nAcme\n", "Line 2"),
        (b"name,label\nAcme,ORG\n,ORG\n", "Line 3"),
        (b"name,label\n\xff,ORG\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_list_of_names_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "names.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        read_gazetteer(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_gazetteer(tmp_path / "none.csv")
