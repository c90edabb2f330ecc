"""A document of many pages, each full of names."""

from __future__ import annotations

from docpipe.models import Entity, Evidence, Mention, Method, Page, Ref, Relation, StageOutput
from docpipe.stores.port import Store
from tests.contract.test_store import new, run_stage

LABELS = ("PERSON", "ORG", "DATE")


def outputs(pages: int, names: int) -> dict[str, StageOutput]:
    """By stage. One name is on each page, the others on one; it is related to all on odd pages."""
    listed: list[Page] = []
    mentions: list[Mention] = []
    start = 0
    for number in range(1, pages + 1):
        words = ["Everywhere", *(f"Name-{number}-{each}" for each in range(1, names))]
        place = start
        for word in words:
            index, end = len(mentions), place + len(word)
            label = LABELS[index % 3] if word != "Everywhere" else "ORG"
            mentions.append(Mention(index, word, label, place, end, number, None, 1.0, "test", 0))
            place = end + 1
        listed.append(Page(number, start, place - 1, None, None, Method.TEXT))
        start = place
    everywhere = Entity(0, "Everywhere", "ORG", tuple(range(0, len(mentions), names)))
    others = [each for each in mentions if each.text != "Everywhere"]
    entities = [
        everywhere,
        *(Entity(n, each.text, each.label, (each.index,)) for n, each in enumerate(others, 1)),
    ]
    relations = [
        Relation("RELATED_TO", 0, n, Evidence(each.start, each.end, each.page), 0.5, "knows", n)
        for n, each in enumerate(others, 1)
        if each.page % 2
    ]
    text = " ".join(each.text for each in mentions)
    return {
        "ocr": StageOutput(text=text, pages=tuple(listed), file_type="text/plain"),
        "chunk": StageOutput(chunks=()),
        "entities": StageOutput(mentions=tuple(mentions)),
        "graph": StageOutput(entities=tuple(entities), relations=tuple(relations), edges=()),
    }


def dense(store: Store, pages: int, names: int) -> Ref:
    """It, completed."""
    ref = store.register(new()).ref
    for stage, output in outputs(pages, names).items():
        run_stage(store, ref, stage, output)
    return ref
