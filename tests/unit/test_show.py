"""`docpipe show`: one HTML file that works without anything else, opened in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner

from docpipe import set_default_pipeline
from docpipe.cli import cli
from docpipe.cli.views.document_html import to_html
from docpipe.models import (
    Attempt,
    Document,
    DocumentStatus,
    Entity,
    Evidence,
    Failure,
    Line,
    Mention,
    Method,
    Page,
    Relation,
    StageRun,
)
from docpipe.models.status import AttemptEnd
from docpipe.stages.text.places import boxes_of
from tests.browser import Tab
from tests.browser import opened as driven
from tests.unit.conftest import Docpipe, NewPipeline
from tests.workers import HANG_SECONDS

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
NAME = "</script><b>O'Neil</b> & \U0001f600.pdf"
TEXT = "\U0001f600 Ann Lee <works> for Acme.\nIn </script> Bern."
LINES = (Line(0, 27, (72.0, 72.0, 372.0, 90.0)), Line(28, 46, (72.0, 100.0, 200.0, 112.0)))
BOX = (90.0, 72.0, 140.0, 90.0)
DOCUMENT = Document(
    document_uuid="u",
    run=2,
    status="completed",
    name=NAME,
    text=TEXT,
    pages=(Page(1, 0, len(TEXT), 612.0, 792.0, Method.TEXT, LINES),),
    mentions=(
        Mention(0, "Ann Lee", "PERSON", 2, 9, 1, BOX, 0.9, "x", 0),
        Mention(1, "Acme", "ORG", 22, 26, 1, (250.0, 72.0, 290.0, 90.0), 0.8, "x", 0),
        Mention(2, "Bern", "LOCATION", 41, 45, 1, None, 0.8, "x", 0),
    ),
    entities=(
        Entity(0, "Ann Lee", "PERSON", (0,)),
        Entity(1, "Acme", "ORG", (1,)),
        Entity(2, "Bern", "LOCATION", (2,)),
    ),
    relations=(Relation("WORK_FOR", 0, 1, Evidence(2, 26, 1), 0.75),),
)

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STATUS = DocumentStatus(
    document_uuid="u",
    run=2,
    result_run=2,
    status="completed",
    graph_status="completed",
    name=NAME,
    project_id=None,
    task_id=None,
    stages=(StageRun("ocr", 0, "complete", 1, started_at=BEGAN, finished_at=BEGAN + timedelta(seconds=1.5)),),
    history=((BEGAN, "pending", None),),
)


def opened(browser: str, file: Path, target: str = "") -> str:
    """The page's elements after its script has run."""
    profile = f"--user-data-dir={file.parent / 'profile'}"
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=3000",
        profile,
        "--dump-dom",
    ]
    done = subprocess.run(
        [browser, *flags, f"{file.as_uri()}{target}"], capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert 'data-ready="yes"' in done.stdout, done.stderr
    return re.sub(r'(?s)<script id="data".*?</script>', "", done.stdout)


def test_the_page_shows_mentions_graph_and_timeline(browser: str, tmp_path: Path) -> None:
    file = tmp_path / "show.html"
    file.write_text(to_html(DOCUMENT, STATUS, {1: PIXEL}), encoding="utf-8")
    shown = opened(browser, file)
    assert re.findall(r'class="box" title="([^"]*)"', shown) == ["PERSON: Ann Lee", "ORG: Acme"]
    assert "left: 14.7" in shown  # 90 of 612 points
    assert shown.count('class="node"') == 2
    assert shown.count('class="edge"') == 1
    assert re.search(r'id="timeline">.*?ocr.*?complete.*?1\.50 s', shown, re.S)
    assert "<b>O'Neil</b>" not in shown


def test_a_click_on_an_edge_leads_to_its_evidence(browser: str, tmp_path: Path) -> None:
    file = tmp_path / "show.html"
    file.write_text(to_html(DOCUMENT, STATUS, {1: PIXEL}), encoding="utf-8")
    shown = opened(browser, file, "#relation:0")
    assert '<blockquote id="evidence">Ann Lee &lt;works&gt; for Acme</blockquote>' in shown
    assert shown.count('class="evidence"') == 1
    assert shown.count("box lit") == 2


@pytest.fixture
def tab(browser: str, tmp_path: Path) -> Iterator[Tab]:
    file = tmp_path / "driven.html"
    file.write_text(to_html(DOCUMENT, STATUS, {1: PIXEL}), encoding="utf-8")
    with driven(browser, file) as tab:
        yield tab


def view(tab: Tab) -> tuple[float, float, float]:
    """Where the graph's drawing stands in its frame, and its scale."""
    drawn = tab.value("document.getElementById('view').getAttribute('transform')")
    x, y, scale = map(float, re.findall(r"-?[\d.]+(?:e-?\d+)?", drawn))
    return x, y, scale


def test_clicks_lead_from_graph_to_evidence_and_back(tab: Tab) -> None:
    tab.click(".edge .hit")
    assert tab.value("document.getElementById('evidence').textContent") == "Ann Lee <works> for Acme"
    assert tab.value("document.querySelectorAll('.box.lit').length") == 2
    frame = tab.value("(r => [r.left, r.top])(document.querySelector('#page-1').getBoundingClientRect())")
    line = tab.value("(r => [r.left, r.top])(document.querySelector('.evidence').getBoundingClientRect())")
    width = tab.value("document.querySelector('#page-1').getBoundingClientRect().width")
    ((_, (x0, *_)),) = boxes_of(TEXT, DOCUMENT.pages, 2, 26)  # of its words, not of the whole line
    assert line[0] - frame[0] == pytest.approx(width * x0 / 612, abs=3)
    tab.click("#page-1 .box")
    assert tab.value("document.getElementById('selected').textContent") == "PERSON: Ann Lee"
    assert tab.value("location.hash") == "#mention:0"
    tab.click("#detail table:last-of-type button")
    assert tab.value("location.hash") == "#relation:0"


def test_the_wheel_zooms_around_the_pointer_and_dragging_pans(tab: Tab) -> None:
    x, y, scale = view(tab)
    left, top = tab.value("(r => [r.left, r.top])(document.getElementById('graph').getBoundingClientRect())")
    at = (left + 150, top + 100)
    tab.mouse("mouseWheel", *at, deltaX=0, deltaY=-200)
    tab.value("new Promise(requestAnimationFrame)")
    zoomed = view(tab)
    assert zoomed[2] > scale
    assert (150 - zoomed[0]) / zoomed[2] == pytest.approx((150 - x) / scale, abs=1)  # what lies below stays
    assert (100 - zoomed[1]) / zoomed[2] == pytest.approx((100 - y) / scale, abs=1)
    tab.drag((left + 8, top + 8), (60, 40))
    assert view(tab) == pytest.approx((zoomed[0] + 60, zoomed[1] + 40, zoomed[2]))


def test_a_page_without_a_picture_shows_its_text(browser: str, tmp_path: Path) -> None:
    file = tmp_path / "show.html"
    file.write_text(to_html(DOCUMENT, STATUS), encoding="utf-8")
    shown = opened(browser, file, "#entity:2")
    assert re.findall(r"<mark[^>]*>([^<]*)</mark>", shown) == ["Ann Lee", "Acme", "Bern"]
    assert re.findall(r'<mark[^>]*class="lit"[^>]*>([^<]*)', shown) == ["Bern"]
    assert "In &lt;/script&gt; " in shown


def _attempts(*ends: AttemptEnd) -> list[Attempt]:
    lost = Failure("worker_lost", "WorkerLostError", "Its lease lapsed.")
    return [
        Attempt(
            number,
            2,
            "ocr",
            number,
            f"task-{number}",
            f"host:{number}",
            BEGAN,
            BEGAN + timedelta(seconds=number),
            end,
            error=None if end is AttemptEnd.COMPLETE else lost,
        )
        for number, end in enumerate(ends, start=1)
    ]


def _told(text: str) -> list[list[str]]:
    (data,) = re.findall(r'(?s)<script id="data" type="application/json">(.*?)</script>', text)
    told: list[list[str]] = json.loads(data)["attempts"]
    return told


def test_what_was_tried_is_told_from_the_attempts_where_one_did_not_go_well() -> None:
    killed = _attempts(*[AttemptEnd.LOST] * 3, AttemptEnd.COMPLETE)
    why = "worker_lost: Its lease lapsed."
    began = "2026-01-02 03:04:05"
    assert _told(to_html(DOCUMENT, STATUS, attempts=killed)) == [
        ["run 2 ocr #1", "host:1", "task-1", began, "1.0", "lost", why],
        ["run 2 ocr #2", "host:2", "task-2", began, "2.0", "lost", why],
        ["run 2 ocr #3", "host:3", "task-3", began, "3.0", "lost", why],
        ["run 2 ocr #4", "host:4", "task-4", began, "4.0", "complete", ""],
    ]
    assert _told(to_html(DOCUMENT, STATUS, attempts=_attempts(AttemptEnd.COMPLETE))) == []


def test_nothing_is_fetched_from_anywhere() -> None:
    text = to_html(DOCUMENT, STATUS, {1: PIXEL})
    assert "default-src 'none'" in text
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert text.count("</script>") == 2


@pytest.mark.parametrize("name", ["__DATA__.pdf", "__TITLE__ __DATA__"])
def test_a_name_is_shown_as_it_is(name: str) -> None:
    text = to_html(replace(DOCUMENT, name=name), STATUS)
    assert re.findall(r"<(?:title|h1)>(.*?)</", text) == [name, name]
    assert text.count('"relations"') == 1


def test_a_failed_document_is_shown_with_its_error(browser: str, docpipe: Docpipe, tmp_path: Path) -> None:
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    ran = docpipe("run", "--json", tmp_path / "torn.pdf")
    assert ran.code == 1
    out = tmp_path / "torn.html"
    shown = docpipe("show", ran.objects[0]["document_uuid"], "--out", out)
    assert shown.code == 0
    assert shown.err.startswith("docpipe: text only: The PDF engine cannot read torn.pdf")
    page = opened(browser, out)
    assert re.search(r'<p class="error">ocr: The PDF engine cannot read torn\.pdf [^<]+</p>', page)
    assert "error_ocr, 0 pages, 0 mentions, 0 relations" in page
    assert re.search(r'<svg id="graph"[^>]* style="display: none;"', page)  # there is nothing to draw


def _hashed(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def test_nothing_runs_but_the_files_own_script_and_style() -> None:
    shown = to_html(DOCUMENT, STATUS, {1: PIXEL})
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', shown)
    (style,) = re.findall(r"(?s)<style>(.*?)</style>", shown)
    (script,) = re.findall(r"(?s)<script>(.*?)</script>", shown)
    assert dict(part.strip().split(" ", 1) for part in policy.split(";")) == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hashed(style),
        "script-src": _hashed(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not re.search(r"\s(?:style|on[a-z]+)=", shown.replace(style, "").replace(script, ""))


def test_the_title_shows_what_turns_the_direction() -> None:
    shown = to_html(replace(DOCUMENT, name="\u202efdp.exe"), STATUS)
    assert "<title>\\u202efdp.exe</title>" in shown
    assert "\u202e" not in shown


def test_only_its_owner_may_read_the_file(docpipe: Docpipe, note: Path, tmp_path: Path) -> None:
    uuid = docpipe("run", "--json", note).objects[0]["document_uuid"]
    out = tmp_path / "show.html"
    assert docpipe("show", uuid, "--no-images", "--out", out).code == 0
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_missing_is_said_in_one_sentence(docpipe: Docpipe, note: Path) -> None:
    uuid = docpipe("run", "--json", note).objects[0]["document_uuid"]
    for command in (("show", uuid), ("export", uuid), ("export", uuid, "--format", "gexf")):
        done = docpipe(*command, "--out", "missing/file")
        assert (done.code, done.err.splitlines()[-1][:45]) == (
            1,
            "docpipe: missing/file cannot be written: No s",
        )


@pytest.mark.parametrize("gone", [False, True])
def test_the_command_draws_pages_while_the_source_is_there(
    new_pipeline: NewPipeline, examples: Path, tmp_path: Path, gone: bool
) -> None:
    source = shutil.copy(examples / "contract.pdf", tmp_path)
    pipeline = new_pipeline()
    set_default_pipeline(pipeline)
    document = pipeline.process(source)
    if gone:
        Path(source).unlink()
    out = tmp_path / "show.html"
    done = CliRunner().invoke(cli, ["show", document.document_uuid, "--out", str(out)])
    assert done.exit_code == 0
    assert ("text only" in done.stderr) == gone
    assert out.read_text().count("data:image/webp;base64,") == (0 if gone else len(document.pages))


def test_a_label_or_a_word_narrows_what_is_shown(tab: Tab) -> None:
    kept = "[...document.querySelectorAll('#entities tr:not(.off)')].map(e => e.cells[0].textContent)"
    assert tab.value(kept) == ["Ann Lee", "Acme", "Bern"]
    tab.click("#legend [value=ORG]")
    assert tab.value(kept) == ["Acme"]
    assert tab.value("[...document.querySelectorAll('.box:not(.off)')].map(e => e.title)") == ["ORG: Acme"]
    tab.click("#legend [value=ORG]")
    find = "(e => { e.value = '%s'; e.dispatchEvent(new Event('input')); })(document.getElementById('find'))"
    tab.value(find % "works")
    assert tab.value(kept) == []
    hit = "\U0001f600 Ann Lee <works> for Acme.\nIn </script> Bern."
    assert tab.value("document.querySelector('#hits td:last-child').textContent") == hit
    tab.value(find % "bern")
    assert tab.value(kept) == ["Bern"]


def test_what_was_found_stands_above_how_it_went(tab: Tab) -> None:
    parts = tab.value("[...document.querySelectorAll('#detail [id]')].map(e => e.id)")
    assert parts == ["hits", "entities", "timeline"]


def test_a_printed_page_with_what_is_marked_on_it_fits_on_a_sheet(tab: Tab) -> None:
    tab.call("Emulation.setEmulatedMedia", media="print")
    width = tab.value("document.querySelector('.page').getBoundingClientRect().width * 2.54 / 96")
    assert 15 < width <= 16.01  # centimetres: of the height of A4 or Letter there remains some


CROWD = replace(
    DOCUMENT,
    entities=tuple(Entity(n, f"Somebody of a long name, {n}", "PERSON", (0,)) for n in range(40)),
    relations=tuple(Relation("KNOWS", n // 2, n, Evidence(2, 26, 1), 0.5) for n in range(1, 40)),
)


def test_no_two_names_or_types_of_the_graph_overlap(browser: str, tmp_path: Path) -> None:
    file = tmp_path / "crowd.html"
    file.write_text(to_html(CROWD, STATUS), encoding="utf-8")
    with driven(browser, file) as tab:
        boxes = tab.value(
            "[...document.querySelectorAll('#view text')].map(e => e.getBoundingClientRect())"
            ".map(r => [r.left, r.top, r.right, r.bottom])"
        )
    assert len(boxes) > 40  # every name, and types where there is room
    assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == []


def overlap(one: list[float], other: list[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_a_file_of_its_own_is_opened_in_the_browser(
    docpipe: Docpipe, note: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def started(address: str) -> bool:
        asked.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", started)
    uuid = docpipe("run", "--json", note).objects[0]["document_uuid"]
    done = docpipe("show", uuid, "--open", "--no-images")
    assert (done.code, done.out) == (0, "")
    file = Path(asked[0].removeprefix("file://"))
    assert "<h1>note.txt</h1>" in file.read_text()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    shutil.rmtree(file.parent)


def test_without_a_browser_the_file_is_named(
    docpipe: Docpipe, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    uuid = docpipe("run", "--json", note).objects[0]["document_uuid"]
    done = docpipe("show", uuid, "--open", "--no-images", "--out", tmp_path / "show.html")
    assert done.code != 0
    assert f"Open {tmp_path / 'show.html'} in one" in done.err
