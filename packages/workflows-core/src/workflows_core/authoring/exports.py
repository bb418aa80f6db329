"""A definition as a document, for those whose steps need no code but that of a catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from workflows_core.authoring.document_types import (
    AnyStepDocument,
    ConditionalDocument,
    EdgeDocument,
    ForEachDocument,
    GatewayDocument,
    HumanDocument,
    MachineDocument,
    ParallelDocument,
    RaceDocument,
    RateDocument,
    SequentialDocument,
    SignalDocument,
    TimerDocument,
    WebhookDocument,
    WorkflowDocument,
)
from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    Node,
    SignalNode,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.problems import Problem
from workflows_core.domain.throttles import RateLimit
from workflows_core.domain.types import Outcome
from workflows_core.errors import InvalidDefinitionError

__all__ = ["document_of"]

_MEND = "write it as a catalogue step"


def document_of(graph: WorkflowGraph) -> dict[str, Any]:
    """The document of a workflow; `definition_from_document` makes the same graph of it.

    Raises:
        InvalidDefinitionError: The workflow needs code that no catalogue has; lists where.
    """
    problems = list(_code_of(graph))
    if problems:
        raise InvalidDefinitionError(graph.name, problems)
    document = WorkflowDocument(
        name=graph.name,
        version=graph.version,
        description=graph.description,
        steps=[_step(graph, node) for node in graph.members("")],
        edges=[_edge(edge) for edge in graph.edges if not edge.named and not graph.nodes[edge.source].scope],
        initial=graph.initial,
        reducers=graph.reducers,
        input_schema=graph.input_schema,
        deadline_s=graph.deadline_s,
        queue=graph.queue,
        priority=graph.priority,
        concurrency=graph.concurrency,
    )
    plain: dict[str, Any] = msgspec.to_builtins(document)
    return plain


def _code_of(graph: WorkflowGraph) -> Iterator[Problem]:
    """What of a workflow is code of the application."""
    if graph.state_keys is not None:
        yield Problem("needs_code", f"workflow {graph.name!r}", "its state has a type", "use untyped data")
    for node in graph.nodes.values():
        kind = node.kind
        where = f"step {node.name!r}"
        if isinstance(kind, MachineNode):
            if not kind.catalogue:
                yield Problem("needs_code", where, "it is written in code", _MEND)
        elif getattr(kind, "computed", False) or getattr(kind, "handler", False):
            yield Problem("needs_code", where, "some of its methods are written in code", _MEND)
    for edge in graph.edges:
        if edge.computed:
            where = f"edge {edge.source!r} → {edge.target!r}"
            yield Problem("needs_code", where, "its condition is written in code", "write it as an expression")


def _edge(edge: Edge) -> EdgeDocument:
    return EdgeDocument(
        source=edge.source, target=edge.target, on=edge.on, condition=edge.condition, default=edge.default
    )


def _step(graph: WorkflowGraph, node: Node) -> AnyStepDocument:
    kind = node.kind
    common = _common(graph, node)
    match kind:
        case MachineNode():
            return MachineDocument(
                catalogue=kind.catalogue, config=kind.config, transactional=kind.transactional, **common
            )
        case HumanNode():
            common["priority"] = kind.priority
            common["description"] = kind.description or ""
            common["summary"] = "" if node.description == kind.description else node.description
            settings = {name: getattr(kind, name) for name in _HUMAN}
            users, groups = list(kind.candidate_users), list(kind.candidate_groups)
            return HumanDocument(candidate_users=users, candidate_groups=groups, **settings, **common)
        case GatewayNode():
            return GatewayDocument(kind=kind.kind, **common)
        case TimerNode():
            return TimerDocument(delay_s=kind.delay_s, until=kind.until, **common)
        case WebhookNode():
            return WebhookDocument(payload_schema=kind.payload_schema, into=kind.into, **common)
        case SignalNode():
            return SignalDocument(signal=kind.signal, payload_schema=kind.payload_schema, into=kind.into, **common)
        case ForEachNode():
            common |= {name: getattr(kind, name) for name in ("item", "index", "concurrency", "into")}
            body = _step(graph, graph.nodes[kind.body])
            return ForEachDocument(source=kind.source or "", body=body, **common)
        case GroupNode():
            return _group(graph, kind, {**common, "outputs": kind.outputs, "into": kind.into})


_HUMAN = ("title", "form_schema", "assignee", "due_s", "reminder_s", "into")


def _common(graph: WorkflowGraph, node: Node) -> dict[str, Any]:
    named = [edge.target for edge in graph.edges if edge.source == node.name and edge.named]
    join: Any = node.join.count if node.join.kind == "n" else node.join.kind
    if join == "auto" and not _only_after_failures(graph, node):
        join = None
    return {
        "name": node.name,
        "description": node.description,
        "join": join,
        "terminal": {"": False, "branch": True, "instance": "instance"}[node.terminal],
        "queue": None if node.queue == (graph.queue or "default") else node.queue,
        "priority": node.priority,
        "next": named or None,
        "retry": node.retry,
        "timeout_s": node.timeout_s,
        "attempt_timeout_s": node.attempt_timeout_s,
        "heartbeat_s": node.heartbeat_s,
        "concurrency": node.concurrency,
        "rate": _rate(node.rate),
    }


def _rate(rate: RateLimit | None) -> RateDocument | None:
    if rate is None:
        return None
    return RateDocument(limit=rate.limit, per_s=rate.per.total_seconds(), key=rate.key, name=rate.name)


def _only_after_failures(graph: WorkflowGraph, node: Node) -> bool:
    """Whether leaving out ``join`` would mean ``each``."""
    outcomes = {edge.on for edge in graph.edges if edge.target == node.name}
    return bool(outcomes) and outcomes <= {Outcome.FAILURE, Outcome.TIMEOUT}


def _group(graph: WorkflowGraph, kind: GroupNode, common: dict[str, Any]) -> AnyStepDocument:
    entry = [_step(graph, graph.nodes[name]) for name in kind.entry]
    match kind.kind:
        case "sequential":
            chain = [_step(graph, graph.nodes[name]) for name in _chain(graph, kind.entry[0])]
            return SequentialDocument(steps=chain, **common)
        case "parallel":
            callback = None if kind.callback is None else _step(graph, graph.nodes[kind.callback])
            return ParallelDocument(steps=entry, callback=callback, **common)
        case "race":
            return RaceDocument(steps=entry, **common)
        case "conditional":
            branches = {key: _step(graph, graph.nodes[name]) for key, name in kind.branches.items()}
            return ConditionalDocument(selector=kind.selector or "", branches=branches, **common)


def _chain(graph: WorkflowGraph, first: str) -> Iterator[str]:
    """The steps of a sequence, from its entry on."""
    name: str | None = first
    while name is not None:
        yield name
        name = next((edge.target for edge in graph.outgoing(name)), None)
