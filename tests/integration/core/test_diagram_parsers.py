"""The real Mermaid and the real Graphviz read the diagrams as they were meant, whatever the steps are called.

Both come from the npm registry (Graphviz as WebAssembly) and run in Node. Where Node or the registry cannot be had these tests are skipped,
but they fail where ``CI`` or ``WORKFLOWS_TEST_REQUIRE_SERVICES`` is set. A `dot` on the path is asked too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from workflows_core.domain.diagrams import DIRECTIONS, to_graphviz, to_mermaid, to_mermaid_with_state
from workflows_core.domain.diagrams.outline import Close, Figure, Open, Outline, Shape, outline_of
from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    Node,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.types import Outcome

HOSTILE = [
    "end",
    "subgraph",
    "graph TD",
    "default",
    "click",
    "click n0 callback",
    "class n0 failed",
    "style n0 fill:#f00;",
    "classDef default fill:#f00;",
    "linkStyle 0 stroke:#f00",
    'a"]-->b["x',
    'a"]; click n0 "javascript:alert(1)"; n9["',
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "%%{init: {'theme': 'dark'}}%%",
    "%% comment",
    "#quot;",
    "#35;",
    "&lt;b&gt;",
    "&#60;b&#62;",
    "ﬂ°°60¶ß",
    "\\",
    '\\"',
    "\\N \\G \\l \\n",
    "line\nbreak\r\nand\ttab",
    "\0\x1b[31m\x7f\x85",
    "\u2028\u2029\u202e\ufeff",
    "`code` **bold** _it_ ~~no~~ $$x^2$$",
    "`markdown`",
    "1. one",
    "1) one",
    "- one",
    "# head",
    "> quoted",
    "[link](javascript:alert(1))",
    "www.example.com http://example.com me@example.com",
    "fa:fa-user",
    "    indented  twice ",
    "a -->|x| b",
    "a & b",
    "}}",
    "]",
    ");",
    "a:::failed",
    "---\ntitle: x\n---",
    "Antrag prüfen",
    "审批 👩‍💻 é",
    "x" * 300,
    " ",
]
ATTEMPTS = 150
NAMES = st.lists(st.text(max_size=12) | st.sampled_from(HOSTILE), min_size=8, max_size=8, unique=True)

Read = Callable[[list[str], list[str]], dict[str, list[dict[str, Any]]]]


def unavailable(reason: str) -> NoReturn:
    if any(
        os.environ.get(name, "").lower() not in {"", "0", "false", "no"}
        for name in ("CI", "WORKFLOWS_TEST_REQUIRE_SERVICES")
    ):
        pytest.fail(f"{reason} (where CI or WORKFLOWS_TEST_REQUIRE_SERVICES is set, nothing is skipped)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Lets the real parsers read Mermaid and DOT texts."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        unavailable("the diagram parsers need Node 20 or later, with npm, on the path")
    place = tmp_path_factory.mktemp("diagram_parsers")
    for path in (Path(__file__).parent / "diagram_parsers").iterdir():
        if path.is_file():
            shutil.copy(path, place)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    try:
        installed = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        unavailable("npm could not install the diagram parsers within 90 s")
    if installed.returncode:
        unavailable(f"npm could not install the diagram parsers: {installed.stderr.strip()[-500:]}")

    def ask(mermaid: list[str], dot: list[str]) -> dict[str, list[dict[str, Any]]]:
        asked = json.dumps({"mermaid": mermaid, "dot": dot})
        run = subprocess.run(
            [node, "parse.mjs"], cwd=place, input=asked, capture_output=True, encoding="utf-8", timeout=100, check=False
        )
        assert run.returncode == 0, run.stderr
        answer: dict[str, list[dict[str, Any]]] = json.loads(run.stdout)
        return answer

    return ask


@pytest.fixture(scope="session")
def graphs() -> list[WorkflowGraph]:
    """Graphs with every kind of step, whose names are hostile ones or chosen by Hypothesis."""
    collected = [graph_with([*HOSTILE[start:], *HOSTILE][:8]) for start in range(len(HOSTILE))]

    @given(NAMES)
    @settings(max_examples=ATTEMPTS, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    def collect(names: list[str]) -> None:
        collected.append(graph_with(names))

    collect()
    return collected


def graph_with(names: list[str]) -> WorkflowGraph:
    """A loop, a gateway, and a group in a group; every name is also a condition or a key."""
    first, second, third, fourth, group, inner, loop, body = names
    nodes = [
        Node(first, MachineNode()),
        Node(second, GatewayNode("exclusive")),
        Node(third, HumanNode(), terminal="instance"),
        Node(group, GroupNode("conditional", branches={fourth: inner, body: loop})),
        Node(inner, TimerNode(), scope=group),
        Node(loop, ForEachNode(body, item=third), scope=group),
        Node(body, WebhookNode(), scope=loop),
        Node(fourth, GatewayNode("parallel")),
    ]
    edges = [
        Edge(first, second),
        Edge(second, first, condition=third),
        Edge(second, third, default=True),
        Edge(first, group, on=Outcome.FAILURE, computed=True),
        Edge(group, fourth),
        Edge(inner, loop, named=True),
    ]
    return WorkflowGraph(names[0], "1", {node.name: node for node in nodes}, tuple(edges), first, back_edges=(1,))


def drawn_by_mermaid(label: str) -> str:
    return label.replace("\ufb02", "fl").replace("¶ß", "¶\u200bß")


def seen_label(drawn: dict[str, Any]) -> str:
    """The label in a picture of Graphviz, which keeps several spaces apart by making some of them unbreakable."""
    return str(drawn["label"]).replace("\xa0", " ")


def figures(outline: Outline) -> list[Figure]:
    return [part for part in outline.parts if isinstance(part, Figure)]


def frames(outline: Outline) -> dict[str, tuple[str, list[str]]]:
    """Label and direct members of each frame."""
    found: dict[str, tuple[str, list[str]]] = {}
    opened: list[str] = []
    for part in outline.parts:
        if isinstance(part, Close):
            opened.pop()
            continue
        if opened:
            found[opened[-1]][1].append(part.id)
        if isinstance(part, Open):
            found[part.id] = (part.label, [])
            opened.append(part.id)
    return found


def test_mermaid_reads_every_figure_frame_and_arrow_as_it_was_meant(read: Read, graphs: list[WorkflowGraph]) -> None:
    for graph, seen in zip(graphs, read(list(map(to_mermaid, graphs)), [])["mermaid"], strict=True):
        assert "error" not in seen, (seen["error"], to_mermaid(graph))
        outline = outline_of(graph)
        wanted_frames = frames(outline)
        assert [
            (vertex["id"], vertex["label"]) for vertex in seen["vertices"] if vertex["id"] not in wanted_frames
        ] == [
            (figure.id, "•" if figure.shape is Shape.ENTRY else drawn_by_mermaid(figure.label))
            for figure in figures(outline)
        ]
        assert {frame["id"]: (frame["label"], sorted(frame["members"])) for frame in seen["frames"]} == {
            id_: (drawn_by_mermaid(label), sorted(members)) for id_, (label, members) in wanted_frames.items()
        }
        assert [(edge["source"], edge["target"], edge["label"], edge["line"]) for edge in seen["edges"]] == [
            (arrow.source, arrow.target, drawn_by_mermaid(arrow.label), "dotted" if arrow.is_back else "normal")
            for arrow in outline.arrows
        ]
        assert not any(vertex["link"] or vertex["classes"] for vertex in seen["vertices"])


def test_mermaid_reads_the_shape_of_each_kind_of_step(read: Read) -> None:
    graph = graph_with(["machine", "choose", "human", "fork", "group", "timer", "each", "call"])
    (seen,) = read([to_mermaid(graph)], [])["mermaid"]
    shapes = {vertex["label"]: vertex["shape"] for vertex in seen["vertices"]}
    assert shapes["machine"] == "square"
    assert shapes["human"] == "lean_right"
    assert shapes["choose"] == shapes["fork (parallel)"] == "diamond"
    assert shapes["timer"] == "hexagon"
    assert shapes["call"] == "odd"
    assert shapes["Start"] == shapes["End"] == "stadium"


def test_mermaid_reads_the_state_of_each_step(read: Read) -> None:
    names = ["machine", "choose", "human", "fork", "group", "timer", "each", "call"]
    text = to_mermaid_with_state(
        graph_with(names),
        current_steps=["human"],
        completed_steps=["machine", "choose"],
        failed_steps=["timer"],
        waiting_steps=["group"],
        skipped_steps=["fork"],
    )
    (seen,) = read([text], [])["mermaid"]
    classes = {vertex["id"]: vertex["classes"] for vertex in seen["vertices"] if vertex["classes"]}
    assert classes == {
        "n0": ["completed"],
        "n1": ["completed"],
        "n2": ["current"],
        "n3": ["waiting"],
        "n4": ["failed"],
        "n7": ["skipped"],
    }


def test_mermaid_reads_every_direction(read: Read) -> None:
    graph = graph_with(HOSTILE[:8])
    texts = [to_mermaid(graph, direction=direction) for direction in DIRECTIONS]
    assert not [seen["error"] for seen in read(texts, [])["mermaid"] if "error" in seen]


def test_graphviz_draws_every_label_and_line_as_it_was_meant(read: Read, graphs: list[WorkflowGraph]) -> None:
    for graph, seen in zip(graphs, read([], list(map(to_graphviz, graphs)))["dot"], strict=True):
        assert "error" not in seen, (seen["error"], to_graphviz(graph))
        outline = outline_of(graph)
        wanted = {figure.id: figure.label for figure in figures(outline)} | {
            f"cluster_{id_}": label for id_, (label, _) in frames(outline).items()
        }
        assert {each["id"]: seen_label(each) for each in seen["objects"]} == {
            id_: label.replace("\xa0", " ") for id_, label in wanted.items()
        }
        assert sorted((seen_label(edge), edge["dashed"]) for edge in seen["edges"]) == sorted(
            (arrow.label.replace("\xa0", " "), arrow.is_back) for arrow in outline.arrows
        )
        assert set(seen["elements"]) <= {"ellipse", "g", "path", "polygon", "svg", "text", "title"}


@pytest.mark.skipif(shutil.which("dot") is None, reason="there is no `dot` on the path")
def test_the_dot_command_draws_what_hostile_names_make(graphs: list[WorkflowGraph]) -> None:
    texts = "".join(to_graphviz(graph) for graph in graphs[: len(HOSTILE)])
    drawn = subprocess.run(
        ["dot", "-Tplain"], input=texts, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.count("\nstop\n") == len(HOSTILE)
