"""Steps and groups become nodes; groups are flattened, each into a scope of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

from workflows_core.authoring.code import StepCode, overridden
from workflows_core.authoring.groups import (
    ConditionalGroup,
    ForEach,
    ParallelGroup,
    RaceGroup,
    SequentialGroup,
    StepGroup,
)
from workflows_core.authoring.nodes import node_of, read_kind
from workflows_core.authoring.report import Report
from workflows_core.authoring.sources import NotAStepError, as_step, step_name
from workflows_core.authoring.standalone import output_keys
from workflows_core.domain.graph import Edge, ForEachNode, GroupNode, MachineNode, Node, NodeKind
from workflows_core.domain.validation import duplicate_names

__all__ = ["StepCompiler"]

FlattenedGroup: TypeAlias = SequentialGroup | ParallelGroup | ConditionalGroup | RaceGroup | ForEach


class StepCompiler:
    """Collects the nodes, the code and the inner edges of a workflow.

    Attributes:
        nodes: Nodes by name, in the order of the definition; the members of a group follow it.
        code: Code by name of the step.
        inner_edges: Edges inside groups.
        steps: Step objects of the top by name.
    """

    def __init__(self, report: Report, owner: object = None, queue: str = "default") -> None:
        self.nodes: dict[str, Node] = {}
        self.code: dict[str, StepCode] = {}
        self.inner_edges: list[Edge] = []
        self.steps: dict[str, Any] = {}
        self._written: list[tuple[Any, Any, str]] = []
        self._names: list[str] = []
        self._report = report
        self._owner = owner
        self._queue = queue

    def add(self, source: Any, name: str | None = None, scope: str = "") -> str:
        """Add a step, and all that is inside it.

        Args:
            source: What the author wrote.
            name: Its name, if it is not to have its own.
            scope: Group that holds it.

        Returns:
            Its name in the graph.
        """
        known = step_name(source) if name is None else name
        self._names.append(known)
        try:
            step = as_step(source, self._owner)
        except NotAStepError as error:
            self._report.about_step(known, "not_a_step", str(error), "write a step object, or a function with @step")
            self.nodes.setdefault(known, Node(known, MachineNode(), scope=scope, queue=self._queue))
            if not scope:
                self.steps.setdefault(known, source)
            return known
        self._written.append((source, step, known))
        if known in self.nodes:
            return known
        kind, code = self._read(known, step)
        for function in code.functions():
            self._report.refuse_unmarked(f"step {known!r}", function)
        self.nodes[known] = node_of(known, kind, code, scope, self._queue, self._report)
        self.code[known] = code
        if not scope:
            self.steps[known] = step
        elif getattr(step, "next", None) is not None:
            mend = "remove next; the group decides what follows"
            self._report.about_step(known, "next_in_group", f"it is inside {scope!r} and names its successors", mend)
        if isinstance(kind, GroupNode | ForEachNode):
            self._add_members(known, step)
        return known

    def named(self, end: Any) -> list[str]:
        """Names of the steps that were written as this object or class, or whose class it is."""
        found = [name for source, step, name in self._written if end is source or end is step]
        if not found and isinstance(end, type):
            found = [name for _, step, name in self._written if type(step) is end]
        return list(dict.fromkeys(found))

    def refuse_duplicates(self) -> None:
        """Report names that several steps have; to be called when all are added."""
        self._report.problems.extend(duplicate_names(self._names))

    def _read(self, name: str, step: Any) -> tuple[NodeKind, StepCode]:
        if not isinstance(step, FlattenedGroup) or overridden(step, "execute") is not None:
            return read_kind(name, step, self._report)
        hooks = ("can_execute", "on_success", "on_failure")
        self._report.refuse_hooks(name, step, type(step).__name__, *hooks)
        code = StepCode(step=step)
        match step:
            case ConditionalGroup() if asked := self._asked(name, "condition", step.condition):
                code = replace(code, prepare=step.choose, asked=asked)
            case ForEach() if asked := self._asked(name, "source", step.source):
                code = replace(code, prepare=step.items, asked=asked)
        return _group_kind(step), code

    def _asked(self, name: str, attribute: str, value: Any) -> dict[str, Callable[..., Any]]:
        """The code that a group asks, by the name of its attribute; empty if it has an expression instead."""
        if callable(value):
            return {attribute: value}
        if not isinstance(value, str):
            mend = "write an expression as text, or a callable of the context"
            self._report.about_step(name, "bad_type", f"{attribute} is {value!r}", mend)
        return {}

    def _add_members(self, name: str, group: StepGroup) -> None:
        """Add the steps of a group, to which its kind refers by name, and connect them."""
        members = (
            {id(step): step for step in group.members}.values()
            if isinstance(group, ConditionalGroup)
            else group.members
        )
        for member in members:
            self.add(member, scope=name)
        if isinstance(group, SequentialGroup):
            names = [step_name(step) for step in group.steps]
            self._connect(pairwise(names))
        elif isinstance(group, ParallelGroup) and group.callback is not None:
            callback = step_name(group.callback)
            self._connect((step_name(step), callback) for step in group.steps)

    def _connect(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.inner_edges.extend(Edge(source, target) for source, target in pairs)


def _group_kind(group: FlattenedGroup) -> GroupNode | ForEachNode:
    outputs, into = output_keys(group.outputs), group.into
    match group:
        case SequentialGroup():
            entry = tuple(map(step_name, group.steps[:1]))
            return GroupNode("sequential", entry, outputs=outputs, into=into)
        case ParallelGroup():
            callback = None if group.callback is None else step_name(group.callback)
            entry = tuple(map(step_name, group.steps))
            return GroupNode("parallel", entry, callback=callback, outputs=outputs, into=into)
        case RaceGroup():
            return GroupNode("race", tuple(map(step_name, group.steps)), outputs=outputs, into=into)
        case ConditionalGroup():
            branches = {key: step_name(step) for key, step in group.branches.items()}
            selector = group.condition if isinstance(group.condition, str) else None
            return GroupNode(
                "conditional",
                branches=branches,
                selector=selector,
                computed=selector is None,
                outputs=outputs,
                into=into,
            )
        case ForEach():
            source = group.source if isinstance(group.source, str) else None
            return ForEachNode(
                step_name(group.body),
                source=source,
                item=group.item,
                index=group.index,
                concurrency=group.concurrency,
                into=into,
                computed=source is None,
            )
