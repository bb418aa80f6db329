"""Drawings of definitions and of instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from workflows_core import StepStatus, WorkflowEngine, WorkflowGraph, WorkflowInstance
from workflows_core.domain.diagrams import to_graphviz, to_mermaid_with_state
from workflows_litestar.schemas.definitions import GraphDTO, GraphFormat

__all__ = ["draw", "step_states"]


def draw(graph: WorkflowGraph, kind: GraphFormat, states: Mapping[str, StepStatus] | None = None) -> GraphDTO:
    """Draw a graph, with the state of its steps where an instance has one."""
    known = states if states is not None else {}
    drawing: str | dict[str, Any]
    match kind:
        case "mermaid":
            drawing = _mermaid(graph, known)
        case "dot":
            drawing = to_graphviz(graph)
        case "json":
            drawing = msgspec.to_builtins(graph)
    return GraphDTO(
        format=kind,
        graph=drawing,
        workflow_name=graph.name,
        workflow_version=graph.version,
        step_states=dict(known),
    )


async def step_states(engine: WorkflowEngine, instance: WorkflowInstance) -> dict[str, StepStatus]:
    """What each step is: active, or how its last execution ended; steps that were never entered are left out."""
    found = await engine.store.load(instance.id, tenant=instance.tenant_id)
    ended = {step: last.status for step, last in found.state.last.items()} if found is not None else {}
    return ended | {step.step_name: step.status for step in instance.active_steps}


def _mermaid(graph: WorkflowGraph, states: Mapping[str, StepStatus]) -> str:
    def having(*wanted: StepStatus) -> list[str]:
        return [step for step, status in states.items() if status in wanted]

    return to_mermaid_with_state(
        graph,
        current_steps=having(StepStatus.PENDING, StepStatus.SCHEDULED, StepStatus.RUNNING),
        waiting_steps=having(StepStatus.WAITING),
        completed_steps=having(StepStatus.SUCCEEDED),
        failed_steps=having(StepStatus.FAILED),
        skipped_steps=having(StepStatus.SKIPPED),
    )
