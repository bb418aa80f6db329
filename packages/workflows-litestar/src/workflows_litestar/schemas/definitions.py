"""Definitions and their drawings, as clients see them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from workflows_core.domain.graph import Edge, Node, WorkflowGraph
from workflows_core.domain.types import Outcome, StepStatus, StepType

__all__ = ["DefinitionVersionDTO", "EdgeDTO", "GraphDTO", "GraphFormat", "StepDTO", "WorkflowDefinitionDTO"]

GraphFormat = Literal["mermaid", "dot", "json"]


class StepDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a definition."""

    name: str
    step_type: StepType
    description: str
    group: Annotated[str | None, Meta(description="Group that holds it; null at the top.")]
    queue: Annotated[str, Meta(description="Whose workers may run it.", examples=["default"])]
    priority: Annotated[int | None, Meta(description="Of its work; null is that of the instance.")]

    @classmethod
    def of(cls, node: Node) -> StepDTO:
        """Show a step."""
        return cls(
            name=node.name,
            step_type=node.step_type,
            description=node.description,
            group=node.scope or None,
            queue=node.queue,
            priority=node.priority,
        )


class EdgeDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A possible move from one step to another."""

    source: str
    target: str
    on: Annotated[Outcome, Meta(description="Outcome of the source that the edge belongs to.")]
    condition: Annotated[str | None, Meta(description="Expression that must hold.", examples=["amount > 1000"])]
    is_default: Annotated[bool, Meta(description="Taken when no conditional edge holds.")]

    @classmethod
    def of(cls, edge: Edge) -> EdgeDTO:
        """Show an edge."""
        return cls(
            source=edge.source, target=edge.target, on=edge.on, condition=edge.condition, is_default=edge.default
        )


class WorkflowDefinitionDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow definition."""

    name: Annotated[str, Meta(examples=["document_approval"])]
    version: Annotated[str, Meta(examples=["1.0.0"])]
    description: str
    steps: Annotated[list[str], Meta(description="Names of all steps, in the order of their definition.")]
    edges: Annotated[list[EdgeDTO], Meta(description="In the order of their evaluation.")]
    initial_step: str
    terminal_steps: Annotated[list[str], Meta(description="Steps at which a branch ends.")]
    step_details: Annotated[list[StepDTO], Meta(description="The steps with their types, in the same order.")]
    input_schema: Annotated[
        dict[str, Any] | None, Meta(description="JSON Schema of the initial data; null accepts any object.")
    ]
    priority: Annotated[int, Meta(description="Of instances whose start names none; higher is taken first.")]
    graph_hash: Annotated[str, Meta(description="Identity of the content.")]

    @classmethod
    def of(cls, graph: WorkflowGraph) -> WorkflowDefinitionDTO:
        """Show a definition."""
        return cls(
            name=graph.name,
            version=graph.version,
            description=graph.description,
            steps=list(graph.nodes),
            edges=[EdgeDTO.of(edge) for edge in graph.edges],
            initial_step=graph.initial,
            terminal_steps=list(graph.terminal_steps),
            step_details=[StepDTO.of(node) for node in graph.nodes.values()],
            input_schema=graph.input_schema,
            priority=graph.priority,
            graph_hash=graph.hash,
        )


class DefinitionVersionDTO(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a workflow."""

    version: Annotated[str, Meta(examples=["1.0.0"])]
    graph_hash: Annotated[str, Meta(description="Identity of the content.")]
    is_latest: Annotated[bool, Meta(description="Whether a start without a version takes it.")]


class GraphDTO(msgspec.Struct, frozen=True, kw_only=True):
    """A drawing of a workflow."""

    format: GraphFormat
    graph: Annotated[
        str | dict[str, Any],
        Meta(
            description="Text of the diagram; for `json` the graph itself.",
            examples=["flowchart TD\n  submit --> review"],
        ),
    ]
    workflow_name: str
    workflow_version: str
    step_states: Annotated[
        dict[str, StepStatus],
        Meta(description="For instances: what each step is, or how it ended last; steps never entered are left out."),
    ]
