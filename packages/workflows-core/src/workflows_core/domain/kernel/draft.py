"""The working copy of one decision: what the other modules of the kernel write on, and the transition made of it."""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from workflows_core.domain.events import Event, HumanTaskCanceled, HumanTaskCreated, WorkflowEvent
from workflows_core.domain.identity import task_id
from workflows_core.domain.kernel.marking import OpenScope, final_scopes, holds, status_of, within
from workflows_core.domain.kernel.throttling import admitted, throttled
from workflows_core.domain.program import Program
from workflows_core.domain.state import ROOT, ErrorInfo, InstanceState, Items, LastExecution, Scope, Token
from workflows_core.domain.transition import (
    ItemRange,
    StepExecution,
    TaskChange,
    TaskOpening,
    Transition,
    WorkItem,
    WorkKind,
)
from workflows_core.domain.types import StepStatus, TaskStatus, WorkflowStatus
from workflows_core.errors import ItemsNotLoadedError

__all__ = ["Arrival", "Draft", "webhook_key"]


def webhook_key(scope_id: int, step: str, visit: int) -> str:
    """Under which a call is buffered that came before its step."""
    return f"{scope_id}/{step}/{visit}"


class Arrival(NamedTuple):
    """A token on its way into a step."""

    scope: int
    node: str
    token: int
    via: int


class Draft:
    """A state being changed.

    Attributes:
        program: The graph that runs.
        state: The state before.
        actor: Who asks.
        now: Time of the decision, for records only.
        opened: Scopes that were opened for writing, by id.
        arrivals: Tokens on their way into a step.
        entering: Scopes and tokens whose execution is there and waits to enter its step.
        dirty: Scopes whose joins or end must be looked at.
        left: Inner scopes that a token has left, the last one last.
        closed: Inner scopes that have ended or were cancelled.
        pending_items: Items to be stored that are not yet active, by scope id.
        status: Set when the decision ends the instance.
        error: Why the instance failed.
        parked: Why it waits for an operator.
        has_deadline: Whether a work item waits for its deadline.
        buffered: Webhook calls that came before their step.
        signals: Signals for which no step is waiting.
        signal_keys: Deduplication keys of the last signals.
        reopened: Finished executions that are open again.
        awaits_slot: Whether the instance may have to wait for a slot of its own.
    """

    __slots__ = (
        "_last",
        "actor",
        "arrivals",
        "awaits_slot",
        "buffered",
        "closed",
        "counter",
        "dirty",
        "dropped_items",
        "entering",
        "error",
        "events",
        "executions",
        "has_deadline",
        "item_results",
        "left",
        "now",
        "opened",
        "opened_tasks",
        "parked",
        "pending_items",
        "program",
        "reopened",
        "signal_keys",
        "signals",
        "state",
        "status",
        "tasks",
        "work",
    )

    def __init__(self, program: Program, state: InstanceState, actor: str, now: datetime | None) -> None:
        self.program = program
        self.state = state
        self.actor = actor
        self.now = now
        self.counter = state.counter
        self.opened: dict[int, OpenScope] = {}
        self.pending_items: dict[int, Scope] = {}
        self.arrivals: deque[Arrival] = deque()
        self.entering: list[tuple[int, Token]] = []
        self.dirty: set[int] = set()
        self.left: list[int] = []
        self.closed: set[int] = set()
        self.executions: list[StepExecution] = []
        self.work: dict[int, WorkItem | None] = {}
        self.opened_tasks: list[TaskOpening] = []
        self.tasks: list[TaskChange] = []
        self.events: list[Event] = []
        self.item_results: dict[int, bytes] = {}
        self.dropped_items: list[ItemRange] = []
        self.buffered = state.buffered
        self.signals = state.signals
        self.signal_keys = state.signal_keys
        self._last: dict[str, LastExecution] | None = None
        self.status: WorkflowStatus | None = None
        self.error: ErrorInfo | None = state.error
        self.parked = state.parked
        self.has_deadline = state.has_deadline
        self.reopened: list[int] = []
        self.awaits_slot = state.awaits_slot

    # Scopes and tokens

    def scope(self, scope_id: int) -> OpenScope:
        """Open a scope for writing.

        Raises:
            ItemsNotLoadedError: It is the scope of an item that is not in the state.
        """
        try:
            return self.opened[scope_id]
        except KeyError:
            origin = self.state.scopes.get(scope_id)
            if origin is None:
                raise ItemsNotLoadedError(self.state.id) from None
            opened = self.opened[scope_id] = OpenScope(origin)
            return opened

    def look(self, scope_id: int) -> OpenScope | Scope | None:
        """A scope as it is now, without opening it; None if it is not in the state."""
        return self.opened.get(scope_id) or self.state.scopes.get(scope_id)

    def container(self, scope_id: int) -> tuple[int, Token]:
        """The scope around an open inner scope, and the token there whose step opened it."""
        origin = self.scope(scope_id).origin
        return origin.parent, self.scope(origin.parent).tokens[origin.token]

    def is_open(self, scope_id: int) -> bool:
        """Whether an inner scope still belongs to a token: it has neither ended nor been cancelled."""
        if scope_id in self.closed:
            return False
        origin = self.scope(scope_id).origin
        token = self.scope(origin.parent).tokens.get(origin.token)
        return token is not None and holds(token, scope_id)

    def is_ending(self, scope_id: int) -> bool:
        """Whether a scope, or one around it, is being ended after a failure or a cancellation."""
        current = scope_id if self.program.can_undo else -1
        while current >= 0:
            scope = self.scope(current)
            if scope.failing is not None:
                return True
            current = scope.origin.parent if current != ROOT else -1
        return False

    def active_items(self, items: Items) -> list[int]:
        """The scopes of the active items of a ``ForEach``.

        Raises:
            ItemsNotLoadedError: Not all of them are in the state.
        """
        known = {*self.state.scopes, *self.opened} - self.closed
        active = sorted(scope_id for scope_id in known if items.first <= scope_id < items.first + items.total)
        if len(active) != items.started - items.done:
            raise ItemsNotLoadedError(self.state.id)
        return active

    def require_items(self) -> None:
        """See to it that no active item is missing.

        Raises:
            ItemsNotLoadedError: Not all of them are in the state.
        """
        for scope in self.state.scopes.values():
            for token in scope.tokens.values():
                if token.items is not None:
                    self.active_items(token.items)

    def add_scope(self, node: str, parent: int, token: int) -> int:
        """Open the inner scope of a group."""
        scope_id = self.number()
        home = self.scope(parent).origin.home
        self.opened[scope_id] = OpenScope(Scope(scope_id, node, parent, token, home=home))
        return scope_id

    def close_scope(self, scope_id: int) -> None:
        """Forget an inner scope: its tokens, and calls that came early. Tokens on their way into it never arrive.

        What would have to be undone in it is from now on the business of the scope around it.
        """
        scope = self.scope(scope_id)
        scope.tokens.clear()
        if scope.undo:
            around = self.scope(scope.origin.parent)
            around.undo = (*around.undo, *scope.undo)
            scope.undo = ()
        self.closed.add(scope_id)
        if self.buffered:
            prefix = f"{scope_id}/"
            self.buffered = {key: raw for key, raw in self.buffered.items() if not key.startswith(prefix)}

    def drop_items(self, items: Items) -> None:
        """Delete the rows of all items of a ``ForEach``; those of this same decision are not written at all."""
        run = ItemRange(items.first, items.total)
        self.pending_items = {item: scope for item, scope in self.pending_items.items() if not within(item, run)}
        self.item_results = {item: result for item, result in self.item_results.items() if not within(item, run)}
        self.dropped_items.append(run)

    def number(self) -> int:
        """The next number of the instance."""
        self.counter += 1
        return self.counter

    def put(self, scope_id: int, token: Token, *, delay_s: float = 0.0, due_at: datetime | None = None) -> None:
        """Write a token, and its work item if it has one; the number of the work item is the token's."""
        self.scope(scope_id).tokens[token.id] = token
        step = self.program.steps[token.node]
        kind = step.work_kind(token)
        if kind is not None:
            if kind is WorkKind.AWAIT:
                delay_s = math.inf
            node = step.node
            priority = self.state.priority if node.priority is None else node.priority
            item = WorkItem(token.id, kind, node.name, scope_id, token.execution, node.queue, delay_s, due_at, priority)
            if step.timeout_s is not None and token.execution and not token.compensates and token.outcome is None:
                goes_on = self._goes_on(scope_id, token)
                item = replace(item, timeout_s=step.timeout_s, keeps_timeout=goes_on)
            if step.is_throttled:
                item = throttled(self.program, step, item, self.look(ROOT))
            if self.awaits_slot:
                item = admitted(self.program, item, self.look(ROOT))
            self.work[token.id] = item

    def put_to_enter(self, scope_id: int, token: Token) -> None:
        """Write a token that enters its step when the decision settles, if it is still there and nothing has failed the instance before."""
        self.scope(scope_id).tokens[token.id] = token
        self.entering.append((scope_id, token))

    def _goes_on(self, scope_id: int, token: Token) -> bool:
        """Whether a token is still at the execution at which it was before this decision."""
        before = self.state.scopes.get(scope_id)
        stored = before.tokens.get(token.id) if before is not None else None
        return stored is not None and (stored.execution, stored.round) == (token.execution, token.round)

    def remove(self, scope_id: int, token_id: int) -> None:
        """Take a token away; its scope may then be at its end."""
        self.scope(scope_id).tokens.pop(token_id, None)
        self.dirty.add(scope_id)
        if scope_id != ROOT:
            self.left.append(scope_id)

    # Work and tasks

    def drop_work(self, scope_id: int, token_id: int) -> None:
        """Take back a token's work item, if it has one."""
        scope = self.state.scopes.get(scope_id)
        stored = scope.tokens.get(token_id) if scope is not None else None
        if stored is not None and self.program.steps[stored.node].work_kind(stored) is not None:
            self.work[token_id] = None
        else:
            self.work.pop(token_id, None)

    def withdraw_task(self, token: Token) -> None:
        """Cancel the open task of a token; one that was opened in this same decision never existed."""
        task = task_id(self.state.id, token.execution, token.round)
        if any(opening.id == task for opening in self.opened_tasks):
            self.opened_tasks = [opening for opening in self.opened_tasks if opening.id != task]
            self.events = [
                event for event in self.events if not (isinstance(event, HumanTaskCreated) and event.task_id == task)
            ]
            return
        self.tasks.append(TaskChange(task, status=TaskStatus.CANCELED))
        self.emit(HumanTaskCanceled, task_id=task, step_name=token.node)

    # Records

    def record(
        self,
        scope_id: int,
        token: Token,
        status: StepStatus,
        *,
        started_at: datetime | None = None,
        attempts: int = 1,
        result: bytes | None = None,
        error: ErrorInfo | None = None,
        completed_by: str | None = None,
    ) -> None:
        """Append the record of a finished step execution."""
        if self._last is None:
            self._last = dict(self.state.last)
        began = started_at or token.since
        if not token.compensates:
            self._last[token.node] = LastExecution(token.execution, status, token.visit, began, self.now)
        self.executions.append(
            StepExecution(
                token.execution,
                token.node,
                self.program.steps[token.node].step_type,
                status,
                began,
                scope_id,
                self._item_index(scope_id) if scope_id else -1,
                token.visit,
                attempts,
                result,
                error,
                completed_by,
                token.compensates,
            )
        )

    def emit(self, event: type[WorkflowEvent], **fields: Any) -> None:
        """Append an event."""
        state = self.state
        self.events.append(
            event(instance_id=state.id, workflow_name=state.workflow, tenant_id=state.tenant, **fields)  # type: ignore[arg-type]
        )

    def _item_index(self, scope_id: int) -> int:
        current = scope_id
        while current != ROOT:
            origin = self.scope(current).origin
            if origin.index >= 0:
                return origin.index
            current = origin.parent
        return -1

    def transition(self) -> Transition:
        """The transition that this draft describes."""
        before = self.state
        scopes, items = final_scopes(self.opened, before.scopes, self.dropped_items)
        state = InstanceState(
            before.id,
            before.tenant,
            before.workflow,
            before.version,
            before.graph_hash,
            before.revision + 1,
            self.status or status_of(scopes, before.status),
            self.counter,
            scopes,
            before.created_by,
            before.started_at,
            before.metadata,
            self.error,
            self.buffered,
            before.last if self._last is None else self._last,
            self.parked,
            self.has_deadline,
            self.signals,
            self.signal_keys,
            before.priority,
            self.awaits_slot,
        )
        return Transition(
            state,
            self.actor,
            ROOT in self.opened and self.opened[ROOT].data_changed,
            (*self.pending_items.values(), *items) if self.pending_items else items,
            self.item_results,
            self._stored_items_dropped() if self.dropped_items else (),
            tuple(self.executions),
            self.work,
            tuple(self.opened_tasks),
            tuple(self.tasks),
            tuple(self.events),
            tuple(self.reopened),
        )

    def _stored_items_dropped(self) -> tuple[ItemRange, ...]:
        """Dropped items without those that were begun and dropped in this decision, and so never stored."""
        return tuple(run for run in self.dropped_items if run.first <= self.state.counter)
