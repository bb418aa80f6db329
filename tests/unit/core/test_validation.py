"""Validation finds every fault of a graph at once, says where it is and how to mend it, and leaves good graphs alone."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

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
from workflows_core.domain.validation import duplicate_names, require_valid, validate_graph
from workflows_core.domain.validation.concurrency import Concurrency
from workflows_core.domain.validation.overlaps import MAX_STEPS
from workflows_core.domain.validation.view import GraphView, back_edges_of
from workflows_core.errors import InvalidDefinitionError

EXCLUSIVE = GatewayNode("exclusive")
PARALLEL = GatewayNode("parallel")


def step(name: str, kind: NodeKind | None = None, **settings: Any) -> Node:
    return Node(name, MachineNode() if kind is None else kind, **settings)


def steps(names: str, **settings: Any) -> list[Node]:
    return [step(name, **settings) for name in names.split()]


def path(*names: str) -> list[Edge]:
    return [Edge(source, target) for source, target in itertools.pairwise(names)]


def graph(
    nodes: Sequence[Node], edges: Sequence[Edge] = (), initial: str | None = None, **settings: Any
) -> WorkflowGraph:
    first = initial if initial is not None else nodes[0].name
    built = WorkflowGraph("orders", "1.0", {node.name: node for node in nodes}, tuple(edges), first, **settings)
    return msgspec.structs.replace(built, back_edges=back_edges_of(built))


def alone(kind: NodeKind, **settings: Any) -> WorkflowGraph:
    """A workflow of one step, which is called `only`."""
    return graph([step("only", kind)], **settings)


def inside(group: NodeKind, *inner: Node, edges: Sequence[Edge] = (), **settings: Any) -> WorkflowGraph:
    """A workflow of one group, which is called `group`."""
    return graph([step("group", group), *inner], edges, **settings)


def choice(*edges: Edge, gateway: GatewayNode = EXCLUSIVE, **settings: Any) -> WorkflowGraph:
    """A gateway `choose` with edges to `a`, `b` and `c`."""
    used = sorted({edge.target for edge in edges})
    return graph([step("choose", gateway), *map(step, used)], edges, **settings)


def to(target: str, condition: str | None = None, **settings: Any) -> Edge:
    return Edge("choose", target, condition=condition, **settings)


def codes(checked: WorkflowGraph) -> list[str]:
    return [problem.code for problem in validate_graph(checked)]


def only(checked: WorkflowGraph) -> Problem:
    problems = validate_graph(checked)
    assert len(problems) == 1, problems
    return problems[0]


GOOD_GRAPHS: dict[str, WorkflowGraph] = {
    "one step": graph(steps("a")),
    "a line": graph(steps("a b c"), path("a", "b", "c")),
    "a loop with work in it": graph(
        [*steps("work"), step("check", EXCLUSIVE), *steps("done")],
        [Edge("work", "check"), Edge("check", "work", condition="again"), Edge("check", "done", default=True)],
    ),
    "a step that repeats itself": graph(
        steps("poll done"), [Edge("poll", "poll", condition="not ready"), Edge("poll", "done", default=True)]
    ),
    "branches that join": graph(
        [step("split", PARALLEL), *steps("a b"), step("join", join=Join("all")), *steps("end")],
        [*path("split", "a", "join", "end"), *path("split", "b", "join")],
    ),
    "an exclusive merge of a timer and work": graph(
        [step("choose", EXCLUSIVE), step("wait", TimerNode(60)), *steps("work done")],
        [
            to("wait", "late"),
            to("work", default=True),
            *path("wait", "done"),
            *path("work", "done"),
        ],
    ),
    "conditions that complete each other": choice(to("a", "paid"), to("b", "not paid")),
    "a last edge without condition": choice(to("a", "paid"), to("b")),
    "a computed gateway": choice(to("a", named=True), to("b", named=True), gateway=GatewayNode(computed=True)),
    "computed conditions that differ": graph(
        steps("a b"), [Edge("a", "b", computed=True), Edge("a", "b", computed=True), Edge("a", "b", default=True)]
    ),
    "an ordinary step with conditions": graph(
        steps("choose a b c"), [to("a", "x > 1"), to("b", "x > 1"), to("c"), to("c", "x > 2", on=Outcome.FAILURE)]
    ),
    "one handler of all failures": graph(
        [step("split", PARALLEL), *steps("a b join"), step("mend", join=Join("each"))],
        [
            *path("split", "a", "join"),
            *path("split", "b", "join"),
            Edge("a", "mend", on=Outcome.FAILURE),
            Edge("b", "mend", on=Outcome.FAILURE),
        ],
    ),
    "steps that wait for the same two": graph(
        [step("split", PARALLEL), *steps("a b both too")],
        [*path("split", "a", "both"), *path("split", "b", "both"), *path("a", "too"), *path("b", "too")],
    ),
    "decisions after the join": graph(
        [step("split", PARALLEL), *steps("a b"), step("choose", EXCLUSIVE), *steps("yes no")],
        [
            *path("split", "a", "choose"),
            *path("split", "b", "choose"),
            to("yes", "approved"),
            to("no", default=True),
        ],
    ),
    "exclusive branches with the same two ends": graph(
        [step("choose", EXCLUSIVE), step("a", EXCLUSIVE), step("b", EXCLUSIVE), *steps("yes no")],
        [
            to("a", "small"),
            to("b", default=True),
            *(Edge(name, "yes", condition="approved") for name in "ab"),
            *(Edge(name, "no", default=True) for name in "ab"),
        ],
    ),
    "a decision that has waited for both branches": graph(
        [step("split", PARALLEL), *steps("a"), step("x", EXCLUSIVE), step("y", EXCLUSIVE), *steps("yes no")],
        [
            *path("split", "a", "x"),
            *path("split", "x"),
            Edge("x", "yes", condition="clear"),
            Edge("x", "y", default=True),
            Edge("y", "yes", condition="approved"),
            Edge("y", "no", default=True),
        ],
    ),
    "a timer that a join outruns": graph(
        [step("split", PARALLEL), step("wait", TimerNode(60)), *steps("work"), step("next", join=Join("any"))],
        [*path("split", "wait", "next"), *path("split", "work", "next")],
    ),
    "a parallel group with a callback": inside(
        GroupNode("parallel", entry=("a", "b"), callback="c"),
        *steps("a b c", scope="group"),
        edges=[*path("a", "c"), *path("b", "c")],
    ),
    "a conditional group": inside(
        GroupNode("conditional", branches={"x": "a", "y": "b"}, selector="kind"), *steps("a b", scope="group")
    ),
    "a race against an endless loop": inside(
        GroupNode("race", entry=("poll", "wait")),
        step("poll", scope="group"),
        step("wait", TimerNode(60), scope="group"),
        edges=path("poll", "poll"),
    ),
    "items in items": graph(
        [
            step("each", ForEachNode("inner", source="orders", item="order")),
            step("inner", ForEachNode("ship", source="order.lines", item="line"), scope="each"),
            step("ship", EXCLUSIVE, scope="inner"),
            *steps("a b", scope="inner"),
        ],
        [Edge("ship", "a", condition="line.count > index"), Edge("ship", "b", default=True)],
        state_keys=("orders",),
    ),
    "a typed workflow": graph(
        [
            step("ask", HumanNode(title="{amount}", form_schema={"type": "object", "properties": {"ok": {}}})),
            step("call", WebhookNode()),
            step("choose", EXCLUSIVE),
            *steps("a b"),
        ],
        [
            *path("ask", "call", "choose"),
            to("a", "ok and forms.ask.ok and webhooks.call.paid and amount > 3"),
            to("b", default=True),
        ],
        state_keys=("amount",),
        reducers={"amount": "sum"},
    ),
    "moments and delays": graph(
        [
            step("a", TimerNode(until="2030-01-31T09:00:00+01:00")),
            step("b", TimerNode(until="2030-01-31T09:00:00Z")),
            step("c", TimerNode(0.5)),
            step("d", HumanNode(due_s=60, reminder_s=30)),
        ],
        path("a", "b", "c", "d"),
    ),
    "a name in many languages": graph([step("Antrag prüfen 审批 👩‍💻")]),
}

BAD_GRAPHS: dict[str, list[tuple[str, Callable[[], WorkflowGraph]]]] = {
    "bad_name": [
        ("step ''", lambda: graph([step("")], initial="")),
        ("step ' '", lambda: graph([step(" ")])),
        ("step 'a/b'", lambda: graph([step("a/b")])),
        ("step 'a\\nb'", lambda: graph([step("a\nb")])),
        ("step 'a\\u2028b'", lambda: graph([step("a\u2028b")])),
        (f"step {'x' * 201!r}", lambda: graph([step("x" * 201)])),
        ("workflow 'a/b'", lambda: msgspec.structs.replace(graph(steps("a")), name="a/b")),
        ("workflow 'orders'", lambda: msgspec.structs.replace(graph(steps("a")), version="")),
    ],
    "name_mismatch": [("step 'a'", lambda: WorkflowGraph("orders", "1.0", {"a": step("b")}, (), "a"))],
    "no_steps": [("workflow 'orders'", lambda: graph([], initial="a"))],
    "unknown_step": [
        ("workflow 'orders'", lambda: graph(steps("a"), initial="b")),
        ("edge 'a' → 'c'", lambda: graph(steps("a b"), [*path("a", "b"), *path("a", "c")])),
        (
            "edge 'c' → 'b' (on failure)",
            lambda: graph(steps("a b"), [*path("a", "b"), Edge("c", "b", Outcome.FAILURE)]),
        ),
        ("step 'group'", lambda: inside(GroupNode("race", entry=("a", "x")), step("a", scope="group"))),
        ("step 'group'", lambda: inside(GroupNode("conditional", branches={"k": "x"}, selector="k"))),
        ("step 'group'", lambda: inside(GroupNode("parallel", entry=("a",), callback="x"), step("a", scope="group"))),
        ("step 'group'", lambda: inside(ForEachNode("x", source="items"))),
    ],
    "wrong_scope": [
        (
            "workflow 'orders'",
            lambda: graph([step("g", ForEachNode("a", source="x")), step("a", scope="g")], path(), initial="a"),
        ),
        ("step 'g'", lambda: graph([step("a"), step("g", ForEachNode("a", source="x"))], path("a", "g"))),
    ],
    "unknown_scope": [
        ("step 'b'", lambda: graph([step("a"), step("b", scope="g")])),
        ("step 'b'", lambda: graph([step("a"), step("b", scope="a")])),
    ],
    "scope_cycle": [
        (
            "step 'g'",
            lambda: graph([*steps("a"), step("g", ForEachNode("g", source="x"), scope="g")]),
        )
    ],
    "edge_between_scopes": [
        (
            "edge 'a' → 'group'",
            lambda: inside(ForEachNode("a", source="x"), step("a", scope="group"), edges=path("a", "group")),
        )
    ],
    "duplicate_edge": [("edge 'a' → 'b'", lambda: graph(steps("a b"), [*path("a", "b"), *path("a", "b")]))],
    "unreachable_step": [
        ("step 'b'", lambda: graph(steps("a b"))),
        ("step 'b'", lambda: inside(GroupNode("race", entry=("a",)), *steps("a b", scope="group"))),
    ],
    "endless_loop": [
        ("step 'b'", lambda: graph(steps("a b c"), path("a", "b", "c", "b"))),
        ("step 'a'", lambda: inside(GroupNode("race", entry=("a",)), step("a", scope="group"), edges=path("a", "a"))),
        (
            "step 'b'",
            lambda: graph([*steps("a b"), step("c", terminal="instance")], [*path("a", "b", "b"), *path("a", "c")]),
        ),
    ],
    "instant_loop": [
        (
            "step 'a'",
            lambda: graph(
                [step("a", EXCLUSIVE), step("b", GatewayNode("inclusive")), *steps("c")],
                [*path("a", "b"), Edge("b", "a", condition="x"), Edge("b", "c", default=True)],
            ),
        )
    ],
    "no_entry": [
        ("step 'only'", lambda: alone(GroupNode("sequential"))),
        ("step 'only'", lambda: alone(GroupNode("conditional", selector="x"))),
    ],
    "no_selector": [
        ("step 'group'", lambda: inside(GroupNode("conditional", branches={"x": "a"}), step("a", scope="group")))
    ],
    "ambiguous_selector": [
        (
            "step 'group'",
            lambda: inside(
                GroupNode("conditional", branches={"x": "a"}, selector="x", computed=True), step("a", scope="group")
            ),
        )
    ],
    "no_source": [("step 'group'", lambda: inside(ForEachNode("a"), step("a", scope="group")))],
    "ambiguous_source": [
        ("step 'group'", lambda: inside(ForEachNode("a", source="x", computed=True), step("a", scope="group")))
    ],
    "misplaced_setting": [
        ("step 'group'", lambda: inside(GroupNode("race", entry=("a",), selector="x"), step("a", scope="group"))),
        ("step 'group'", lambda: inside(GroupNode("race", entry=("a",), callback="a"), step("a", scope="group"))),
        (
            "step 'group'",
            lambda: inside(
                GroupNode("conditional", entry=("a",), branches={"x": "a"}, selector="x"), step("a", scope="group")
            ),
        ),
    ],
    "edge_never_taken": [
        ("edge 'choose' → 'b'", lambda: choice(to("a"), to("b"))),
        ("edge 'choose' → 'b'", lambda: choice(to("a"), to("b", "paid"))),
        ("edge 'choose' → 'c'", lambda: choice(to("a", "paid"), to("b"), to("c", default=True))),
    ],
    "several_defaults": [
        ("edge 'choose' → 'c'", lambda: choice(to("a", "paid"), to("b", default=True), to("c", default=True))),
        (
            "edge 'a' → 'd'",
            lambda: graph(
                steps("a b c d"),
                [Edge("a", "b", condition="x"), Edge("a", "c", default=True), Edge("a", "d", default=True)],
            ),
        ),
    ],
    "default_without_condition": [
        ("edge 'choose' → 'a'", lambda: choice(to("a", default=True))),
        ("edge 'choose' → 'b'", lambda: choice(to("a"), to("b", default=True))),
    ],
    "ambiguous_condition": [
        ("edge 'choose' → 'a'", lambda: choice(to("a", "paid", computed=True), to("b", default=True))),
        ("edge 'choose' → 'a'", lambda: choice(to("a", "paid", default=True), to("b", "late"))),
    ],
    "duplicate_condition": [
        ("edge 'choose' → 'b'", lambda: choice(to("a", "paid"), to("b", " paid "), to("c", default=True)))
    ],
    "condition_ignored": [("edge 'choose' → 'a'", lambda: choice(to("a", "paid"), to("b"), gateway=PARALLEL))],
    "no_default": [
        ("step 'choose'", lambda: choice(to("a", "x > 1"), to("b", "x < 1"))),
        ("step 'choose'", lambda: choice(to("a", "x > 1"), gateway=GatewayNode("inclusive"))),
    ],
    "bad_expression": [
        ("edge 'choose' → 'a'", lambda: choice(to("a", "amount >"), to("b", default=True))),
        ("edge 'choose' → 'a'", lambda: choice(to("a", "amuont > 3"), to("b", default=True), state_keys=("amount",))),
        (
            "step 'group'",
            lambda: inside(GroupNode("conditional", branches={"x": "a"}, selector="a &&"), step("a", scope="group")),
        ),
        ("step 'group'", lambda: inside(ForEachNode("a", source="x.y()"), step("a", scope="group"))),
        ("step 'group'", lambda: inside(ForEachNode("a", source="item"), step("a", scope="group"), state_keys=())),
    ],
    "unknown_template_name": [
        ("step 'only'", lambda: alone(HumanNode(title="{amuont}"), state_keys=("amount",))),
        ("step 'only'", lambda: alone(HumanNode(description="{order.id}"), state_keys=())),
        ("step 'only'", lambda: alone(HumanNode(assignee="{owner}"), state_keys=())),
    ],
    "unknown_data_key": [
        ("workflow 'orders'", lambda: graph(steps("a"), reducers={"totl": "sum"}, state_keys=("total",))),
        ("step 'only'", lambda: alone(WebhookNode(into="totl"), state_keys=("total",))),
        ("step 'only'", lambda: alone(SignalNode("go", into="totl"), state_keys=("total",))),
    ],
    "unknown_reducer": [("workflow 'orders'", lambda: graph(steps("a"), reducers={"total": "summ"}))],
    "bad_key": [
        ("step 'only'", lambda: alone(HumanNode(into=""))),
        ("step 'group'", lambda: inside(ForEachNode("a", source="x", item=""), step("a", scope="group"))),
        ("step 'group'", lambda: inside(ForEachNode("a", source="x", item="index"), step("a", scope="group"))),
    ],
    "bad_schema": [
        ("workflow 'orders'", lambda: graph(steps("a"), input_schema={"type": "thing"})),
        ("step 'only'", lambda: alone(HumanNode(form_schema={"type": "thing"}))),
        ("step 'only'", lambda: alone(WebhookNode(payload_schema={"type": "thing"}))),
        ("step 'only'", lambda: alone(SignalNode("go", {"type": "thing"}))),
    ],
    "bad_signal": [("step 'only'", lambda: alone(SignalNode("")))],
    "bad_duration": [
        ("step 'only'", lambda: alone(TimerNode(-1))),
        ("step 'only'", lambda: alone(TimerNode(float("nan")))),
        ("step 'only'", lambda: alone(TimerNode(1e12))),
        ("step 'only'", lambda: alone(HumanNode(due_s=-1))),
        ("step 'only'", lambda: alone(HumanNode(reminder_s=-1))),
    ],
    "bad_moment": [
        ("step 'only'", lambda: alone(TimerNode(until="tomorrow"))),
        ("step 'only'", lambda: alone(TimerNode(until="2030-01-31T09:00:00"))),
        ("step 'only'", lambda: alone(TimerNode(until="2030-01-31"))),
    ],
    "ambiguous_timer": [("step 'only'", lambda: alone(TimerNode(1, until="2030-01-31T09:00:00Z")))],
    "bad_priority": [("step 'only'", lambda: alone(HumanNode(priority=101)))],
    "reminder_after_due": [("step 'only'", lambda: alone(HumanNode(due_s=10, reminder_s=11)))],
    "bad_concurrency": [
        ("step 'group'", lambda: inside(ForEachNode("a", source="x", concurrency=0), step("a", scope="group")))
    ],
    "bad_join_count": [
        ("step 'b'", lambda: graph([*steps("a"), step("b", join=Join("n"))], path("a", "b"))),
        ("step 'b'", lambda: graph([*steps("a"), step("b", join=Join("n", 2))], path("a", "b"))),
    ],
    "needless_join": [
        ("step 'b'", lambda: graph([*steps("a"), step("b", join=Join("all"))], path("a", "b"))),
        ("step 'a'", lambda: graph([step("a", join=Join("any"))])),
    ],
    "all_join_in_loop": [
        (
            "step 'b'",
            lambda: graph(
                [*steps("a"), step("b", join=Join("all")), *steps("c")],
                [*path("a", "b"), Edge("b", "b", condition="again"), *path("b", "c")],
            ),
        )
    ],
    "terminal_with_edges": [
        ("step 'a'", lambda: graph([step("a", terminal="branch"), *steps("b")], path("a", "b"))),
    ],
    "loop_with_two_entries": [
        (
            "step 'b'",
            lambda: graph(
                steps("a b c d"),
                [*path("a", "b", "c"), *path("a", "c"), Edge("c", "b", condition="again"), *path("c", "d")],
            ),
        )
    ],
    "competing_joins": [
        (
            "step 'no'",
            lambda: graph(
                [step("split", PARALLEL), step("a", EXCLUSIVE), step("b", EXCLUSIVE), *steps("yes no")],
                [
                    *path("split", "a"),
                    *path("split", "b"),
                    *(Edge(name, "yes", condition="approved") for name in "ab"),
                    *(Edge(name, "no", default=True) for name in "ab"),
                ],
            ),
        )
    ],
    "timer_merged_with_work": [
        (
            "step 'next'",
            lambda: graph(
                [*steps("a"), step("wait", TimerNode(60)), *steps("work next")],
                [*path("a", "wait", "next"), *path("a", "work", "next")],
            ),
        )
    ],
    "wrong_back_edges": [
        ("workflow 'orders'", lambda: msgspec.structs.replace(graph(steps("a b"), path("a", "b")), back_edges=(0,)))
    ],
    "not_storable": [
        ("workflow 'orders'", lambda: alone(MachineNode(config={"x": object()}))),
        ("workflow 'orders'", lambda: graph([step("a", description="\ud800")])),
    ],
}

CASES = [
    pytest.param(code, where, make, id=f"{code}-{number}")
    for code, cases in BAD_GRAPHS.items()
    for number, (where, make) in enumerate(cases)
]
WARNINGS = {
    "all_join_in_loop",
    "competing_joins",
    "loop_with_two_entries",
    "needless_join",
    "no_default",
    "reminder_after_due",
    "terminal_with_edges",
    "timer_merged_with_work",
}


@pytest.mark.parametrize("good", GOOD_GRAPHS.values(), ids=GOOD_GRAPHS)
def test_a_valid_graph_has_no_problem(good: WorkflowGraph) -> None:
    assert validate_graph(good) == []
    require_valid(good)


@pytest.mark.parametrize(("code", "where", "make"), CASES)
def test_a_fault_is_found_where_it_is(code: str, where: str, make: Callable[[], WorkflowGraph]) -> None:
    found = [problem for problem in validate_graph(make()) if problem.code == code]
    assert [problem.where for problem in found][:1] == [where]
    assert all(problem.message and problem.mend for problem in found)


@pytest.mark.parametrize("code", sorted(WARNINGS))
def test_a_warning_does_not_keep_a_graph_from_running(code: str) -> None:
    doubtful = BAD_GRAPHS[code][0][1]()
    assert {problem.code for problem in validate_graph(doubtful) if problem.is_warning} == {code}
    require_valid(doubtful)


@pytest.mark.parametrize("code", sorted(set(BAD_GRAPHS) - WARNINGS))
def test_an_error_keeps_a_graph_from_running(code: str) -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        require_valid(BAD_GRAPHS[code][0][1]())
    problems = [problem for problem in caught.value.problems if isinstance(problem, Problem)]
    assert code in {problem.code for problem in problems}
    assert not any(problem.is_warning for problem in problems)


def test_all_problems_are_found_at_once_in_the_order_of_the_definition() -> None:
    broken = graph(
        [
            step("a/b", TimerNode(-1)),
            step("ask", HumanNode(priority=-1)),
            step("choose", EXCLUSIVE),
            *steps("left right"),
        ],
        [*path("a/b", "choose"), to("left", "x >"), to("right", "y >"), to("nowhere", default=True)],
        reducers={"x": "nope"},
    )
    assert [(problem.where, problem.code) for problem in validate_graph(broken)] == [
        ("workflow 'orders'", "unknown_reducer"),
        ("step 'a/b'", "bad_name"),
        ("step 'a/b'", "bad_duration"),
        ("step 'ask'", "bad_priority"),
        ("step 'ask'", "unreachable_step"),
        ("edge 'choose' → 'left'", "bad_expression"),
        ("edge 'choose' → 'right'", "bad_expression"),
        ("edge 'choose' → 'nowhere'", "unknown_step"),
    ]


def test_an_unknown_step_suggests_the_one_that_was_meant() -> None:
    problem = only(graph(steps("review publish"), path("review", "publihs")))
    assert str(problem) == "edge 'review' → 'publihs': its target 'publihs' does not exist; did you mean 'publish'?"


def test_one_wrong_name_is_one_problem() -> None:
    assert codes(graph(steps("a review b"), [*path("a", "revieww"), *path("review", "b")])) == ["unknown_step"]
    assert codes(graph(steps("start end"), path("start", "end"), initial="startt")) == ["unknown_step"]


def test_a_bad_expression_is_shown_with_its_column_and_what_to_write() -> None:
    problem = only(choice(to("a", "paid && shipped"), to("b", default=True)))
    assert problem.message == "its condition 'paid && shipped' is wrong at column 6: '&&' is not an operator"
    assert problem.mend == "write 'and'"


def test_an_unknown_name_in_a_condition_suggests_a_key_of_the_state() -> None:
    problem = only(choice(to("a", "amuont > 3"), to("b", default=True), state_keys=("amount", "status")))
    assert "unknown name 'amuont'" in problem.message
    assert problem.mend == "did you mean 'amount'?"


def test_an_item_is_known_only_inside_its_loop() -> None:
    looping = graph(
        [step("each", ForEachNode("a", source="orders", item="order")), step("a", EXCLUSIVE, scope="each"),
         *steps("b c", scope="each"), step("after", EXCLUSIVE), *steps("d e")],
        [
            Edge("a", "b", condition="order.total > 3"), Edge("a", "c", default=True), Edge("each", "after"),
            Edge("after", "d", condition="order.total > 3"), Edge("after", "e", default=True),
        ],
        state_keys=("orders",),
    )  # fmt: skip
    assert only(looping).where == "edge 'after' → 'd'"


def test_steps_that_only_lead_to_each_other_are_all_unreachable() -> None:
    problems = validate_graph(graph(steps("a b c"), path("b", "c")))
    assert [(problem.code, problem.where) for problem in problems] == [
        ("unreachable_step", "step 'b'"),
        ("unreachable_step", "step 'c'"),
    ]


def test_a_loop_that_a_terminal_step_would_cancel_is_only_a_warning() -> None:
    doubtful = graph([*steps("a b"), step("c", terminal="instance")], [*path("a", "b", "b"), *path("a", "c")])
    assert [(problem.code, problem.is_warning) for problem in validate_graph(doubtful)] == [("endless_loop", True)]


def test_only_the_loop_is_reported_not_the_way_to_it() -> None:
    problem = only(graph(steps("a b c d"), path("a", "b", "c", "d", "c")))
    assert (problem.where, problem.message) == ("step 'c'", "no way leads out of the loop 'c', 'd'")


def test_an_inner_loop_with_two_entries_is_found_inside_a_loop_with_one() -> None:
    nested = graph(
        [*steps("head"), step("choose", EXCLUSIVE), *steps("x y check done")],
        [
            *path("head", "choose"), to("x", "left"), to("y", default=True), *path("x", "y"),
            Edge("y", "x", condition="again"), Edge("y", "check", condition="not again"),
            Edge("check", "head", condition="more"), Edge("check", "done", condition="not more"),
        ],
    )  # fmt: skip
    problem = only(nested)
    assert (problem.code, problem.where) == ("loop_with_two_entries", "step 'x'")


def test_competing_joins_are_reported_once_and_where_they_begin() -> None:
    """The two merges compete; what follows each of them is a consequence."""
    branches = graph(
        [step("split", PARALLEL), step("a", EXCLUSIVE), step("b", EXCLUSIVE), *steps("yes no"),
         *steps("x1 x2 y1 y2 later too")],
        [
            *path("split", "a"), *path("split", "b"),
            *(Edge(name, "yes", condition="ok") for name in "ab"),
            *(Edge(name, "no", default=True) for name in "ab"),
            *path("yes", "x1", "later"), *path("yes", "x2", "later"),
            *path("no", "y1", "too"), *path("no", "y2", "too"),
        ],
    )  # fmt: skip
    assert (only(branches).code, only(branches).where) == ("competing_joins", "step 'no'")


def test_failure_edges_of_parallel_branches_into_a_common_join_compete_with_the_success_join() -> None:
    doubtful = graph(
        [step("split", PARALLEL), *steps("a b done mend")],
        [
            *path("split", "a", "done"), *path("split", "b", "done"),
            Edge("a", "mend", Outcome.FAILURE), Edge("b", "mend", Outcome.FAILURE),
        ],
    )  # fmt: skip
    assert codes(doubtful) == ["competing_joins"]


def test_entries_of_a_parallel_group_are_concurrent() -> None:
    inner = [step("wait", TimerNode(5), scope="group"), *steps("work next", scope="group")]
    group = GroupNode("parallel", entry=("wait", "work"), callback="next")
    assert codes(inside(group, *inner, edges=[*path("wait", "next"), *path("work", "next")])) == [
        "timer_merged_with_work"
    ]


def test_a_timer_and_work_that_wait_explicitly_for_both_are_no_doubt() -> None:
    explicit = graph(
        [*steps("a"), step("wait", TimerNode(60)), *steps("work"), step("next", join=Join("all"))],
        [*path("a", "wait", "next"), *path("a", "work", "next")],
    )
    assert validate_graph(explicit) == []


def test_a_join_waits_for_a_branch_that_still_turns_in_its_loop() -> None:
    looping = graph(
        [step("split", PARALLEL), step("head", EXCLUSIVE), *steps("work b join after")],
        [
            *path("split", "head"), *path("split", "b", "join", "after"),
            Edge("head", "work", condition="again"), Edge("head", "join", default=True), *path("work", "head"),
        ],
    )  # fmt: skip
    concurrency = Concurrency(GraphView(looping), "")
    assert concurrency.together("work", "b")
    assert not concurrency.together("work", "join")
    assert not concurrency.together("work", "after")


def test_a_scope_too_large_to_compare_is_still_validated() -> None:
    names = [f"s{number}" for number in range(MAX_STEPS + 1)]
    large = graph(list(map(step, names)), [*path(*names), Edge(names[0], names[-1])])
    assert validate_graph(large) == []


def test_duplicate_names_are_reported_once_each_in_order() -> None:
    problems = duplicate_names(["b", "a", "b", "c", "a", "b"])
    assert [(problem.code, problem.where, problem.message) for problem in problems] == [
        ("duplicate_name", "step 'b'", "3 steps have this name"),
        ("duplicate_name", "step 'a'", "2 steps have this name"),
    ]
    assert duplicate_names(["a", "b"]) == []


def test_the_error_survives_pickling_with_its_problems() -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        require_valid(graph(steps("a b")))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.problems == caught.value.problems
    assert "step 'b'" in str(copy)


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "g"])
KINDS = st.one_of(
    st.just(MachineNode()),
    st.builds(HumanNode, due_s=st.none() | st.floats(), into=st.none() | NAMES),
    st.builds(GatewayNode, kind=st.sampled_from(["exclusive", "inclusive", "parallel"]), computed=st.booleans()),
    st.builds(TimerNode, delay_s=st.floats(), until=st.none() | st.text()),
    st.builds(
        GroupNode,
        kind=st.sampled_from(["sequential", "parallel", "conditional", "race"]),
        entry=st.lists(NAMES, max_size=3).map(tuple),
        branches=st.dictionaries(NAMES, NAMES, max_size=2),
        callback=st.none() | NAMES,
        selector=st.none() | st.text(max_size=5),
    ),
    st.builds(ForEachNode, body=NAMES, source=st.none() | NAMES),
)
NODES = st.builds(
    Node,
    name=NAMES,
    kind=KINDS,
    scope=st.just("") | NAMES,
    terminal=st.sampled_from(["", "", "branch", "instance"]),
    join=st.builds(Join, kind=st.sampled_from(["auto", "all", "any", "n", "each"]), count=st.integers(-1, 3)),
)
EDGES = st.builds(
    Edge,
    source=NAMES,
    target=NAMES,
    on=st.sampled_from(list(Outcome)),
    condition=st.none() | st.sampled_from(["a > 1", "b", "(", ""]),
    computed=st.booleans(),
    default=st.booleans(),
    named=st.booleans(),
)


@given(
    nodes=st.lists(NODES, max_size=6),
    edges=st.lists(EDGES, max_size=10),
    initial=NAMES,
    back_edges=st.lists(st.integers(-1, 12), max_size=3).map(tuple),
    state_keys=st.none() | st.lists(NAMES, max_size=3).map(tuple),
)
@settings(max_examples=200)
def test_any_graph_can_be_validated(
    nodes: list[Node],
    edges: list[Edge],
    initial: str,
    back_edges: tuple[int, ...],
    state_keys: tuple[str, ...] | None,
) -> None:
    built = WorkflowGraph(
        "w",
        "1",
        {node.name: node for node in nodes},
        tuple(edges),
        initial,
        back_edges=back_edges,
        state_keys=state_keys,
    )
    problems = validate_graph(built)
    assert problems == validate_graph(built)
    assert all(problem.message and problem.mend for problem in problems)
