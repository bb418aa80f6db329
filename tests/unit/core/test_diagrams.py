"""Diagrams: what they show, and that no name of a step can become part of their syntax.

What the real Mermaid and the real Graphviz make of them is tested in tests/integration/core/test_diagram_parsers.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from workflows_core.domain.diagrams import to_graphviz, to_mermaid, to_mermaid_with_state
from workflows_core.domain.diagrams.outline import MAX_LABEL_LENGTH, visible
from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    Node,
    NodeKind,
    SignalNode,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.types import Outcome

MERMAID_LABEL = r'"(?:[^\W_]|(?<=[^\W_])[_-](?=[^\W_])|[ =,().]|[#][0-9]+;)+"'
MERMAID_ID = r"(?:start|stop|n[0-9]+|n[0-9]+_in)"
MERMAID_LINE = re.compile(
    rf"""
      flowchart\ (?:TD|TB|BT|LR|RL)
    | \ +(?:
          {MERMAID_ID}(?:\[{MERMAID_LABEL}\] | \[/{MERMAID_LABEL}/\] | >{MERMAID_LABEL}\] | \{{\{{{MERMAID_LABEL}\}}\}}
                       | \{{{MERMAID_LABEL}\}} | \(\[{MERMAID_LABEL}\]\) | \(\({MERMAID_LABEL}\)\))
        | subgraph\ n[0-9]+\[{MERMAID_LABEL}\]
        | end
        | {MERMAID_ID}\ (?:-->|-\.->)(?:\|{MERMAID_LABEL}\|)?\ {MERMAID_ID}
        | classDef\ [a-z]+\ [a-z0-9:,\ \#-]+
        | class\ n[0-9]+(?:,n[0-9]+)*\ [a-z]+
    )
    """,
    re.VERBOSE,
)
DOT_LABEL = r'"(?:[^"\\\x00-\x1f\x7f]|\\\\|\\")*"'
DOT_ATTRIBUTE = rf"(?:label={DOT_LABEL}|shape=[a-z]+|style=[a-z]+|l(?:head|tail)=cluster_n[0-9]+)"
DOT_LINE = re.compile(
    rf"""
      digraph\ workflow\ \{{
    | \}}
    | \ +(?:
          label={DOT_LABEL};
        | compound=true;
        | \}}
        | subgraph\ cluster_n[0-9]+\ \{{
        | {MERMAID_ID}\ \[{DOT_ATTRIBUTE}(?:,\ {DOT_ATTRIBUTE})*\];
        | {MERMAID_ID}\ ->\ {MERMAID_ID}(?:\ \[{DOT_ATTRIBUTE}(?:,\ {DOT_ATTRIBUTE})*\])?;
    )
    """,
    re.VERBOSE,
)
HOSTILE = [
    "end",
    'a"]-->b["x',
    "<script>alert(1)</script>",
    "%%{init: {}}%%",
    "click n0 callback",
    "#quot;",
    "\\",
    '\\"',
    "a\nb",
    "\0",
    "\ud800",
    "\u2028\u202e",
    "1. one",
    "`x`",
    "&amp;",
    "",
    " ",
]
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=15) | st.sampled_from(HOSTILE)


def step(name: str, kind: NodeKind | None = None, **settings: Any) -> Node:
    return Node(name, MachineNode() if kind is None else kind, **settings)


def graph(nodes: Sequence[Node], edges: Sequence[Edge] = (), **settings: Any) -> WorkflowGraph:
    return WorkflowGraph("orders", "1.0", {node.name: node for node in nodes}, tuple(edges), nodes[0].name, **settings)


ORDERS = graph(
    [
        step("receive order"),
        step("paid", GatewayNode()),
        step("ask", HumanNode()),
        step("ship", GroupNode("parallel", entry=("pack", "items"))),
        step("pack", WebhookNode(), scope="ship"),
        step("items", ForEachNode("pick", source="lines"), scope="ship"),
        step("pick", scope="items"),
        step("wait", TimerNode(60)),
        step("give up", terminal="instance"),
    ],
    [
        Edge("receive order", "paid"),
        Edge("paid", "ship", condition='status == "paid"'),
        Edge("paid", "ask", default=True),
        Edge("ask", "paid"),
        Edge("ask", "give up", on=Outcome.TIMEOUT),
        Edge("ship", "wait"),
        Edge("ship", "give up", on=Outcome.FAILURE, computed=True),
    ],
    back_edges=(3,),
)


def test_a_mermaid_diagram_shows_steps_groups_conditions_and_ends() -> None:
    assert to_mermaid(ORDERS).splitlines() == [
        "flowchart TD",
        '    start(["Start"])',
        '    n0["receive order"]',
        '    n1{"paid"}',
        '    n2[/"ask"/]',
        '    subgraph n3["ship (parallel)"]',
        '        n3_in(("#8226;"))',
        '        n4>"pack"]',
        '        subgraph n5["items (for each)"]',
        '            n5_in(("#8226;"))',
        '            n6["pick"]',
        "        end",
        "    end",
        '    n7{{"wait"}}',
        '    n8["give up"]',
        '    stop(["End"])',
        "    start --> n0",
        "    n3_in --> n4",
        "    n3_in --> n5",
        '    n5_in -->|"each item"| n6',
        "    n0 --> n1",
        '    n1 -->|"status == #34;paid#34;"| n3',
        '    n1 -->|"default"| n2',
        "    n2 -.-> n1",
        '    n2 -->|"on timeout"| n8',
        "    n3 --> n7",
        '    n3 -->|"on failure, computed"| n8',
        "    n7 --> stop",
        '    n8 -->|"ends the workflow"| stop',
    ]


def test_a_dot_diagram_shows_the_same() -> None:
    assert to_graphviz(ORDERS).splitlines() == [
        "digraph workflow {",
        '    label="orders";',
        "    compound=true;",
        '    start [label="Start", shape=box, style=rounded];',
        '    n0 [label="receive order", shape=box];',
        '    n1 [label="paid", shape=diamond];',
        '    n2 [label="ask", shape=parallelogram];',
        "    subgraph cluster_n3 {",
        '        label="ship (parallel)";',
        '        n3_in [label="", shape=point];',
        '        n4 [label="pack", shape=cds];',
        "        subgraph cluster_n5 {",
        '            label="items (for each)";',
        '            n5_in [label="", shape=point];',
        '            n6 [label="pick", shape=box];',
        "        }",
        "    }",
        '    n7 [label="wait", shape=hexagon];',
        '    n8 [label="give up", shape=box];',
        '    stop [label="End", shape=box, style=rounded];',
        "    start -> n0;",
        "    n3_in -> n4;",
        "    n3_in -> n5_in [lhead=cluster_n5];",
        '    n5_in -> n6 [label="each item"];',
        "    n0 -> n1;",
        '    n1 -> n3_in [label="status == \\"paid\\"", lhead=cluster_n3];',
        '    n1 -> n2 [label="default"];',
        "    n2 -> n1 [style=dashed];",
        '    n2 -> n8 [label="on timeout"];',
        "    n6 -> n7 [ltail=cluster_n3];",
        '    n6 -> n8 [label="on failure, computed", ltail=cluster_n3];',
        "    n7 -> stop;",
        '    n8 -> stop [label="ends the workflow"];',
        "}",
    ]


def test_a_conditional_group_shows_its_branches() -> None:
    group = GroupNode("conditional", branches={"express": "fast", "post": "slow"}, selector="way")
    text = to_mermaid(graph([step("send", group), step("fast", scope="send"), step("slow", scope="send")]))
    assert '    n0_in -->|"express"| n1\n    n0_in -->|"post"| n2\n' in text


def test_the_state_is_shown_by_classes_and_each_step_has_one() -> None:
    text = to_mermaid_with_state(
        ORDERS,
        current_steps=["ask"],
        completed_steps=["receive order", "paid", "ask"],
        failed_steps=["pick", "ask"],
        waiting_steps=["ship"],
        skipped_steps=["pack", "paid"],
    )
    assert text.startswith(to_mermaid(ORDERS))
    classes = dict(line.split()[1:][::-1] for line in text.splitlines() if line.startswith("    class "))
    assert classes == {"current": "n2", "waiting": "n3", "failed": "n6", "skipped": "n1,n4", "completed": "n0"}
    defined = {line.split()[1] for line in text.splitlines() if line.startswith("    classDef ")}
    assert defined == set(classes)


def test_a_single_name_is_one_step_and_not_its_letters() -> None:
    assert "    class n2 current\n" in to_mermaid_with_state(ORDERS, current_steps="ask")


def test_names_of_other_versions_are_left_out_of_the_state() -> None:
    assert to_mermaid_with_state(ORDERS, current_steps=["gone"]) == to_mermaid(ORDERS)


def test_the_direction_can_be_chosen() -> None:
    assert to_mermaid(ORDERS, direction="LR").startswith("flowchart LR\n")
    assert to_mermaid_with_state(ORDERS, direction="BT").startswith("flowchart BT\n")


def test_an_unknown_direction_is_refused_and_never_written_down() -> None:
    with pytest.raises(ValueError, match="use one of TD, TB, BT, LR, RL"):
        to_mermaid(ORDERS, direction="TD\n click n0 callback")


def test_nothing_ends_in_a_loop_so_no_end_is_drawn() -> None:
    text = to_mermaid(graph([step("a")], [Edge("a", "a")], back_edges=(0,)))
    assert "stop" not in text
    assert "    n0 -.-> n0\n" in text


def test_what_leads_nowhere_is_left_out_and_broken_nesting_is_drawn_at_the_top() -> None:
    broken = graph(
        [
            step("a"),
            step("lost", scope="nowhere"),
            step("child", scope="a"),
            step("g", ForEachNode("g"), scope="h"),
            step("h", ForEachNode("missing"), scope="g"),
        ],
        [Edge("a", "missing"), Edge("missing", "a")],
    )
    text = to_mermaid(broken)
    assert "missing" not in text
    assert [line for line in text.splitlines() if line.startswith("    subgraph")] == [
        '    subgraph n3["g (for each)"]',
        '    subgraph n4["h (for each)"]',
    ]


def test_an_arrow_between_a_group_and_its_inside_is_tied_to_the_entry() -> None:
    crossing = graph(
        [step("g", ForEachNode("a")), step("a", scope="g")], [Edge("a", "g"), Edge("g", "a"), Edge("g", "g")]
    )
    lines = to_mermaid(crossing).splitlines()
    assert {"    n1 --> n0_in", "    n0_in --> n1", "    n0_in --> n0_in"} <= set(lines)


def test_groups_can_be_nested_deeper_than_python_recurses() -> None:
    depth = 1500
    nodes = [step("g0", ForEachNode("g1"))]
    nodes += [step(f"g{level}", ForEachNode(f"g{level + 1}"), scope=f"g{level - 1}") for level in range(1, depth)]
    assert to_mermaid(graph(nodes)).count("subgraph") == depth
    assert to_graphviz(graph(nodes)).count("subgraph") == depth


def test_an_empty_graph_can_be_drawn() -> None:
    empty = WorkflowGraph("", "", {}, (), "a")
    assert to_mermaid(empty) == "flowchart TD\n"
    assert to_graphviz(empty) == 'digraph workflow {\n    label="";\n    compound=true;\n}\n'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc\0", "a␊b␉c␀"),
        ("\x7f\x85\u2028\u202e\ud800", "␡\ufffd\ufffd\ufffd\ufffd"),
        ("👩‍💻 é", "👩‍💻 é"),
        ("x" * (MAX_LABEL_LENGTH + 1), "x" * (MAX_LABEL_LENGTH - 1) + "…"),
        ("x" * MAX_LABEL_LENGTH, "x" * MAX_LABEL_LENGTH),
    ],
)
def test_labels_are_one_line_of_characters_that_can_be_seen(text: str, shown: str) -> None:
    assert visible(text) == shown


def graph_of_texts(texts: Sequence[str]) -> WorkflowGraph:
    """A graph of every kind of step in which all that an author writes comes from the given texts."""
    names = list(dict.fromkeys(texts))
    kinds: list[NodeKind] = [
        MachineNode(), HumanNode(), GatewayNode(), GatewayNode("parallel"), TimerNode(), WebhookNode(), SignalNode("go"),
        GroupNode("conditional", branches={name: name for name in names}),
        ForEachNode(names[-1], item=names[0]),
    ]  # fmt: skip
    nodes = [
        step(name, kinds[place % len(kinds)], scope=names[-place % len(names)] if place % 3 else "")
        for place, name in enumerate(names)
    ]
    edges = [
        Edge(source, target, condition=text, computed=len(text) % 2 == 0)
        for source, target, text in zip(names, [*names[1:], names[0]], texts, strict=False)
    ]
    return WorkflowGraph(
        names[0], names[0], {node.name: node for node in nodes}, tuple(edges), names[0], back_edges=(0,)
    )


@given(st.lists(ANY_TEXT, min_size=1, max_size=10))
def test_every_line_of_a_mermaid_diagram_has_the_shape_of_one(texts: list[str]) -> None:
    drawn = graph_of_texts(texts)
    text = to_mermaid_with_state(drawn, current_steps=texts[:2], failed_steps=texts[2:])
    assert text.endswith("\n")
    assert text.encode()
    for line in text.removesuffix("\n").split("\n"):
        assert MERMAID_LINE.fullmatch(line), line
    assert text.count("subgraph ") == sum(line.strip() == "end" for line in text.split("\n"))


@given(st.lists(ANY_TEXT, min_size=1, max_size=10))
def test_every_line_of_a_dot_diagram_has_the_shape_of_one(texts: list[str]) -> None:
    text = to_graphviz(graph_of_texts(texts))
    assert text.encode()
    for line in text.removesuffix("\n").split("\n"):
        assert DOT_LINE.fullmatch(line), line
    assert sum(line.endswith("{") for line in text.split("\n")) == sum(line.strip() == "}" for line in text.split("\n"))


@given(ANY_TEXT)
def test_a_label_says_the_name_of_the_step(name: str) -> None:
    label = to_mermaid(graph([step(name)])).split('n0["')[1].split('"]')[0]
    decoded = re.sub("#([0-9]+);", lambda entity: chr(int(entity[1])), label)
    shown = visible(name) or "(no name)"
    assert decoded == shown.replace("\ufb02", "fl").replace("¶ß", "¶\u200bß")
    dotted = to_graphviz(graph([step(name)])).split('n0 [label="')[1].split('", shape')[0]
    assert re.sub(r"\\(.)", r"\1", dotted).replace("&amp;", "&") == shown
