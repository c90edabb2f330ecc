"""A graph into a running Neo4j, over Bolt. Needs `docpipe-celery[neo4j]`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from neo4j import Driver, GraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError, ServiceUnavailable

from docpipe.errors import ConfigurationError, DocpipeError, StoreUnavailableError
from docpipe.graph.exports.cypher import constraint, name
from docpipe.graph.values import Graph, GraphEdge, GraphNode

BATCH = 1000
"""Nodes or edges of one statement."""

Statement = tuple[str, list[dict[str, Any]]]


def load(graph: Graph, url: str, *, auth: tuple[str, str] | None = None, database: str | None = None) -> None:
    """Merge the graph into a database; loading it again changes nothing.

    Args:
        url: `neo4j://host`, `bolt://host`, or with `+s` for TLS.
        auth: user and password.
        database: the server's default if not given.

    Raises:
        StoreUnavailableError: the server cannot be reached, or asks to try again.
        ConfigurationError: it refuses the user, or a statement.
    """
    try:
        with GraphDatabase.driver(url, auth=auth) as driver:
            driver.verify_connectivity()  # execute_query would try for half a minute
            _load(driver, graph, database)
    except (Neo4jError, DriverError, ValueError) as error:
        raise _translated(error, url) from error


def _load(driver: Driver, graph: Graph, database: str | None) -> None:
    for statement, rows in statements(graph):
        driver.execute_query(statement, {"rows": rows}, database_=database)


def statements(graph: Graph) -> Iterator[Statement]:
    """Parametrised statements with their rows: constraints, nodes by type, edges by type and their ends'."""
    types = {node.id: node.type for node in graph.nodes}
    yield from ((constraint(type_), []) for type_ in sorted(set(types.values())))
    nodes: dict[str, list[GraphNode]] = defaultdict(list)
    for node in graph.nodes:
        nodes[node.type].append(node)
    for type_, some in nodes.items():
        yield from _batches(_merge_nodes(type_), [_node_row(node) for node in some])
    edges: dict[tuple[str, str, str], list[GraphEdge]] = defaultdict(list)
    for edge in graph.edges:
        edges[types[edge.source], edge.type, types[edge.target]].append(edge)
    for key, found in edges.items():
        yield from _batches(_merge_edges(*key), [_edge_row(edge) for edge in found])


def _merge_nodes(type_: str) -> str:
    return f"UNWIND $rows AS row MERGE (n:{name(type_)} {{id: row.id}}) SET n += row.properties"


def _merge_edges(source: str, type_: str, target: str) -> str:
    return (
        f"UNWIND $rows AS row MATCH (a:{name(source)} {{id: row.source}}) "
        f"MATCH (b:{name(target)} {{id: row.target}}) "
        f"MERGE (a)-[r:{name(type_)} {{id: row.id}}]->(b) SET r += row.properties"
    )


def _node_row(node: GraphNode) -> dict[str, Any]:
    return {"id": node.id, "properties": dict(node.properties)}


def _edge_row(edge: GraphEdge) -> dict[str, Any]:
    ends = {"source": edge.source, "target": edge.target}
    return {"id": edge.id, "properties": dict(edge.properties)} | ends


def _batches(statement: str, rows: Sequence[dict[str, Any]]) -> Iterator[Statement]:
    for start in range(0, len(rows), BATCH):
        yield statement, list(rows[start : start + BATCH])


def _translated(error: Exception, url: str) -> DocpipeError:
    if isinstance(error, ServiceUnavailable) or getattr(error, "is_retryable", lambda: False)():
        return StoreUnavailableError(f"Neo4j at {url} cannot be reached: {error}.")
    if isinstance(error, AuthError):
        return ConfigurationError(f"Neo4j at {url} refuses the user: {error}.")
    return ConfigurationError(f"Neo4j at {url} refuses the graph: {error}.")
