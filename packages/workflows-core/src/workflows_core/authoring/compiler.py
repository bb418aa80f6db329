"""From what an author wrote to the graph that is stored and run, and the code that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
from packaging.version import InvalidVersion, Version

from workflows_core.authoring.code import StepCode
from workflows_core.authoring.edge import AnyEdge, End
from workflows_core.authoring.edge_compiler import EdgeCompiler
from workflows_core.authoring.report import Report
from workflows_core.authoring.schemas import read_schema
from workflows_core.authoring.step_compiler import StepCompiler
from workflows_core.authoring.storable import storable_graph
from workflows_core.domain.graph import Join, WorkflowGraph
from workflows_core.domain.problems import Problem
from workflows_core.domain.throttles import ConcurrencyLimit
from workflows_core.domain.typed_state import check_state_type, state_fields
from workflows_core.domain.types import Outcome
from workflows_core.domain.validation import validate_graph
from workflows_core.domain.validation.view import back_edges_of
from workflows_core.errors import DefinitionError

__all__ = ["Blueprint", "Compiled", "compile_blueprint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """Everything that an author says about a workflow; see `WorkflowDefinition` for the meaning."""

    name: str
    version: str
    description: str
    steps: Mapping[str, Any] | Iterable[Any]
    edges: Iterable[AnyEdge]
    initial: End | None
    terminal: Iterable[End]
    reducers: Mapping[str, str]
    state: type | None
    input_schema: Mapping[str, Any] | type | None
    deadline: timedelta | None
    queue: str | None
    priority: int
    concurrency: ConcurrencyLimit | int | None
    owner: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What became of a blueprint.

    Attributes:
        graph: The graph; as good as it gets where there are errors.
        steps: Step objects of the top by name.
        code: Code by name of the step.
        conditions: Conditions in code by index of their edge in the graph.
        state_type: The type of the state; None for untyped data.
        problems: All errors and warnings.
    """

    graph: WorkflowGraph
    steps: Mapping[str, Any]
    code: Mapping[str, StepCode]
    conditions: Mapping[int, Callable[..., Any]]
    state_type: type | None
    problems: tuple[Problem, ...]


def compile_blueprint(blueprint: Blueprint) -> Compiled:
    """Compile a workflow; never fails, but reports everything that is wrong."""
    report = Report(blueprint.name)
    queue = _queue(blueprint, report)
    steps = StepCompiler(report, blueprint.owner, queue or "default")
    if isinstance(blueprint.steps, Mapping):
        for name, source in blueprint.steps.items():
            steps.add(source, name)
    else:
        for source in blueprint.steps:
            steps.add(source)
    steps.refuse_duplicates()
    edges = EdgeCompiler(steps, report)
    edges.add_all(blueprint.edges)
    _end_at(blueprint.terminal, steps, edges)
    _default_joins(steps, edges)
    state_type, state_keys = _state(blueprint, report)
    _check_version(blueprint, report)
    graph = WorkflowGraph(
        name=blueprint.name,
        version=blueprint.version,
        nodes=steps.nodes,
        edges=(*edges.edges, *steps.inner_edges),
        initial=_initial(blueprint, steps, edges),
        description=blueprint.description,
        reducers=dict(blueprint.reducers),
        input_schema=read_schema(blueprint.input_schema, "", "input_schema", report),
        state_keys=state_keys,
        deadline_s=_deadline(blueprint, report),
        queue=queue,
        priority=_priority(blueprint, report),
        concurrency=_concurrency(blueprint, report),
    )
    return Compiled(
        graph=_checked(graph, report),
        steps=steps.steps,
        code=_routed(steps, edges),
        conditions=edges.conditions,
        state_type=state_type,
        problems=tuple(report.problems),
    )


def _initial(blueprint: Blueprint, steps: StepCompiler, edges: EdgeCompiler) -> str:
    """The step that the author named, else the first one."""
    if blueprint.initial is not None:
        return edges.name_of(blueprint.initial, "", blueprint.initial)
    return next(iter(steps.steps), "")


def _end_at(terminal: Iterable[End], steps: StepCompiler, edges: EdgeCompiler) -> None:
    """Mark the steps that the author listed as terminal."""
    for end in [terminal] if isinstance(terminal, str) else terminal:
        name = edges.name_of(end, end, "")
        node = steps.nodes.get(name)
        if node is None:
            edges.refuse_unknown(name)
        elif not node.terminal:
            steps.nodes[name] = msgspec.structs.replace(node, terminal="branch")


def _default_joins(steps: StepCompiler, edges: EdgeCompiler) -> None:
    """A step that is only entered after failures and timeouts runs once for each of them, unless it says otherwise."""
    entered: dict[str, set[Outcome]] = {}
    for edge in edges.edges:
        entered.setdefault(edge.target, set()).add(edge.on)
    for name, step in steps.steps.items():
        outcomes = entered.get(name, set())
        if getattr(step, "join", None) is None and outcomes and outcomes <= {Outcome.FAILURE, Outcome.TIMEOUT}:
            steps.nodes[name] = msgspec.structs.replace(steps.nodes[name], join=Join("each"))


def _routed(steps: StepCompiler, edges: EdgeCompiler) -> dict[str, StepCode]:
    """The code, with a mark where the result names the successors."""
    routing = {edge.source for edge in edges.edges if edge.named}
    return {name: replace(code, routes=True) if name in routing else code for name, code in steps.code.items()}


def _state(blueprint: Blueprint, report: Report) -> tuple[type | None, tuple[str, ...] | None]:
    if blueprint.state is None:
        return None, None
    try:
        check_state_type(blueprint.state)
    except DefinitionError as error:
        report.about_workflow("bad_state", str(error), "or leave the state out, and use context.data")
        return None, None
    return blueprint.state, tuple(sorted(state_fields(blueprint.state)))


def _deadline(blueprint: Blueprint, report: Report) -> float | None:
    deadline: Any = blueprint.deadline
    if deadline is None or isinstance(deadline, timedelta):
        return None if deadline is None else deadline.total_seconds()
    report.about_workflow("bad_type", f"its deadline is {deadline!r}", "write a timedelta")
    return None


def _queue(blueprint: Blueprint, report: Report) -> str | None:
    queue: Any = blueprint.queue
    if queue is None or isinstance(queue, str):
        return queue or None
    report.about_workflow("bad_type", f"its queue is {queue!r}", "write the name of a queue")
    return None


def _priority(blueprint: Blueprint, report: Report) -> int:
    priority: Any = blueprint.priority
    if isinstance(priority, int) and not isinstance(priority, bool):
        return priority
    report.about_workflow("bad_type", f"its priority is {priority!r}", "write a whole number")
    return 0


def _concurrency(blueprint: Blueprint, report: Report) -> ConcurrencyLimit | None:
    match blueprint.concurrency:
        case None | ConcurrencyLimit() as limit:
            return limit
        case int() as number if not isinstance(number, bool):
            return ConcurrencyLimit(number)
        case other:
            report.about_workflow("bad_type", f"its concurrency is {other!r}", "write a ConcurrencyLimit, or a number")
            return None


def _check_version(blueprint: Blueprint, report: Report) -> None:
    try:
        Version(blueprint.version)
    except (InvalidVersion, TypeError):
        message = f"its version is {blueprint.version!r}, which has no place in an order of versions"
        report.about_workflow("bad_version", message, "write it as PEP 440 has it, such as 1.2.0")


def _checked(graph: WorkflowGraph, report: Report) -> WorkflowGraph:
    """The graph as it is stored, with its back edges; what is wrong with it is reported."""
    stored = storable_graph(graph, report)
    if stored is None:
        return graph
    stored = msgspec.structs.replace(stored, back_edges=back_edges_of(stored))
    report.problems.extend(validate_graph(stored))
    return stored
