"""The working copy of one decision: what the other modules of the kernel write on, and the transition made of it."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any, NamedTuple

from workflows_core.domain.commands import Writes
from workflows_core.domain.events import Event, WorkflowEvent
from workflows_core.domain.kernel.marking import OpenScope, final_scopes, status_of
from workflows_core.domain.program import Program, StepProgram
from workflows_core.domain.reducers import MISSING, reduce_value
from workflows_core.domain.state import ROOT, TOMBSTONE, ErrorInfo, InstanceState, LastExecution, Scope, Token
from workflows_core.domain.transition import (
    ItemRange,
    StepExecution,
    TaskChange,
    TaskOpening,
    Transition,
    WorkItem,
    WorkKind,
)
from workflows_core.domain.types import StepStatus, WorkflowStatus
from workflows_core.errors import ItemsNotLoadedError, ReducerError

__all__ = ["Arrival", "Draft"]


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
        scopes: Scopes by id, those that were opened as `OpenScope`.
        arrivals: Tokens on their way into a step.
        dirty: Scopes whose joins or end must be looked at.
        closed: Inner scopes that have ended.
        pending_items: Items to be stored that are not yet active.
        status: Set when the decision ends the instance.
        error: Why the instance failed.
    """

    __slots__ = (
        "_last",
        "_scopes",
        "actor",
        "arrivals",
        "buffered",
        "closed",
        "counter",
        "dirty",
        "dropped_items",
        "error",
        "events",
        "executions",
        "hops",
        "item_results",
        "now",
        "opened",
        "opened_tasks",
        "pending_items",
        "program",
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
        self._scopes = state.scopes
        self.pending_items: list[Scope] = []
        self.arrivals: deque[Arrival] = deque()
        self.dirty: set[int] = set()
        self.closed: set[int] = set()
        self.executions: list[StepExecution] = []
        self.work: dict[int, WorkItem | None] = {}
        self.opened_tasks: list[TaskOpening] = []
        self.tasks: list[TaskChange] = []
        self.events: list[Event] = []
        self.item_results: dict[int, bytes] = {}
        self.dropped_items: list[ItemRange] = []
        self.buffered = state.buffered
        self._last: dict[str, LastExecution] | None = None
        self.status: WorkflowStatus | None = None
        self.error: ErrorInfo | None = None
        self.hops = 0

    # Scopes and tokens

    def scope(self, scope_id: int) -> OpenScope:
        """Open a scope for writing.

        Raises:
            ItemsNotLoadedError: It is the scope of an item that is not in the state.
        """
        opened = self.opened.get(scope_id)
        if opened is None:
            origin = self._scopes.get(scope_id)
            if origin is None:
                raise ItemsNotLoadedError(self.state.id)
            opened = self.opened[scope_id] = OpenScope(origin)
        return opened

    def has_scope(self, scope_id: int) -> bool:
        """Whether a scope is at hand and active (an item that was not read, or has finished, is not)."""
        scope = self.opened.get(scope_id) or self._scopes.get(scope_id)
        if scope is None:
            return False
        return bool(scope.tokens) or any(arrival.scope == scope_id for arrival in self.arrivals)

    def add_scope(self, node: str, parent: int, token: int, data: dict[str, bytes] | None = None) -> int:
        """Open the inner scope of a group."""
        scope_id = self.number()
        scope = Scope(scope_id, node, parent, token, data=data or {}, home=self.scope(parent).origin.home)
        self.opened[scope_id] = OpenScope(scope)
        return scope_id

    def add_item(
        self, node: str, parent: int, token: int, scope_id: int, index: int, data: dict[str, bytes] | None
    ) -> None:
        """Open the scope of an item that becomes active; data None leaves those that were stored with it."""
        scope = Scope(scope_id, node, parent, token, data=data, index=index, home=scope_id)
        self.opened[scope_id] = OpenScope(scope)

    def drop_scope(self, scope_id: int) -> None:
        """Forget an inner scope that has ended."""
        self.scope(scope_id)
        self.opened[scope_id].tokens.clear()

    def number(self) -> int:
        """The next number of the instance."""
        self.counter += 1
        return self.counter

    def step_of(self, token: Token) -> StepProgram:
        """The step at which a token is."""
        return self.program.steps[token.node]

    def put(self, scope_id: int, token: Token) -> None:
        """Write a token."""
        self.scope(scope_id).tokens[token.id] = token

    def remove(self, scope_id: int, token_id: int) -> None:
        """Take a token away; its scope may then be at its end."""
        self.scope(scope_id).tokens.pop(token_id, None)
        self.dirty.add(scope_id)

    def schedule(self, scope_id: int, token: Token, kind: WorkKind, *, delay_s: float = 0.0) -> None:
        """Give a token a work item; its number is the token's."""
        node = self.program.steps[token.node].node
        self.work[token.id] = WorkItem(token.id, kind, token.node, scope_id, token.execution, node.queue, delay_s)

    def drop_work(self, token: Token) -> None:
        """Take back a token's work item."""
        self.work[token.id] = None

    # Data

    def view(self, scope_id: int) -> dict[str, bytes]:
        """Encoded values as seen from a scope, changes of this decision included."""
        layers: list[dict[str, bytes]] = []
        current = scope_id
        while True:
            scope: OpenScope | Scope | None = self.opened.get(current) or self._scopes.get(current)
            if scope is None or scope.data is None:
                raise ItemsNotLoadedError(self.state.id)
            layers.append(scope.data)
            if current == ROOT:
                break
            current = scope.origin.parent if isinstance(scope, OpenScope) else scope.parent
        if len(layers) == 1:
            return layers[0]
        merged: dict[str, bytes] = {}
        for layer in reversed(layers):
            merged.update(layer)
        return {key: raw for key, raw in merged.items() if raw != TOMBSTONE}

    def knows_data(self, scope_id: int) -> bool:
        """Whether all data that a scope sees are at hand."""
        current = scope_id
        while current != ROOT:
            scope = self.scope(current)
            if scope.data is None:
                return False
            current = scope.origin.parent
        return True

    def values(self, scope_id: int, names: frozenset[str]) -> dict[str, Any]:
        """Decoded values of the named keys that are present."""
        view = self.view(scope_id)
        decode = self.program.decode
        return {name: decode(view[name]) for name in sorted(names) if name in view}

    def write(self, scope_id: int, changed: dict[str, bytes]) -> None:
        """Set encoded values in a scope."""
        if changed:
            self.scope(scope_id).writable_data().update(changed)

    def apply(self, scope_id: int, writes: Writes) -> None:
        """Apply a step's changes: its own to its scope, what it adds to the instance."""
        self.write(scope_id, writes.changed)
        if writes.deleted:
            data = self.scope(scope_id).writable_data()
            for key in writes.deleted:
                if scope_id == ROOT:
                    data.pop(key, None)
                else:
                    data[key] = TOMBSTONE
        for key, raw in writes.added:
            self._add(key, raw)

    def _add(self, key: str, raw: bytes) -> None:
        program = self.program
        reducer = program.graph.reducers.get(key)
        if reducer is None:
            raise ReducerError(key, "", "is not declared; name one in the workflow's reducers")
        data = self.scope(ROOT).writable_data()
        current = program.decode(data[key]) if key in data else MISSING
        data[key] = program.encode(reduce_value(key, reducer, current, program.decode(raw)))

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
            self.status or status_of(scopes),
            self.counter,
            scopes,
            before.created_by,
            before.started_at,
            before.metadata,
            self.error or before.error,
            self.buffered,
            before.last if self._last is None else self._last,
        )
        return Transition(
            state,
            self.actor,
            ROOT in self.opened and self.opened[ROOT].data_changed,
            (*self.pending_items, *items),
            self.item_results,
            tuple(self.dropped_items),
            tuple(self.executions),
            self.work,
            tuple(self.opened_tasks),
            tuple(self.tasks),
            tuple(self.events),
        )
