"""A workflow as its author wrote it, compiled: the graph, and the code of its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

from workflows_core.authoring.code import ContextFunction, StepCode
from workflows_core.authoring.compiler import Blueprint, compile_blueprint
from workflows_core.authoring.edge import AnyEdge, End
from workflows_core.authoring.exports import document_of
from workflows_core.domain import diagrams
from workflows_core.domain.graph import Edge, WorkflowGraph
from workflows_core.domain.problems import Problem
from workflows_core.domain.throttles import ConcurrencyLimit
from workflows_core.errors import InvalidDefinitionError

__all__ = ["WorkflowDefinition"]

Condition: TypeAlias = ContextFunction[bool]


class WorkflowDefinition:
    """A workflow, ready to be registered. It is compiled and checked when it is made, and does not change afterwards.

    Attributes:
        name: Name of the workflow.
        version: Its version, ordered as PEP 440 orders versions.
        description: For people.
        steps: Step objects by name; those inside groups are in `code`.
        edges: Edges of the graph, in their order.
        initial_step: Name of the first step.
        terminal_steps: Names of the steps at which a token ends.
        graph: The workflow as data.
        code: Code of every step, also of those inside groups, by name.
        conditions: Conditions in code by index of their edge in ``graph.edges``.
        state_type: Type of ``context.state``; None when the data are untyped.
        input_schema: JSON Schema of the initial data; None accepts any.
        warnings: What is doubtful about it.
    """

    __slots__ = ("__weakref__", "code", "conditions", "graph", "state_type", "steps", "warnings")

    def __init__(
        self,
        name: str,
        version: str = "1.0.0",
        description: str = "",
        steps: Mapping[str, Any] | Iterable[Any] = (),
        edges: Iterable[AnyEdge] = (),
        initial_step: End | None = None,
        terminal_steps: Iterable[End] = (),
        *,
        reducers: Mapping[str, str] | None = None,
        state: type | None = None,
        input_schema: Mapping[str, Any] | type | None = None,
        deadline: timedelta | None = None,
        queue: str | None = None,
        priority: int = 0,
        concurrency: ConcurrencyLimit | int | None = None,
        owner: object = None,
    ) -> None:
        """Compile a workflow.

        Args:
            name: Name of the workflow.
            version: Its version.
            description: For people.
            steps: Steps by name, or steps that have names: objects, classes, groups and functions with ``@step``. The key of a
                mapping wins over the step's own name.
            edges: `Edge` objects, or tuples of source, target and, where there is one, condition.
            initial_step: First step; the first of ``steps`` if it is left out.
            terminal_steps: Steps at which a token ends; those that nothing follows need not be listed.
            reducers: Name of the reducer (``sum``, ``append`` …) by data key, for ``context.add``.
            state: A msgspec Struct or dataclass: the type of ``context.state``.
            input_schema: JSON Schema of the initial data, or a msgspec Struct or dataclass; None accepts any.
            deadline: Time after its start at which an instance fails if it is not over.
            queue: Queue of the steps that name none, and of the work that belongs to no step; None is ``default``, and for the latter
                the queue of the first step.
            priority: Of the instances' work among what is due, higher is taken first, unless a start or a step says otherwise.
            concurrency: How many instances may be under way at once; others are ``pending``. A number is a limit without a key.
            owner: Object to whose methods functions with ``@step`` belong.

        Raises:
            InvalidDefinitionError: The workflow cannot run as it is; lists everything that is wrong with it.
        """
        compiled = compile_blueprint(
            Blueprint(
                name=name,
                version=version,
                description=description,
                steps=steps,
                edges=edges,
                initial=initial_step,
                terminal=terminal_steps,
                reducers=reducers or {},
                state=state,
                input_schema=input_schema,
                deadline=deadline,
                queue=queue,
                priority=priority,
                concurrency=concurrency,
                owner=owner,
            )
        )
        errors = [problem for problem in compiled.problems if not problem.is_warning]
        if errors:
            raise InvalidDefinitionError(name, errors)
        self.graph: WorkflowGraph = compiled.graph
        self.steps: Mapping[str, Any] = MappingProxyType(dict(compiled.steps))
        self.code: Mapping[str, StepCode] = MappingProxyType(dict(compiled.code))
        self.conditions: Mapping[int, Condition] = MappingProxyType(dict(compiled.conditions))
        self.state_type: type | None = compiled.state_type
        self.warnings: tuple[Problem, ...] = compiled.problems

    @property
    def name(self) -> str:
        """Name of the workflow."""
        return self.graph.name

    @property
    def version(self) -> str:
        """Its version."""
        return self.graph.version

    @property
    def description(self) -> str:
        """For people."""
        return self.graph.description

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Edges of the graph, in their order."""
        return self.graph.edges

    @property
    def initial_step(self) -> str:
        """Name of the first step."""
        return self.graph.initial

    @property
    def terminal_steps(self) -> frozenset[str]:
        """Names of the steps at which a token ends."""
        return frozenset(self.graph.terminal_steps)

    @property
    def input_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the initial data; None accepts any."""
        return self.graph.input_schema

    def get_graph(self) -> WorkflowGraph:
        """The workflow as data."""
        return self.graph

    def validate(self) -> list[Problem]:
        """What is doubtful about the workflow; what is wrong was refused when it was made."""
        return list(self.warnings)

    def to_mermaid(self, *, direction: str = "TD") -> str:
        """The workflow as a Mermaid flowchart; ``direction`` is one of TD, TB, BT, LR and RL."""
        return diagrams.to_mermaid(self.graph, direction=direction)

    def to_mermaid_with_state(self, **state: Any) -> str:
        """The workflow as a Mermaid flowchart that shows how far an instance is.

        Args:
            **state: ``current_steps``, ``completed_steps``, ``failed_steps``, ``waiting_steps``, ``skipped_steps``: names;
                and ``direction``.
        """
        return diagrams.to_mermaid_with_state(self.graph, **state)

    def to_graphviz(self) -> str:
        """The workflow in Graphviz's language DOT."""
        return diagrams.to_graphviz(self.graph)

    def to_json(self) -> str:
        """The graph as JSON: the same text for the same workflow."""
        return self.graph.to_json().decode()

    def to_document(self) -> dict[str, Any]:
        """The workflow as data that `definition_from_document` reads.

        Raises:
            InvalidDefinitionError: It needs code that no catalogue has; lists where.
        """
        return document_of(self.graph)

    def __repr__(self) -> str:
        return f"<WorkflowDefinition {self.name} {self.version}: {len(self.graph.nodes)} steps>"
