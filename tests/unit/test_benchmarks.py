"""The benchmarks' own arithmetic and pages; what they measure is never tested."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import growth_rows, startup
from benchmarks.mistakes import counted, mistakes, shown
from benchmarks.pages import generated, of_corpus
from benchmarks.report import features, scatter
from benchmarks.scores import Score, score, total
from benchmarks.thousand import Costs, Load, simulate
from docpipe.stores.sqlite.store import SqliteStore


def test_a_perfect_text_has_no_errors_whatever_its_quotes_dashes_and_line_breaks() -> None:
    found = score("“One” – two\nthree", '"One" - two three')
    assert (found.cer, found.wer, found.word_f1, found.space_recall) == (0, 0, 1, 1)


def test_errors_are_counted_by_the_length_of_the_truth() -> None:
    found = score("one two three", "one tvo")
    assert found.cer == pytest.approx(7 / 13)
    assert found.wer == pytest.approx(2 / 3)
    assert found.word_f1 == pytest.approx(2 / 5)


def test_glued_words_lose_their_space() -> None:
    assert score("one two three", "onetwo three").space_recall == 0.5


def test_word_f1_does_not_ask_for_the_order() -> None:
    assert score("a b c", "c a b").word_f1 == 1


def test_nothing_read_is_all_lost_and_nothing_there_is_no_error() -> None:
    assert (score("a b", "").cer, score("a b", "").word_f1, score("", "").cer) == (1, 0, 0)


def test_pages_are_summed_and_not_averaged() -> None:
    assert total([Score(characters=90, character_edits=9), Score(characters=10)]).cer == 0.09
    assert total([]) == Score()


@pytest.mark.parametrize(
    ("truth", "text", "kinds"),
    [
        ("one two", "two one", {}),
        ("the same day", "thesame day", {"words joined": 1}),
        ("another day", "an other day", {"word parted": 1}),
        ("Total 1X", "TOTAL 1x", {"case alone": 2}),
        ("off, he said", "off; he said", {"signs alone": 1}),
        ("une tête", "une tete", {"accents alone": 1}),
        ("l'orgue 166o", "1'orgue 1660", {"letter taken for a digit": 2}),
        ("hidden away", "bidden away", {"one letter": 1}),
        ("Measurements of", "Bleasurements of", {"several letters": 1}),
        ("signed Smith", "signed", {"not read": 1}),
        ("signed", "signed @@", {"not there": 1}),
    ],
)
def test_a_mistake_has_the_first_kind_that_fits(truth: str, text: str, kinds: dict[str, int]) -> None:
    assert +mistakes(truth, text) == kinds


def test_each_set_has_a_column_of_kinds() -> None:
    found = counted([("a", "one two", "one"), ("b", "x", "x"), ("a", "three", "Three")])
    assert {name: +each for name, each in found.items()} == {
        "a": {"words": 3, "not read": 1, "case alone": 1},
        "b": {"words": 1},
    }
    assert shown(found).splitlines()[2] == "| words | 3 | 1 |"


def test_the_machine_is_named_by_what_makes_multiplying_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    assert features("") == ""
    assert features("flags : fpu avx2 avx512f avx512_vnni") == " (has AVX2, AVX-512, AVX-512 VNNI; lacks AMX)"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert features("avx2") == " (has AVX2; lacks AVX-512, AVX-512 VNNI, AMX; oneDNN kept to AVX2)"


def test_speed_and_accuracy_are_drawn_as_points_with_their_names() -> None:
    drawn = scatter("Both", [("ours", 2, 0.99), ("theirs", 1, 0.9)], "pages/s", "word F1")
    assert drawn.count("<circle") == 2
    assert "ours (2.00, 0.9900)" in drawn
    assert scatter("None", [], "", "").startswith("<svg")


def test_a_corpus_gives_pages_spread_over_each_set(tmp_path: Path) -> None:
    for name in ("ocr_a", "ocr_b", "other"):
        home = tmp_path / name
        home.mkdir()
        rows = [{"id": str(n), "image": f"{n}.png", "gt": f"{n}.gt.txt", "dpi": 300} for n in range(4)]
        (home / "open.jsonl").write_text("\n".join(map(json.dumps, rows)))
        for n in range(4):
            (home / f"{n}.gt.txt").write_text(f"page {n}")
    found = [(page.set, page.truth, page.dpi) for page in of_corpus(tmp_path, (), 2)]
    assert found == [(name, text, 300) for name in ("ocr_a", "ocr_b") for text in ("page 0", "page 2")]
    assert len(list(of_corpus(tmp_path, ["other"], 0))) == 4


def test_generated_pages_are_the_same_every_time_and_carry_their_resolution(tmp_path: Path) -> None:
    first, again = (list(generated(tmp_path, 2)) for _ in range(2))
    assert first == again
    with Image.open(first[0].path) as sheet:
        assert sheet.size == (1654, 2338)
        assert sheet.info["dpi"] == pytest.approx((200, 200), rel=0.01)


def test_many_documents_are_made_in_the_ratio_that_is_told(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "many.db")
    with store._transaction() as db:
        for statement in growth_rows.inserts(growth_rows.SQLITE, 200):
            db.execute(statement)
    counts = {each.status: 0 for each in store.statistics().documents}
    for each in store.statistics().documents:
        counts[str(each.status)] += each.documents
    assert counts == {"completed": 180, "error_ocr": 2, "ocr_queued": 18}
    assert store.keys("large", limit=1) == ["ORG company 10"]
    store.close()


@pytest.mark.parametrize(("workers", "expected"), [(1, 1 / 1.038), (1_000, 1 / 0.008)])
def test_a_simulated_fleet_is_as_quick_as_its_work_or_as_the_service_that_is_full(
    workers: int, expected: float
) -> None:
    load, costs = Load("pages", 1, 1.0), Costs(postgres=0.008, redis=0.001)
    found = simulate(workers, load, costs, cores=1, stages=40_000)
    assert found.documents_per_second == pytest.approx(expected, rel=0.05)
    assert found.postgres == pytest.approx(expected * 0.008, rel=0.05)


def test_a_start_is_measured_with_bytecode_where_the_image_forbids_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    forbidden = (sys.executable, "-S", "-c", "import sys; sys.exit(sys.dont_write_bytecode)")
    assert startup.cost(forbidden).seconds > 0
