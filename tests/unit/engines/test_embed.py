"""The engines that turn text into vectors, and the stage that asks them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docpipe_embeddings
import httpx2
import pytest

from docpipe.engines import load_embed
from docpipe.engines.embed.onnx_encoder import OnnxEncoder
from docpipe.errors import ConfigurationError, RateLimitedError, TransientError
from docpipe.execution.options import Options
from docpipe.execution.plan import CHUNK, EMBED, OCR, WITH_EMBED, checked
from docpipe.models import Chunk
from docpipe.pipeline.pipeline import Pipeline
from docpipe.pipeline.settings import Settings
from docpipe.stages.embed import embed_chunks
from docpipe.stores import open_store

if TYPE_CHECKING:
    import openai

MODEL = Path(docpipe_embeddings.__file__).parent / "model"


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    return OnnxEncoder()


def near(encoder: OnnxEncoder, one: str, other: str) -> float:
    a, b = encoder.embed([one, other])
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_texts_that_mean_alike_are_near(encoder: OnnxEncoder) -> None:
    late = "The Supplier shall pay liquidated damages for each day of delay."
    assert near(encoder, late, late) == pytest.approx(1.0, abs=1e-5)
    assert near(encoder, late, "who pays when it is delivered late") > 0.35
    assert near(encoder, late, "The cat sleeps on the warm roof.") < 0.15


def test_it_is_the_model_it_says(encoder: OnnxEncoder) -> None:
    """The first values that its authors' own code gives for this sentence."""
    (vector,) = encoder.embed(["This is an example sentence"])
    assert len(vector) == 384
    assert vector[:3] == pytest.approx([0.0677, 0.0635, 0.0487], abs=0.03)


def test_a_text_has_the_same_vector_whatever_stands_beside_it(encoder: OnnxEncoder) -> None:
    first, *_ = encoder.embed(["one", "two " * 600, ""])
    assert first == next(encoder.embed(["one"]))


def test_a_model_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{}")
    monkeypatch.setattr("docpipe.engines.embed.onnx_encoder.files", lambda package: tmp_path)
    with pytest.raises(ConfigurationError, match=r"not the one.*docpipe-embeddings==1\.0\.0"):
        OnnxEncoder()
    with pytest.raises(ConfigurationError, match="DOCPIPE_EMBED_MODEL"):
        OnnxEncoder(str(tmp_path))


def test_chunks_are_cut_to_what_the_engine_reads_and_words_are_joined() -> None:
    asked: list[str] = []

    class Notes:
        name, max_characters = "notes@1", 22

        def embed(self, texts: Sequence[str]) -> Iterator[list[float]]:
            asked.extend(texts)
            yield from ([3.0, 4.0] for _ in texts)

    text = "A sentence first.\n\nThe agree-\nment ends."
    output = embed_chunks([Chunk(5, 100, 100 + len(text), 1, 1, text)], (), Notes())
    assert asked == ["A sentence first.", "The agreement ends."]
    assert output.vectors is not None
    assert [(each.index, each.chunk, each.start) for each in output.vectors] == [(0, 5, 100), (1, 5, 119)]
    assert output.vectors[0].values == (0.6, 0.8)


def served(monkeypatch: pytest.MonkeyPatch, answer: httpx2.Response) -> list[dict[str, Any]]:
    """What an engine asks of a server that gives this answer."""
    import openai  # a second's work, which no run need do that only collects this module

    asked: list[dict[str, Any]] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content))
        return answer

    client = openai.OpenAI

    def made(**settings: Any) -> openai.OpenAI:
        return client(**settings | {"http_client": httpx2.Client(transport=httpx2.MockTransport(handle))})

    monkeypatch.setattr(openai, "OpenAI", made)
    return asked


def answering(*vectors: list[float]) -> httpx2.Response:
    data = [{"object": "embedding", "index": n, "embedding": each} for n, each in enumerate(vectors)]
    return httpx2.Response(200, json={"object": "list", "model": "m", "data": data[::-1], "usage": {}})


def test_a_server_is_asked_for_several_at_once_and_its_answers_are_put_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = served(monkeypatch, answering([1.0, 0.0], [0.0, 1.0]))
    engine = load_embed("openai", model="m", api_key="k", at_once=2)
    assert list(engine.embed(["a", "b"])) == [[1.0, 0.0], [0.0, 1.0]]
    assert (asked[0]["input"], asked[0]["model"], engine.name) == (["a", "b"], "m", "openai:m")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answering([1.0]), TransientError),
        (httpx2.Response(429, json={}), RateLimitedError),
        (httpx2.Response(503, json={}), TransientError),
        (httpx2.Response(401, json={}), ConfigurationError),
    ],
    ids=["short", "429", "503", "401"],
)
def test_what_a_server_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: httpx2.Response, error: type[Exception]
) -> None:
    served(monkeypatch, answer)
    with pytest.raises(error, match="openai:m"):
        list(load_embed("openai", model="m", api_key="k", max_retries=0).embed(["a", "b"]))


def test_a_key_and_a_model_are_needed_for_a_server() -> None:
    with pytest.raises(ConfigurationError, match="DOCPIPE_EMBED_KEY"):
        load_embed("openai", model="m")
    with pytest.raises(ConfigurationError, match="DOCPIPE_EMBED_MODEL"):
        load_embed("openai", api_key="k")


def test_settings_name_the_engine_and_hide_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().options().embed_engine is None
    monkeypatch.setenv("DOCPIPE_EMBED_ENGINE", "openai")
    monkeypatch.setenv("DOCPIPE_EMBED_MODEL", "m")
    monkeypatch.setenv("DOCPIPE_EMBED_KEY", "very-secret")
    monkeypatch.setenv("DOCPIPE_EMBED_OPTIONS__BASE_URL", "http://there/v1")
    options = Settings().options()
    assert options.embed_options.keys() == {"model", "api_key", "base_url"}
    assert "very-secret" not in repr(options) + str(Settings().masked())


def test_the_stage_stands_last_and_only_where_an_engine_is_set(tmp_path: Path) -> None:
    store = open_store(f"sqlite://{tmp_path / 'd.db'}")
    assert EMBED not in Pipeline(store=store).stages
    assert Pipeline(store=store, options=Options(embed_engine="docpipe")).stages == WITH_EMBED
    with pytest.raises(ConfigurationError, match="after chunk"):
        checked((OCR, EMBED, CHUNK))
    with pytest.raises(ConfigurationError, match="DOCPIPE_EMBED_ENGINE"):
        Pipeline(store=store).search_text("a", by="meaning")


def test_a_document_is_found_by_a_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = tmp_path / "note.txt"
    note.write_text("The parties met.\n\nThe Supplier shall pay liquidated damages for each day of delay.")
    options = Options(embed_engine="docpipe", isolate=False)
    pipeline = Pipeline(
        store=open_store(f"sqlite://{tmp_path / 'd.db'}"), stages=(OCR, CHUNK, EMBED), options=options
    )
    pipeline.process(note)
    for by in ("meaning", "hybrid"):
        (passage,) = pipeline.search_text("who pays if it comes late?", by=by)
        assert "liquidated damages" in passage.snippet
    assert pipeline.search_text("who pays if it comes late?") == []
