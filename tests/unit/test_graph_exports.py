"""Every export is read back by a tool of its own format: nothing is lost, nothing twice."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from docpipe.errors import ConfigurationError, StoreUnavailableError
from docpipe.graph.exports import FORMATS, cypher, export
from docpipe.graph.exports.jsonld import VOCABULARY
from docpipe.graph.values import Graph, GraphEdge, GraphNode
from tests.needs import unavailable

if TYPE_CHECKING:
    from tests.bolt import BoltServer

SCHEMAS = Path(__file__).parents[1] / "schemas"
NASTY = (
    'O\'Neil \\ \\u0027 "x" <a>&amp; ]]> `t`; \n\r\t\x00\x01\x0c\x85\u2028\ufffe ü 漢 '
    "\u05e9\u05dc\u05d5\u05dd\u202e \U0001f600 {$id}, {{}} -- //"
)
GRAPH = Graph(
    (
        GraphNode("u", "Document", {"name": NASTY, "run": 1}),
        GraphNode("u/chunk:0", "Chunk", {"index": 0, "start": 0, "end": 9, "text": NASTY}),
        GraphNode("u/mention:0", "Mention", {"label": "PERSON", "score": 1, "x0": 72.25}),
        GraphNode("u/mention:1", "Mention", {"label": "ORG", "score": 0.5}),
        GraphNode("u/entity:0", "Entity", {"name": "Ann", "mentions": 2}),
        GraphNode("u/entity:1", "Entity", {"name": "Acme; 'Ltd'", "mentions": 1}),
    ),
    (
        GraphEdge("u/edge:0", "PART_OF", "u/chunk:0", "u"),
        GraphEdge("u/edge:1", "MENTIONS", "u/chunk:0", "u/mention:0"),
        GraphEdge(
            "u/relation:0", "WORK_FOR", "u/entity:0", "u/entity:1", {"start": 0, "end": 9, "score": 0.5}
        ),
        GraphEdge("u/relation:1", "WORK_FOR", "u/entity:0", "u/entity:1", {"start": 3, "end": 7, "score": 1}),
        GraphEdge("u/relation:2", "RELATED_TO", "u/entity:1", "u/entity:1", {"verb": "is"}),
    ),
)
COUNTS = (Counter(node.type for node in GRAPH.nodes), Counter(edge.type for edge in GRAPH.edges))
Read = Callable[[Path], tuple[Counter[str], Counter[str]]]


def read_json(path: Path) -> tuple[Counter[str], Counter[str]]:
    found = json.loads(path.read_text())
    return Counter(each["type"] for each in found["nodes"]), Counter(each["type"] for each in found["edges"])


def read_jsonl(path: Path) -> tuple[Counter[str], Counter[str]]:
    found = [json.loads(line) for line in path.read_text().split("\n") if line]
    kinds = {kind: Counter(e["type"] for e in found if e["kind"] == kind) for kind in ("node", "edge")}
    return kinds["node"], kinds["edge"]


def read_graphml(path: Path) -> tuple[Counter[str], Counter[str]]:
    import networkx

    network: Any = networkx.read_graphml(path)
    _schema("graphml").assertValid(etree.parse(path))
    nodes = Counter(type_ for _, type_ in network.nodes(data="type"))
    return nodes, Counter(type_ for _, _, type_ in network.edges(data="type"))


def read_gexf(path: Path) -> tuple[Counter[str], Counter[str]]:
    import networkx

    network: Any = networkx.read_gexf(path)
    _schema("gexf").assertValid(etree.parse(path))
    nodes = Counter(kind for _, kind in network.nodes(data="kind"))
    return nodes, Counter(kind for _, _, kind in network.edges(data="kind"))


def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMAS / f"{name}.xsd"))


def read_csv(path: Path) -> tuple[Counter[str], Counter[str]]:
    with (
        (path / "nodes.csv").open(newline="") as nodes,
        (path / "relationships.csv").open(newline="") as edges,
    ):
        return (
            Counter(row[":LABEL"] for row in csv.DictReader(nodes)),
            Counter(row[":TYPE"] for row in csv.DictReader(edges)),
        )


def read_cypher(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Each statement is parsed by a Cypher parser; what it merges is in its tree."""

    from graphglot.dialect.neo4j import Neo4j

    nodes: Counter[str] = Counter()
    edges: Counter[str] = Counter()
    for line in path.read_text().split(";\n")[:-1]:
        tree = Neo4j().parse(line)
        assert len(tree) == 1
        if line.startswith("MERGE"):
            nodes[line.split("`")[1]] += 1
        elif line.startswith("MATCH"):
            edges[line.split("MERGE (a)-[r:`")[1].split("`")[0]] += 1
    return nodes, edges


def read_jsonld(path: Path) -> tuple[Counter[str], Counter[str]]:
    import rdflib

    found = rdflib.Graph().parse(path, format="json-ld")
    types = Counter(
        str(kind).removeprefix(VOCABULARY) for _, _, kind in found.triples((None, rdflib.RDF.type, None))
    )
    statements = types.pop(str(rdflib.RDF.Statement), 0)
    predicates = Counter(
        str(kind).removeprefix(VOCABULARY) for _, _, kind in found.triples((None, rdflib.RDF.predicate, None))
    )
    assert statements == predicates.total()
    return types, predicates


READERS: dict[str, Read] = {
    "json": read_json,
    "jsonl": read_jsonl,
    "graphml": read_graphml,
    "gexf": read_gexf,
    "csv": read_csv,
    "cypher": read_cypher,
    "jsonld": read_jsonld,
}


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # rdflib's own reader makes one
@pytest.mark.parametrize("format_", FORMATS)
def test_an_export_is_read_back_whole_by_its_own_tool(format_: str, tmp_path: Path) -> None:
    export(GRAPH, format_, tmp_path / "graph")
    assert READERS[format_](tmp_path / "graph") == COUNTS


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
def test_an_empty_graph_is_a_valid_file(format_: str, tmp_path: Path) -> None:
    export(Graph(), format_, tmp_path / "graph")
    assert READERS[format_](tmp_path / "graph") == (Counter(), Counter())


def test_the_columns_of_an_empty_graph_are_named(tmp_path: Path) -> None:
    export(Graph(), "csv", tmp_path)
    assert (tmp_path / "nodes.csv").read_text().split() == ["id:ID,:LABEL"]
    assert (tmp_path / "relationships.csv").read_text().split() == ["id,:START_ID,:END_ID,:TYPE"]


def test_properties_come_back_as_they_were(tmp_path: Path) -> None:
    import networkx

    for format_ in ("json", "graphml", "gexf", "csv"):
        export(GRAPH, format_, tmp_path / format_)
    assert json.loads((tmp_path / "json").read_text())["nodes"][0]["properties"] == GRAPH.nodes[0].properties
    network: Any = networkx.read_graphml(tmp_path / "graphml")
    assert network.nodes["u.mention:0"] == {"type": "Mention", "label": "PERSON", "score": 1.0, "x0": 72.25}
    relation = {"start_offset": 0, "end_offset": 9, "score": 0.5}
    assert network.edges["u.entity:0", "u.entity:1", "u.relation:0"] == {"type": "WORK_FOR"} | relation
    network = networkx.read_gexf(tmp_path / "gexf")
    assert network.nodes["u/mention:0"] == {
        "kind": "Mention", "label": "u/mention:0", "entity_label": "PERSON", "score": 1.0, "x0": 72.25,
    }  # fmt: skip
    found = network.edges["u/entity:0", "u/entity:1", "u/relation:0"]
    assert found == {"kind": "WORK_FOR", "id": "u/relation:0"} | relation
    with (tmp_path / "csv" / "nodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["name"], rows[2]["score:double"], rows[2]["x0:double"]) == (NASTY, "1", "72.25")


def test_cypher_strings_stand_for_the_text(tmp_path: Path) -> None:
    written = cypher.literal(NASTY)
    assert "\n" not in written
    plain = written[1:-1].replace("\\'", "'").replace('"', '\\"')
    assert json.loads(f'"{plain}"') == NASTY
    assert [cypher.literal(value) for value in (True, 3, 0.5)] == ["true", "3", "0.5"]
    assert cypher.name("a`b") == "`a``b`"
    assert cypher.name(r"a\u0060b") == "`a_u0060b`"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoltServer]:
    from tests.bolt import bolt_server
    from tests.stack.server import StackError

    try:
        with bolt_server(tmp_path_factory.mktemp("bolt")) as started:
            yield started
    except StackError as error:
        unavailable(str(error))


@pytest.fixture
def bolt(server: BoltServer) -> BoltServer:
    """A database without nodes, behind Neo4j's protocol."""
    server.clear()
    return server


WHOLE = {node.id: {"id": node.id, **node.properties} for node in GRAPH.nodes}
WHOLE |= {edge.id: {"id": edge.id, **edge.properties} for edge in GRAPH.edges}


def test_a_database_runs_the_cypher_twice_and_has_everything_once(bolt: BoltServer) -> None:
    for _ in range(2):
        bolt.run_all(cypher.statements(GRAPH))
        assert (bolt.counts(), bolt.properties()) == (COUNTS, WHOLE)


def test_a_server_is_given_everything_once_however_often(
    bolt: BoltServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docpipe.graph import neo4j

    for batch in (1, 2, 1000):
        monkeypatch.setattr(neo4j, "BATCH", batch)
        neo4j.load(GRAPH, bolt.url, auth=bolt.auth, database=bolt.database)
        assert (bolt.counts(), bolt.properties()) == (COUNTS, WHOLE)


def test_a_server_that_refuses_the_user_is_a_matter_of_settings(bolt: BoltServer) -> None:
    from docpipe.graph import neo4j

    with pytest.raises(ConfigurationError, match="refuses the user"):
        neo4j.load(GRAPH, bolt.url, auth=("root", "wrong"), database=bolt.database)


def test_neo4j_is_given_every_node_and_edge_once_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphglot.dialect.neo4j import Neo4j

    from docpipe.graph import neo4j

    monkeypatch.setattr(neo4j, "BATCH", 1)
    statements = list(neo4j.statements(GRAPH))
    for statement, _ in statements:
        assert len(Neo4j().parse(statement)) == 1
    ids = [row["id"] for _, rows in statements for row in rows]
    assert sorted(ids) == sorted([*(node.id for node in GRAPH.nodes), *(edge.id for edge in GRAPH.edges)])
    assert max(len(rows) for _, rows in statements) == 1


def test_a_neo4j_that_is_away_is_said_to_be() -> None:
    from docpipe.graph import neo4j

    with pytest.raises(StoreUnavailableError, match=r"bolt://127\.0\.0\.1:1"):
        neo4j.load(GRAPH, "bolt://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="gopher"):
        neo4j.load(GRAPH, "gopher://x")


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="dot"):
        export(GRAPH, "dot", tmp_path / "graph")


FORMULAS = (
    *("=1+1", "+41 44 123", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", " =1", "\xa0\u3000@x"),
    *("\ufeff=1", "\u200b-1", "\u202e+1", "\x0b=1", "\0=1"),
)


@pytest.mark.parametrize("formula", FORMULAS, ids=ascii)
def test_a_spreadsheet_runs_no_text_as_a_formula(formula: str, tmp_path: Path) -> None:
    properties: dict[str, str | int | float] = {"name": formula, "x": -5, "score": -0.5, "plain": "a=1"}
    export(Graph((GraphNode(formula, formula, properties),), ()), "csv", tmp_path)
    with (tmp_path / "nodes.csv").open(encoding="utf-8", newline="") as file:
        _, row = csv.reader(file)
    assert row == [f"'{formula}", f"'{formula}", f"'{formula}", "-5", "-0.5", "a=1"]
