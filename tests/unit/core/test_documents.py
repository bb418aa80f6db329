"""Documents: what is exported comes back equal; what is malformed is refused with every place of a fault."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from workflows_core.domain.document_shape import shape_problems
from workflows_core.domain.documents import FORMAT, export_graph, import_graph
from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    Join,
    MachineNode,
    Node,
    NodeKind,
    SignalNode,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.problems import Problem
from workflows_core.domain.types import Outcome
from workflows_core.domain.validation.view import back_edges_of
from workflows_core.errors import InvalidDefinitionError

DOCUMENT: dict[str, Any] = {
    "format": FORMAT,
    "name": "orders",
    "version": "1.0",
    "nodes": {
        "review": {"name": "review", "kind": {"type": "human", "title": "Review", "due_s": 60}},
        "choose": {"name": "choose", "kind": {"type": "gateway", "kind": "exclusive"}},
        "publish": {"name": "publish", "kind": {"type": "machine", "catalogue": "http", "config": {"retries": 3}}},
    },
    "edges": [
        {"source": "review", "target": "choose"},
        {"source": "choose", "target": "publish", "condition": "approved"},
        {"source": "choose", "target": "review", "default": True},
    ],
    "initial": "review",
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The document with another value at a JSON pointer."""
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    *way, last = path.strip("/").split("/")
    place: Any = document
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    key: Any = int(last) if isinstance(place, list) else last
    if value is ...:
        del place[key]
    else:
        place[key] = value
    return document


def problems(document: Any) -> list[Problem]:
    with pytest.raises(InvalidDefinitionError) as caught:
        import_graph(document)
    found = [problem for problem in caught.value.problems if isinstance(problem, Problem)]
    assert len(found) == len(caught.value.problems) > 0
    assert all(problem.message and problem.mend for problem in found)
    return found


def only(document: Any) -> Problem:
    (problem,) = problems(document)
    return problem


@pytest.mark.parametrize("form", [json.dumps, lambda document: json.dumps(document).encode(), dict, MappingProxyType])
def test_text_bytes_and_mappings_give_the_same_graph(form: Callable[[dict[str, Any]], Any]) -> None:
    graph = import_graph(form(DOCUMENT))
    assert list(graph.nodes) == ["review", "choose", "publish"]
    assert graph.nodes["review"].kind == HumanNode(title="Review", due_s=60.0)
    assert graph.edges[1] == Edge("choose", "publish", condition="approved")


def test_back_edges_are_worked_out_whatever_the_document_says() -> None:
    assert import_graph(DOCUMENT).back_edges == (2,)
    assert import_graph({**DOCUMENT, "back_edges": [0, "nonsense"]}).back_edges == (2,)


def test_an_export_is_json_with_a_format_and_imports_to_an_equal_graph() -> None:
    graph = import_graph(DOCUMENT)
    document = export_graph(graph)
    assert document["format"] == FORMAT
    assert import_graph(json.dumps(document)) == graph
    assert import_graph(document).hash == graph.hash


def test_an_export_shares_nothing_with_the_graph() -> None:
    graph = import_graph(DOCUMENT)
    before = graph.to_json()
    export_graph(graph)["nodes"]["publish"]["kind"]["config"]["retries"] = 99
    assert graph.to_json() == before


def test_an_imported_graph_shares_nothing_with_the_document() -> None:
    document = json.loads(json.dumps(DOCUMENT))
    graph = import_graph(document)
    document["nodes"]["publish"]["kind"]["config"]["retries"] = 99
    assert graph.nodes["publish"].kind == MachineNode(catalogue="http", config={"retries": 3})


def test_a_document_without_a_format_is_read_as_the_current_one() -> None:
    graph = import_graph(DOCUMENT)
    assert import_graph(graph.to_json()) == graph
    assert import_graph(changed("/format", ...)) == graph


def test_null_is_read_where_a_setting_may_be_absent() -> None:
    assert import_graph(changed("/nodes/review/kind/form_schema", None)) == import_graph(DOCUMENT)


def test_another_format_is_refused_by_name() -> None:
    problem = only(changed("/format", "workflow-graph/99"))
    assert (problem.code, problem.where) == ("unknown_format", "/format")
    assert FORMAT in problem.mend


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        '"text"',
        b"\xff\xfe\x00",
        '{"a": NaN}',
        '{"a": 1e999}',
        "[" * 100_000,
        '{"n": ' + "9" * 5000 + "}",
        {"a": object()},
        {"a": float("inf")},
        {"a": {1, 2}},
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_not_a_json_object_is_refused(text: Any) -> None:
    problem = only(text)
    assert (problem.code, problem.where) == ("malformed_document", "document")


def test_a_document_that_contains_itself_is_refused() -> None:
    document: dict[str, Any] = {}
    document["nodes"] = document
    assert only(document).code == "malformed_document"


def test_a_name_given_twice_is_noticed_although_json_keeps_only_the_last() -> None:
    text = json.dumps(DOCUMENT).replace('"publish": {', '"review": {', 1)
    problem = only(text)
    assert (problem.code, problem.message) == ("duplicate_name", "an object has the key 'review' twice")


@pytest.mark.parametrize(
    ("path", "value", "code", "where", "message"),
    [
        ("/name", ..., "missing_field", "document", "the field 'name' is missing"),
        ("/name", 3, "wrong_type", "/name", "expected str, got int"),
        ("/nodes", [], "wrong_type", "/nodes", "expected object, got array"),
        ("/nodes/review", 3, "wrong_type", "/nodes/review", "an object is expected here, not a number"),
        ("/nodes/review/kind", ..., "missing_field", "/nodes/review", "the field 'kind' is missing"),
        ("/nodes/review/kind", [], "wrong_type", "/nodes/review/kind", "an object is expected here, not an array"),
        ("/nodes/review/kind", None, "wrong_type", "/nodes/review/kind", "an object is expected here, not null"),
        ("/nodes/review/kind/type", ..., "missing_field", "/nodes/review/kind", "the field 'type' is missing"),
        ("/nodes/review/kind/type", "x", "wrong_type", "/nodes/review/kind/type", "there is no type 'x' here"),
        ("/nodes/review/kind/type", [], "wrong_type", "/nodes/review/kind/type", "there is no type [] here"),
        ("/nodes/review/kind/due_s", "1 h", "wrong_type", "/nodes/review/kind/due_s", "expected float, got str"),
        (
            "/nodes/review/kind/candidate_users",
            ["ann", 3],
            "wrong_type",
            "/nodes/review/kind/candidate_users/1",
            "expected str, got int",
        ),
        ("/nodes/review/join", {"kind": "x"}, "wrong_type", "/nodes/review/join/kind", "invalid enum value 'x'"),
        ("/nodes/a~1b~0", {}, "missing_field", "/nodes/a~01b~00", "the field 'name' is missing"),
        ("/edges", {}, "wrong_type", "/edges", "expected array, got object"),
        ("/edges/0", "a", "wrong_type", "/edges/0", "an object is expected here, not a text"),
        ("/edges/1/on", "never", "wrong_type", "/edges/1/on", "invalid enum value 'never'"),
        ("/edges/1/default", 1, "wrong_type", "/edges/1/default", "expected bool, got int"),
        ("/edges/1/conditin", "x", "unknown_field", "/edges/1/conditin", "there is no field 'conditin' here"),
        ("/nodes/review/kind/form", {}, "unknown_field", "/nodes/review/kind/form", "there is no field 'form' here"),
        ("/colour", "red", "unknown_field", "/colour", "there is no field 'colour' here"),
    ],
)
def test_a_fault_of_shape_is_named_by_its_pointer(path: str, value: Any, code: str, where: str, message: str) -> None:
    problem = problems(changed(path, value))[0]
    assert (problem.code, problem.where, problem.message) == (code, where, message)


def test_a_misspelt_field_suggests_the_right_one() -> None:
    assert only(changed("/edges/1/conditin", "x")).mend == "did you mean 'condition'?"


def test_all_faults_of_shape_are_found_at_once() -> None:
    document = changed("/nodes/review/kind/due_s", "1 h")
    document["edges"][0] = {"from": "review", "target": 3}
    document["edges"][2]["default"] = "yes"
    assert [(problem.code, problem.where) for problem in problems(document)] == [
        ("wrong_type", "/nodes/review/kind/due_s"),
        ("unknown_field", "/edges/0/from"),
        ("missing_field", "/edges/0"),
        ("wrong_type", "/edges/0/target"),
        ("wrong_type", "/edges/2/default"),
    ]


def test_a_graph_with_errors_is_refused_with_the_problems_of_its_validation() -> None:
    problem = only(changed("/edges/1/target", "publihs"))
    assert (problem.code, problem.where) == ("unknown_step", "edge 'choose' → 'publihs'")


def test_a_text_that_cannot_be_encoded_is_refused() -> None:
    assert [problem.code for problem in problems(changed("/description", "\ud800"))] == ["not_storable"]


def test_a_graph_with_warnings_only_is_imported() -> None:
    doubtful = changed("/edges/2/default", False)
    doubtful["edges"][2]["condition"] = "rejected"
    assert import_graph(doubtful).edges[2].condition == "rejected"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
STEP_NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="/"), min_size=1, max_size=10
).filter(str.strip)


@st.composite
def valid_graphs(draw: st.DrawFn) -> WorkflowGraph:
    """A line of steps of every kind, with some ways back and around, and some groups."""
    names = draw(st.lists(STEP_NAMES, min_size=2, max_size=8, unique=True))
    first, *rest = names
    nodes = {first: Node(first, MachineNode(config=draw(st.dictionaries(TEXT, JSON, max_size=2))))}
    edges: list[Edge] = []
    last = first
    for name in rest:
        holder = draw(
            st.sampled_from(["", *(known for known, node in nodes.items() if isinstance(node.kind, GroupNode))])
        )
        if holder:
            group = nodes[holder].kind
            assert isinstance(group, GroupNode)
            entry = msgspec.structs.replace(group, entry=(*group.entry, name))
            nodes[holder] = msgspec.structs.replace(nodes[holder], kind=entry)
        else:
            edges.append(Edge(last, name))
            if not isinstance(nodes[last].kind, GatewayNode):  # a loop of gateways only is an error
                targets = st.sampled_from(names[: names.index(name)])
                edges.extend(draw(st.lists(around(st.just(last), targets), max_size=2)))
            last = name
        nodes[name] = Node(
            name,
            draw(node_kinds()),
            description=draw(TEXT),
            scope=holder,
            queue=draw(st.sampled_from(["default", "slow"])),
            join=draw(st.sampled_from([Join(), Join("each")])),
        )
    for name, node in list(nodes.items()):
        if isinstance(node.kind, GroupNode) and not node.kind.entry:
            nodes[name] = msgspec.structs.replace(node, kind=MachineNode())
    kept = [edge for edge in edges if not nodes[edge.source].scope and not nodes[edge.target].scope]
    unique = tuple({repr(edge): edge for edge in kept}.values())
    graph = WorkflowGraph(
        "w", "1", nodes, unique, first,
        description=draw(TEXT), reducers=draw(st.dictionaries(TEXT, st.sampled_from(["sum", "union"]), max_size=2)),
    )  # fmt: skip
    return msgspec.structs.replace(graph, back_edges=back_edges_of(graph))


def around(sources: st.SearchStrategy[str], targets: st.SearchStrategy[str]) -> st.SearchStrategy[Edge]:
    return st.builds(
        Edge,
        source=sources,
        target=targets,
        on=st.sampled_from(list(Outcome)),
        condition=st.sampled_from(["amount > 1", "not done", "'x' in tags"]),
    )


def node_kinds() -> st.SearchStrategy[NodeKind]:
    return st.one_of(
        st.builds(MachineNode, catalogue=TEXT, config=st.dictionaries(TEXT, JSON, max_size=2)),
        st.builds(
            HumanNode,
            title=TEXT,
            description=st.none() | TEXT,
            form_schema=st.none() | st.just({"type": "object", "properties": {"ok": {"type": "boolean"}}}),
            candidate_users=st.lists(TEXT, max_size=2).map(tuple),
            due_s=st.none() | st.floats(60, 1e6),
            priority=st.integers(0, 100),
        ),
        st.builds(GatewayNode, kind=st.just("inclusive")),
        st.builds(TimerNode, delay_s=st.floats(0, 1e9)),
        st.builds(SignalNode, signal=st.text(min_size=1, max_size=3)),
        st.builds(WebhookNode, into=st.none() | st.text(min_size=1, max_size=3)),
        st.builds(GroupNode, kind=st.sampled_from(["sequential", "parallel", "race"]), outputs=st.just({"a": "b"})),
    )


@given(valid_graphs())
def test_what_is_exported_is_imported_equal(graph: WorkflowGraph) -> None:
    returned = import_graph(json.dumps(export_graph(graph)))
    assert returned == graph
    assert list(returned.nodes) == list(graph.nodes)
    assert returned.hash == graph.hash


POINTERS = [
    "/name",
    "/nodes/review",
    "/nodes/review/kind",
    "/nodes/review/kind/title",
    "/edges",
    "/edges/1",
    "/initial",
]


@given(path=st.sampled_from(POINTERS), value=JSON)
def test_no_document_makes_anything_but_a_graph_or_a_refusal(path: str, value: Any) -> None:
    with contextlib.suppress(InvalidDefinitionError):
        graph = import_graph(changed(path, value))
        assert import_graph(export_graph(graph)) == graph


@given(JSON)
def test_the_shape_is_right_exactly_when_msgspec_can_convert(value: Any) -> None:
    document = changed("/nodes/review/kind", value)
    try:
        msgspec.convert(document, WorkflowGraph)
    except msgspec.ValidationError:
        converts = False
    else:
        converts = True
    wrong = [problem for problem in shape_problems(document, WorkflowGraph) if problem.code != "unknown_field"]
    assert converts is not bool(wrong)


def test_the_body_of_a_for_each_survives() -> None:
    nodes = {
        "each": Node("each", ForEachNode("ship", source="orders")),
        "ship": Node("ship", MachineNode(), scope="each"),
    }
    graph = WorkflowGraph("w", "1", nodes, (), "each", state_keys=("orders",), input_schema={"type": "object"})
    assert import_graph(export_graph(graph)) == graph
