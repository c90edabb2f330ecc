"""What stages made, to rows and back: pages, chunks, mentions, entities, relations, edges, facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from docpipe.models import (
    Child,
    Chunk,
    Edge,
    Entity,
    Evidence,
    Fact,
    Facts,
    FactType,
    Mention,
    Merge,
    Method,
    NewChild,
    Page,
    Relation,
    StageOutput,
    Vector,
)
from docpipe.stores.row_places import box_of, boxes_of, line_of, line_row, page_boxes_of
from docpipe.stores.values import Part

Row = dict[str, Any]


def page_row(page: Page) -> Row:
    return {
        "number": page.number,
        "start_offset": page.start,
        "end_offset": page.end,
        "width": page.width,
        "height": page.height,
        "method": page.method.value,
        "reason": page.reason,
        "confidence": page.confidence,
        "part": page.part,
        "lines": [line_row(line) for line in page.lines],
    }


def page_of(row: Mapping[str, Any]) -> Page:
    return Page(
        number=row["number"],
        start=row["start_offset"],
        end=row["end_offset"],
        width=row["width"],
        height=row["height"],
        method=Method(row["method"]),
        lines=tuple(line_of(line) for line in row["lines"]),
        reason=row["reason"],
        confidence=row["confidence"],
        part=row["part"],
    )


def chunk_row(chunk: Chunk) -> Row:
    return {
        "index": chunk.index,
        "start_offset": chunk.start,
        "end_offset": chunk.end,
        "page_from": chunk.page_from,
        "page_to": chunk.page_to,
        "text": chunk.text,
        "boxes": chunk.boxes,
    }


def chunk_of(row: Mapping[str, Any]) -> Chunk:
    return Chunk(
        row["index"],
        row["start_offset"],
        row["end_offset"],
        row["page_from"],
        row["page_to"],
        row["text"],
        page_boxes_of(row["boxes"]),
    )


def vector_row(vector: Vector) -> Row:
    return {
        "index": vector.index,
        "chunk": vector.chunk,
        "start_offset": vector.start,
        "end_offset": vector.end,
        "page": vector.page,
        "model": vector.model,
        "vector": list(vector.values),
    }


def mention_row(mention: Mention) -> Row:
    row = asdict(mention)
    row["start_offset"] = row.pop("start")
    row["end_offset"] = row.pop("end")
    return row


def mention_of(row: Mapping[str, Any]) -> Mention:
    return Mention(
        index=row["index"],
        text=row["text"],
        label=row["label"],
        start=row["start_offset"],
        end=row["end_offset"],
        page=row["page"],
        box=box_of(row["box"]),
        score=row["score"],
        source=row["source"],
        chunk=row["chunk"],
        value=row["value"],
        boxes=boxes_of(row["boxes"]),
    )


def entity_row(entity: Entity) -> Row:
    merges = [[merge.rule, merge.score, *merge.mentions] for merge in entity.merges]
    return asdict(entity) | {"mentions": list(entity.mentions), "merges": merges}


def entity_of(row: Mapping[str, Any]) -> Entity:
    merges = (Merge(rule, score, (one, other)) for rule, score, one, other in row["merges"] or ())
    return Entity(row["index"], row["name"], row["label"], tuple(row["mentions"]), tuple(merges))


def _evidence_of(row: Mapping[str, Any]) -> Evidence:
    return Evidence(row["start_offset"], row["end_offset"], row["page"], page_boxes_of(row["boxes"]))


def relation_of(row: Mapping[str, Any]) -> Relation:
    said = row["verb"] or "", row["count"] or 1
    return Relation(row["type"], row["source"], row["target"], _evidence_of(row), row["score"], *said)


def relation_row(index: int, relation: Relation) -> Row:
    return {
        "index": index,
        "type": relation.type,
        "source": relation.source,
        "target": relation.target,
        "start_offset": relation.evidence.start,
        "end_offset": relation.evidence.end,
        "page": relation.evidence.page,
        "score": relation.score,
        "verb": relation.verb,
        "count": relation.count,
        "boxes": relation.evidence.boxes,
    }


def edge_row(index: int, edge: Edge) -> Row:
    return {"index": index} | asdict(edge)


def edge_of(row: Mapping[str, Any]) -> Edge:
    return Edge(row["type"], row["source"], row["target"])


def fact_row(index: int, fact: Fact) -> Row:
    row = asdict(fact) | {"index": index, "type": fact.type.value}
    place = row.pop("evidence")
    spans = {"start_offset": place["start"], "end_offset": place["end"], "page": place["page"]}
    return row | spans | {"boxes": place["boxes"]}


def fact_of(row: Mapping[str, Any]) -> Fact:
    return Fact(
        type=FactType(row["type"]),
        text=row["text"],
        evidence=_evidence_of(row),
        score=row["score"],
        role=row["role"],
        value=row["value"],
        entity=row["entity"],
        holder=row["holder"],
    )


def child_row(index: int, child: NewChild) -> Row:
    row = asdict(child)
    row["source_uri"] = row.pop("uri")
    return {"index": index} | row


def child_of(row: Mapping[str, Any]) -> Child:
    return Child(row["name"], row["file_type"], row["size"], row["child_uuid"])


def _each(make: Callable[[int, Any], Row], items: Iterable[Any]) -> list[Row]:
    return [make(index, item) for index, item in enumerate(items)]


def child_rows(children: Sequence[NewChild]) -> list[Row]:
    return _each(child_row, children)


def result_rows(output: StageOutput) -> dict[str, list[Row]]:
    """Table name (without prefix) to rows, for the results that this stage makes."""
    rows: dict[str, list[Row]] = {}
    if output.pages is not None:
        rows["pages"] = [page_row(page) for page in output.pages]
    if output.chunks is not None:
        rows["chunks"] = [chunk_row(chunk) for chunk in output.chunks]
    if output.vectors is not None:
        rows["vectors"] = [vector_row(vector) for vector in output.vectors]
    if output.mentions is not None:
        rows["mentions"] = [mention_row(mention) for mention in output.mentions]
    if output.entities is not None:
        rows["entities"] = [entity_row(entity) for entity in output.entities]
    if output.relations is not None:
        rows["relations"] = _each(relation_row, output.relations)
    if output.edges is not None:
        rows["edges"] = _each(edge_row, output.edges)
    if output.facts is not None:
        rows["facts"] = _each(fact_row, output.facts.listed())
    if output.children is not None:
        rows["children"] = child_rows(output.children)
    return rows


VALUE_OF: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "pages": page_of,
    "chunks": chunk_of,
    "mentions": mention_of,
    "entities": entity_of,
    "relations": relation_of,
    "edges": edge_of,
    "facts": fact_of,
    "children": child_of,
}
"""By the part of a document (`port.Part`)."""


def parts_of(table: Callable[[Part], Iterable[Mapping[str, Any]]]) -> dict[str, Any]:
    """The fields of a `Document` that are results, each from the rows that `table` gives for it."""
    fields = {part: tuple(map(make, table(Part(part)))) for part, make in VALUE_OF.items()}
    return fields | {"facts": Facts.of(list(fields["facts"]))}
