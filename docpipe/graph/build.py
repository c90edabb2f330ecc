"""A document as nodes and edges."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from docpipe.graph.values import Graph, GraphEdge, GraphNode, ProjectEntity, Scalar
from docpipe.models import (
    Box,
    Chunk,
    Document,
    Edge,
    Entity,
    Fact,
    FactType,
    Mention,
    Page,
    PageBox,
    Relation,
)


def graph_of(document: Document) -> Graph:
    """The whole graph of one document."""
    nodes = (document_node(document), *_parts(document))
    uuid = document.document_uuid
    structure = (structural_edge(uuid, index, edge) for index, edge in enumerate(document.edges))
    relations = (relation_edge(uuid, index, each) for index, each in enumerate(document.relations))
    stated = document.facts.listed() if document.facts else ()
    facts = (edge for index, each in enumerate(stated) for edge in fact_edges(uuid, index, each))
    return Graph(nodes, (*structure, *relations, *facts))


def _parts(document: Document) -> Iterator[GraphNode]:
    uuid = document.document_uuid
    yield from (page_node(uuid, page) for page in document.pages)
    yield from (chunk_node(uuid, chunk) for chunk in document.chunks)
    yield from (mention_node(uuid, mention) for mention in document.mentions)
    yield from (entity_node(uuid, entity) for entity in document.entities)


def node_id(document_uuid: str, node: str) -> str:
    """The id of a node of a document (`document`, `page:1`, …) among all documents."""
    return document_uuid if node == "document" else f"{document_uuid}/{node}"


def entity_id(document_uuid: str, index: int) -> str:
    return node_id(document_uuid, f"entity:{index}")


def document_node(document: Document) -> GraphNode:
    head = {
        "name": document.name,
        "project_id": document.project_id,
        "run": document.run,
        "status": str(document.status),
        "file_type": document.file_type,
    }
    if document.facts:
        head |= {"kind": document.facts.kind.value, "title": document.facts.title}
    return GraphNode(document.document_uuid, "Document", _known(head))


def page_node(uuid: str, page: Page) -> GraphNode:
    return GraphNode(f"{uuid}/page:{page.number}", "Page", _scalars(page))


def chunk_node(uuid: str, chunk: Chunk) -> GraphNode:
    return GraphNode(f"{uuid}/chunk:{chunk.index}", "Chunk", _scalars(chunk) | _places(chunk.boxes))


def mention_node(uuid: str, mention: Mention) -> GraphNode:
    properties = _scalars(mention) | _corners(mention.box) | _places(mention.boxes)
    return GraphNode(f"{uuid}/mention:{mention.index}", "Mention", properties)


def entity_node(uuid: str, entity: Entity) -> GraphNode:
    properties = _scalars(entity) | {"mentions": len(entity.mentions)}
    return GraphNode(entity_id(uuid, entity.index), "Entity", properties)


def project_entity_node(entity: ProjectEntity) -> GraphNode:
    properties: dict[str, Scalar] = {"name": entity.name, "label": entity.label}
    properties |= {"documents": entity.documents, "mentions": entity.mentions}
    return GraphNode(f"project-entity:{entity.id}", "ProjectEntity", properties)


def same_as(entity: ProjectEntity) -> Iterator[GraphEdge]:
    """From the entities of documents to what they are in their project."""
    for member in entity.members:
        yield GraphEdge(f"{member}/same-as", "SAME_AS", member, f"project-entity:{entity.id}")


def structural_edge(uuid: str, index: int, edge: Edge) -> GraphEdge:
    source, target = node_id(uuid, edge.source), node_id(uuid, edge.target)
    return GraphEdge(f"{uuid}/edge:{index}", edge.type, source, target)


def relation_edge(uuid: str, index: int, relation: Relation) -> GraphEdge:
    """A typed relation, with its evidence."""
    properties = _scalars(relation) | _scalars(relation.evidence) | _places(relation.evidence.boxes)
    ends = (entity_id(uuid, relation.source), entity_id(uuid, relation.target))
    for name in ("type", "source", "target"):
        del properties[name]
    return GraphEdge(f"{uuid}/relation:{index}", relation.type, *ends, properties)


def fact_edges(uuid: str, index: int, fact: Fact) -> Iterator[GraphEdge]:
    """From the document to the entity that a fact names, if any; `IS` to the one that it is itself."""
    if fact.entity is not None:
        properties = _scalars(fact) | _scalars(fact.evidence) | _places(fact.evidence.boxes)
        for name in ("type", "entity", "holder"):
            properties.pop(name, None)
        kind = "IS" if fact.type is FactType.KIND else fact.type.value
        yield GraphEdge(f"{uuid}/fact:{index}", kind, uuid, entity_id(uuid, fact.entity), properties)


def _scalars(value: Any) -> dict[str, Scalar]:
    """The fields of a model that are a single value and known."""
    return _known({field.name: getattr(value, field.name) for field in fields(value)})


def _known(values: dict[str, Any]) -> dict[str, Scalar]:
    plain = {name: str(value) if isinstance(value, str) else value for name, value in values.items()}
    return {
        name: value for name, value in plain.items() if isinstance(value, str | int | float) and value != ""
    }


def _corners(box: Box | None) -> dict[str, Scalar]:
    return {} if box is None else dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))


def _places(boxes: Sequence[Box | PageBox]) -> dict[str, Scalar]:
    return {"boxes": json.dumps(boxes)} if boxes else {}
