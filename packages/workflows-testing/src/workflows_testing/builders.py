"""Graphs and instances for tests: small real graphs, and instances that the real kernel moves.

    run = an_instance(a_graph("pick", "pack"))
    await store.commit([run.start(take="pick", worker="w1", lease_s=30)])
    await store.commit([run.complete("pick", result=7, held=Held(number, fence, "w1"))])

Every method of a `Run` that asks the kernel gives the `Write` for the store and goes on to the state after it, as a worker does
that knows nothing else. Where a store refused the write, or somebody else moved the instance, set `Run.state` to what the store has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

import msgspec

from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import (
    Cancel,
    Command,
    CompleteStep,
    CompleteTask,
    Discard,
    FailStep,
    FireTimer,
    Place,
    ReassignTask,
    Retry,
    Start,
    Writes,
)
from workflows_core.domain.expressions import compile_expression
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.identity import task_id
from workflows_core.domain.kernel import decide, initial_state
from workflows_core.domain.payload import decode_value, encode_payload
from workflows_core.domain.program import Program
from workflows_core.domain.state import ErrorInfo, InstanceState, Token
from workflows_core.domain.transition import Transition, WorkItem
from workflows_core.ports.store import Held, StartKey, Write
from workflows_testing.graphs import (
    a_for_each_graph,
    a_graph,
    a_mixed_graph,
    a_nested_for_each_graph,
    a_nested_group_graph,
    a_parallel_graph,
    a_task_graph,
    a_timer_graph,
    a_webhook_graph,
    build_graph,
)

__all__ = [
    "START",
    "Run",
    "WriteOptions",
    "a_for_each_graph",
    "a_graph",
    "a_mixed_graph",
    "a_nested_for_each_graph",
    "a_nested_group_graph",
    "a_parallel_graph",
    "a_program",
    "a_task_graph",
    "a_timer_graph",
    "a_webhook_graph",
    "an_instance",
    "build_graph",
    "with_transition",
    "with_work",
]

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Time of decisions unless another is given; also when a `ManualClock` begins."""

_ids = Uuid7Generator()


def a_program(graph: WorkflowGraph) -> Program:
    """A graph made ready for the kernel, with the condition language and the payload encoding of the product."""
    return Program(graph, compile_condition=compile_expression, encode=encode_payload, decode=decode_value)


def an_instance(
    graph: WorkflowGraph | None = None,
    *,
    data: Mapping[str, Any] | None = None,
    metadata: Any = None,
    actor: Actor | None = None,
    tenant: str = "",
    id: UUID | None = None,
    now: datetime = START,
) -> Run:
    """An instance that is not started yet; of `a_graph` unless a graph is given.

    Args:
        graph: What runs.
        data: Initial data, encoded as the product does.
        metadata: Immutable metadata, likewise.
        actor: Who starts it; by default ``ann`` of the tenant.
        tenant: Tenant of that actor.
        id: Identity; a new one unless given.
        now: Time of the decisions, until `Run.now` is set.
    """
    starter = actor or Actor("ann", tenant=tenant)
    encoded = {key: encode_payload(value) for key, value in (data or {}).items()}
    start = Start(
        instance_id=id or _ids.new(),
        data=encoded,
        actor=starter,
        now=now,
        metadata=None if metadata is None else encode_payload(metadata),
    )
    program = a_program(graph or a_graph())
    return Run(program, start, initial_state(program, start), now)


class WriteOptions(TypedDict, total=False):
    """What a write says beside its transition.

    Attributes:
        held: The work item under which it is decided.
        take: Step whose new work item the worker goes on with.
        worker: The worker that takes; that of ``held`` unless given.
        lease_s: Seconds of the lease on what is taken; 30 unless given.
        start_key: For the first transition.
    """

    held: Held | None
    take: str | None
    worker: str | None
    lease_s: float
    start_key: StartKey | None


def with_work(write: Write, **changes: Any) -> Write:
    """The write with these fields of every work item that it writes changed, for what graphs cannot say yet."""
    work = {
        number: None if item is None else msgspec.structs.replace(item, **changes)
        for number, item in write.transition.work.items()
    }
    return with_transition(write, work=work)


def with_transition(write: Write, **changes: Any) -> Write:
    """The write with these fields of its transition changed."""
    return msgspec.structs.replace(write, transition=msgspec.structs.replace(write.transition, **changes))


@dataclasses.dataclass
class Run:
    """One instance, moved by the real kernel.

    Attributes:
        program: The graph that runs.
        first: The command that starts it.
        state: The state on which the next decision is made.
        now: Time of the next decision.
        transition: The last decision; None before the first.
    """

    program: Program
    first: Start
    state: InstanceState
    now: datetime
    transition: Transition | None = None

    @property
    def id(self) -> UUID:
        """Identity of the instance."""
        return self.state.id

    @property
    def graph(self) -> WorkflowGraph:
        """The graph that runs."""
        return self.program.graph

    def find(self, step: str, *, scope: int | None = None) -> tuple[int, Token]:
        """The active token at a step with the scope that it is in; the one entered first, if several.

        Raises:
            LookupError: No token is there.
        """
        found = [
            (scope_id, token)
            for scope_id, inner in self.state.scopes.items()
            for token in inner.tokens.values()
            if token.node == step and scope in (None, scope_id)
        ]
        if not found:
            msg = f"step {step!r} is not active in revision {self.state.revision}"
            raise LookupError(msg)
        return min(found, key=lambda place: place[1].execution)

    def place(self, step: str, *, scope: int | None = None) -> Place:
        """The address of the step execution that is active at a step."""
        scope_id, token = self.find(step, scope=scope)
        return Place(scope_id, token.id, token.execution)

    def number(self, step: str, *, scope: int | None = None) -> int:
        """Number of the token at a step, which is that of its work item."""
        return self.find(step, scope=scope)[1].id

    def item(self, step: str) -> WorkItem:
        """The work item for a step that the last decision wrote.

        Raises:
            LookupError: It wrote none.
        """
        for work in self.transition.work.values() if self.transition else ():
            if work is not None and work.step == step:
                return work
        msg = f"the last transition wrote no work item for step {step!r}"
        raise LookupError(msg)

    def task(self, step: str) -> UUID:
        """Identity of the task that is open at a step."""
        return task_id(self.id, self.find(step)[1].execution)

    def decide(self, command: Command, *, actor: str = "system", **options: Unpack[WriteOptions]) -> Write:
        """Ask the kernel, go on to the state that it gives, and make the write for the store."""
        return self.adopt(decide(self.program, self.state, command, actor), **options)

    def adopt(self, transition: Transition, **options: Unpack[WriteOptions]) -> Write:
        """Go on to the state that a transition gives, and make the write for the store."""
        self.transition = transition
        self.state = transition.state
        held, take = options.get("held"), options.get("take")
        return Write(
            id=_ids.new(),
            transition=transition,
            held=held,
            take=() if take is None else (self.item(take).number,),
            worker=options.get("worker") or (held.worker if held is not None else ""),
            lease_s=options.get("lease_s", 30.0),
            start_key=options.get("start_key"),
        )

    def rewrite(self, item: WorkItem, *, held: Held | None = None, take: bool = False, **changes: Any) -> Write:
        """A transition that the kernel does not make: it writes a work item anew with these fields changed.

        Args:
            item: The work item, as `item` gave it.
            held: The work item under which it is decided.
            take: Whether the worker of ``held`` goes on with it.
            **changes: Fields of the work item.
        """
        written = msgspec.structs.replace(item, **changes)
        write = with_transition(self.touch(held=held), work={item.number: written})
        return msgspec.structs.replace(write, take=(item.number,)) if take else write

    def touch(self, *, held: Held | None = None, **changes: Any) -> Write:
        """A transition that the kernel does not make: it changes these fields of the state, or nothing at all."""
        state = msgspec.structs.replace(self.state, revision=self.state.revision + 1, **changes)
        return self.adopt(Transition(state, "system"), held=held)

    def start(self, **options: Unpack[WriteOptions]) -> Write:
        """Start the instance."""
        return self.decide(self.first, actor=self.first.actor.id, **options)

    def complete(
        self,
        step: str,
        *,
        result: Any = None,
        changes: Mapping[str, Any] | None = None,
        scope: int | None = None,
        **options: Unpack[WriteOptions],
    ) -> Write:
        """Complete a machine step with a result and changes of the data."""
        encoded = {key: encode_payload(value) for key, value in (changes or {}).items()}
        command = CompleteStep(
            place=self.place(step, scope=scope),
            now=self.now,
            started_at=self.now,
            writes=Writes(encoded),
            result=None if result is None else encode_payload(result),
        )
        return self.decide(command, **options)

    def fail(self, step: str, message: str = "it broke", **options: Unpack[WriteOptions]) -> Write:
        """Fail a step for good."""
        error = ErrorInfo("RuntimeError", message, step)
        return self.decide(FailStep(place=self.place(step), now=self.now, error=error), **options)

    def fire(self, step: str, **options: Unpack[WriteOptions]) -> Write:
        """Let the moment of a timer come."""
        return self.decide(FireTimer(place=self.place(step), now=self.now), **options)

    def complete_task(
        self, step: str, form: Mapping[str, Any] | None = None, *, actor: str = "bob", comment: str | None = None
    ) -> Write:
        """Complete the task that is open at a step."""
        command = CompleteTask(
            place=self.place(step),
            now=self.now,
            task_id=self.task(step),
            actor=Actor(actor, tenant=self.state.tenant),
            form={key: encode_payload(value) for key, value in (form or {}).items()},
            form_document=encode_payload(dict(form or {})),
            comment=comment,
        )
        return self.decide(command, actor=actor)

    def reassign(self, step: str, assignee_id: str, *, actor: str = "bob") -> Write:
        """Give the task that is open at a step to somebody else."""
        command = ReassignTask(
            place=self.place(step), task_id=self.task(step), actor=Actor(actor), assignee_id=assignee_id
        )
        return self.decide(command, actor=actor)

    def retry(self, *, actor: str = "ann", **options: Unpack[WriteOptions]) -> Write:
        """Let the instance go on where it failed."""
        return self.decide(Retry(actor=Actor(actor), now=self.now), actor=actor, **options)

    def discard(self, *, actor: str = "ann") -> Write:
        """Give up an instance that failed."""
        return self.decide(Discard(actor=Actor(actor), now=self.now), actor=actor)

    def cancel(self, *, actor: str = "ann", **options: Unpack[WriteOptions]) -> Write:
        """Cancel the instance."""
        return self.decide(Cancel(actor=Actor(actor), now=self.now), actor=actor, **options)
