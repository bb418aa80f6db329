"""An instance begins: at once, when its moment comes, or when it has a slot."""

from __future__ import annotations

from workflows_core.domain.commands import Start
from workflows_core.domain.events import WorkflowStarted
from workflows_core.domain.kernel.draft import Arrival, Draft
from workflows_core.domain.kernel.reopening import arm_deadline
from workflows_core.domain.program import Program
from workflows_core.domain.state import ROOT, InstanceState, Scope, Token
from workflows_core.domain.types import StepStatus

__all__ = ["begin", "initial_state", "start"]


def initial_state(program: Program, command: Start) -> InstanceState:
    """The state before the first transition of a new instance."""
    return InstanceState(
        id=command.instance_id,
        tenant=command.actor.tenant,
        workflow=program.graph.name,
        version=program.graph.version,
        graph_hash=program.graph.hash,
        scopes={ROOT: Scope(ROOT, data=command.data)},
        created_by=command.actor.id,
        started_at=command.now,
        metadata=command.metadata,
        priority=program.graph.priority if command.priority is None else command.priority,
    )


def start(draft: Draft, command: Start) -> None:
    """Let a new instance begin, or wait for the moment or the slot with which it does."""
    draft.scope(ROOT).writable_data()
    draft.emit(WorkflowStarted, workflow_version=draft.state.version)
    arm_deadline(draft, command.deadline_s, command.delay_s, command.begin_at)
    initial, number = draft.program.graph.initial, draft.number()
    draft.awaits_slot = draft.program.graph.concurrency is not None
    if command.delay_s <= 0 and command.begin_at is None and not draft.awaits_slot:
        draft.arrivals.append(Arrival(ROOT, initial, number, -1))
        return
    token = Token(number, initial, StepStatus.SCHEDULED, since=draft.now)
    draft.put(ROOT, token, delay_s=command.delay_s, due_at=command.begin_at)


def begin(draft: Draft, token: Token) -> None:
    """Let the token that waits for the beginning of its instance enter the first step."""
    draft.scope(ROOT).tokens.pop(token.id)
    draft.arrivals.append(Arrival(ROOT, token.node, token.id, token.via))
