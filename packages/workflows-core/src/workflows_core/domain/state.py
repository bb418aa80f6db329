"""The state of one instance as the kernel sees it: tokens in scopes.

Values are immutable by convention: the kernel copies what it changes, so a store may keep and share them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from workflows_core.domain.types import Outcome, Parking, Phase, StepStatus, WorkflowStatus
from workflows_core.errors import ItemsNotLoadedError

__all__ = [
    "ROOT",
    "TOMBSTONE",
    "ErrorInfo",
    "Failing",
    "InstanceState",
    "Items",
    "LastExecution",
    "Scope",
    "Token",
    "Undo",
]

ROOT: Final = 0
"""Id of the outermost scope."""

TOMBSTONE: Final = b""
"""Stands in an inner scope's data for a key of an outer scope that was deleted inside."""


class ErrorInfo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Why a step or an instance failed.

    Attributes:
        type: Name of the exception's class.
        message: Its text.
        step: Step that failed; empty when the instance failed as a whole.
        traceback: Formatted traceback, shortened from its start; None when there was none.
        notes: Further errors on the way, for instance of ``on_failure``.
    """

    type: str
    message: str
    step: str = ""
    traceback: str | None = None
    notes: tuple[str, ...] = ()


class Items(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Counters of a running ``ForEach``; its items live in scopes ``first`` … ``first + total - 1``.

    Attributes:
        first: Scope id of item 0.
        total: Number of items.
        started: Items that were activated, in order.
        done: Items that have finished.
        busy: Active items that do not merely wait.
    """

    first: int
    total: int
    started: int = 0
    done: int = 0
    busy: int = 0


class Token(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One active place in the graph.

    Attributes:
        id: Unique in the instance; also the number of the token's work item.
        node: Step at which it is.
        status: ``PENDING`` waits at a join, ``SCHEDULED`` has a work item for a worker, ``WAITING`` waits for something else.
        execution: Number of the step execution; 0 while it waits at a join, or for the moment at which its instance begins.
        via: Index of the edge over which it came; -1 for none.
        since: When the step was entered.
        child: Scope that the step opened; 0 for none.
        items: Counters, if the step is a ``ForEach`` whose items are known.
        outcome: Set while a worker is still to choose the way out.
        visit: How many times this scope has entered the step, this time included.
        actor: Who completed the step's task, while a worker is still to run the step's handler.
        attempts: Attempts of this execution that are over.
        failures: How many of them failed; others were lost with their worker.
        compensates: The execution that it undoes; 0 for a token that does work.
        round: How often the execution was opened again after a failure of the instance.
    """

    id: int
    node: str
    status: StepStatus
    execution: int = 0
    via: int = -1
    since: datetime | None = None
    child: int = 0
    items: Items | None = None
    outcome: Outcome | None = None
    visit: int = 0
    actor: str | None = None
    attempts: int = 0
    failures: int = 0
    compensates: int = 0
    round: int = 0


class Undo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An execution that is to be undone if its scope fails.

    Attributes:
        execution: Its number.
        step: Its step.
        visit: Its visit.
    """

    execution: int
    step: str
    visit: int = 1


class Failing(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Why a scope is being ended, and what comes of it when all is undone.

    Attributes:
        error: Why it failed; None if the instance was cancelled.
        status: What the instance becomes, if it is its outermost scope.
        reason: Why it was cancelled.
        groups: Tokens of the groups inside it through which the failure came.
    """

    error: ErrorInfo | None
    status: WorkflowStatus
    reason: str = ""
    groups: tuple[int, ...] = ()


class Scope(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The inside of a group, of one ``ForEach`` item, or (id 0) of the instance.

    Attributes:
        id: Unique in the instance.
        node: Name of the group; empty for the instance.
        parent: Id of the enclosing scope.
        token: Id of the group's token in the enclosing scope.
        tokens: Active tokens by id.
        data: Encoded values by key that this scope holds itself; None for an item whose data were not read.
        visits: How often each step was entered.
        results: Encoded results of inner steps, kept while the group runs.
        index: Place of the item, -1 outside ``ForEach``.
        home: Id of the item scope, or 0, with which this scope is stored.
        undo: Executions to be undone if the scope fails, in the order in which they ended.
        failing: Set while it is being ended and what was done in it is undone.
    """

    id: int
    node: str = ""
    parent: int = ROOT
    token: int = 0
    tokens: dict[int, Token] = {}
    data: dict[str, bytes] | None = {}
    visits: dict[str, int] = {}
    results: dict[str, bytes] = {}
    index: int = -1
    home: int = ROOT
    undo: tuple[Undo, ...] = ()
    failing: Failing | None = None


class LastExecution(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How the last finished execution of a step ended.

    Attributes:
        number: Number of the execution.
        status: Its final status.
        visit: How many times its scope had entered the step by then.
        started_at: When the step was entered.
        completed_at: When the decision was made that ended it.
    """

    number: int
    status: StepStatus
    visit: int
    started_at: datetime | None
    completed_at: datetime | None


class InstanceState(msgspec.Struct, frozen=True, gc=False):
    """Everything that a decision about an instance may depend on.

    Attributes:
        id: Identity of the instance.
        tenant: Its tenant; the empty string is "no tenant".
        workflow: Name of the workflow.
        version: Its version.
        graph_hash: Identity of the graph that runs.
        revision: Number of the last transition; the first is 1.
        status: Derived by the kernel.
        counter: Last number given to a token, an execution or a scope.
        scopes: Scopes by id. Scope 0 is always there; scopes of ``ForEach`` items may be missing, see `ItemsNotLoadedError`.
        created_by: Actor who started it.
        started_at: When it was started.
        metadata: Encoded immutable metadata.
        error: Why it failed.
        buffered: Payloads of webhook calls that came before their step, by ``scope/step/visit``.
        last: The last finished execution by step; bounded by the graph, unlike the history.
        parked: Why it waits for an operator.
        has_deadline: Whether a work item waits for its deadline.
        signals: Payloads of signals for which no step was waiting, by name, the oldest first.
        signal_keys: Deduplication keys of the last signals, the oldest first.
        priority: Of its work, where the step says nothing else; higher is taken first.
        awaits_slot: Whether it may have to wait until fewer instances of its workflow are under way.
    """

    id: UUID
    tenant: str
    workflow: str
    version: str
    graph_hash: str
    revision: int = 0
    status: WorkflowStatus = WorkflowStatus.PENDING
    counter: int = 0
    scopes: dict[int, Scope] = msgspec.field(default_factory=lambda: {ROOT: Scope(ROOT)})
    created_by: str | None = None
    started_at: datetime | None = None
    metadata: bytes | None = None
    error: ErrorInfo | None = None
    buffered: dict[str, bytes] = {}
    last: dict[str, LastExecution] = {}
    parked: Parking | None = None
    has_deadline: bool = False
    signals: dict[str, tuple[bytes, ...]] = {}
    signal_keys: tuple[str, ...] = ()
    priority: int = 0
    awaits_slot: bool = False

    @property
    def phase(self) -> Phase:
        """What it is about."""
        root = self.scopes[ROOT]
        if root.failing is None or self.status.is_final:
            return Phase.NORMAL
        return Phase.COMPENSATING if all(token.compensates for token in root.tokens.values()) else Phase.CANCELING

    def is_draining(self, scope_id: int) -> bool:
        """Whether a scope, or one around it, is being ended."""
        current = scope_id
        while True:
            scope = self.scopes[current]
            if scope.failing is not None:
                return True
            if current == ROOT:
                return False
            current = scope.parent

    def without_items(self) -> InstanceState:
        """The state without the scopes that are stored with their item."""
        if len(self.scopes) == 1:
            return self
        inner = {key: scope for key, scope in self.scopes.items() if scope.home == ROOT}
        return msgspec.structs.replace(self, scopes=inner)

    @property
    def data(self) -> dict[str, bytes]:
        """Encoded values of the instance by key."""
        return self.scopes[ROOT].data or {}

    def view(self, scope_id: int) -> dict[str, bytes]:
        """Encoded values as seen from a scope: its own before those of the scopes around it.

        Raises:
            ItemsNotLoadedError: Data of an item are not at hand.
        """
        if scope_id == ROOT:
            return self.data
        layers = self._layers(scope_id)
        if layers is None:
            raise ItemsNotLoadedError(self.id)
        merged: dict[str, bytes] = {}
        for layer in reversed(layers):
            merged.update(layer)
        return {key: raw for key, raw in merged.items() if raw != TOMBSTONE}

    def knows_data(self, scope_id: int) -> bool:
        """Whether all data that a scope sees are at hand; those of an item that was just activated are not."""
        return scope_id == ROOT or self._layers(scope_id) is not None

    def _layers(self, scope_id: int) -> list[dict[str, bytes]] | None:
        """Data of a scope and of those around it, innermost first; None if any is not at hand."""
        layers: list[dict[str, bytes]] = []
        current = scope_id
        while True:
            scope = self.scopes.get(current)
            if scope is None or scope.data is None:
                return None
            layers.append(scope.data)
            if current == ROOT:
                return layers
            current = scope.parent

    def find(self, scope_id: int, token_id: int, execution: int) -> Token | None:
        """The token of a step execution, if that execution is still active."""
        scope = self.scopes.get(scope_id)
        token = scope.tokens.get(token_id) if scope is not None else None
        return token if token is not None and token.execution == execution else None
