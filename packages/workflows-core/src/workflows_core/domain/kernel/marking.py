"""The marking of an instance while it is being changed, and what follows from it: status, and rows to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from workflows_core.domain.state import ROOT, Scope, Token
from workflows_core.domain.transition import ItemRange
from workflows_core.domain.types import StepStatus, WorkflowStatus

__all__ = ["OpenScope", "final_scopes", "holds", "is_quiet", "is_unbegun", "status_of", "within"]


class OpenScope:
    """A scope that can be written; its tokens and visits are copied, its other maps on their first change.

    Attributes:
        origin: The scope as it was.
        tokens: Active tokens by id.
        visits: How often each step was entered.
        data: Encoded values by key; None if they were not read.
        results: Encoded results of inner steps.
        branch_ended: Whether a token has ended here in this decision.
        undo: Executions to be undone if it fails.
        failing: Set while it is being ended.
    """

    __slots__ = (
        "_results_copied",
        "_writable",
        "branch_ended",
        "data",
        "failing",
        "origin",
        "results",
        "tokens",
        "undo",
        "visits",
    )

    def __init__(self, origin: Scope) -> None:
        self.origin = origin
        self.tokens = dict(origin.tokens)
        self.visits = dict(origin.visits)
        self.data = origin.data
        self.results = origin.results
        self.branch_ended = False
        self.undo = origin.undo
        self.failing = origin.failing
        self._writable: dict[str, bytes] | None = None
        self._results_copied = False

    def writable_data(self) -> dict[str, bytes]:
        """The scope's own data, copied at the first call."""
        if self._writable is None:
            self._writable = self.data = dict(self.data or {})
        return self._writable

    def keep_result(self, node: str, result: bytes) -> None:
        """Remember the result of an inner step, behind those that were there before."""
        if not self._results_copied:
            self.results = dict(self.results)
            self._results_copied = True
        self.results.pop(node, None)
        self.results[node] = result

    @property
    def data_changed(self) -> bool:
        """Whether its data were opened for writing."""
        return self._writable is not None

    def freeze(self) -> Scope:
        """The scope as a value."""
        origin = self.origin
        return Scope(
            origin.id,
            origin.node,
            origin.parent,
            origin.token,
            self.tokens,
            self.data,
            self.visits,
            self.results,
            origin.index,
            origin.home,
            self.undo,
            self.failing,
        )


def final_scopes(
    opened: Mapping[int, OpenScope], before: Mapping[int, Scope], dropped: Sequence[ItemRange]
) -> tuple[dict[int, Scope], tuple[Scope, ...]]:
    """The scopes after a decision.

    Args:
        opened: Scopes that were opened for writing.
        before: Scopes before the decision.
        dropped: Item scopes that are to be deleted.

    Returns:
        The active scopes by id, and the item scopes whose rows are to be written.
    """
    if len(opened) == 1 and len(before) == 1 and ROOT in opened:
        return {ROOT: opened[ROOT].freeze()}, ()
    scopes = dict(before)
    finished: dict[int, Scope] = {}
    for scope_id, scope in opened.items():
        frozen = scope.freeze()
        if scope.tokens or scope_id == ROOT:
            if frozen != before.get(scope_id):
                scopes[scope_id] = frozen
            continue
        scopes.pop(scope_id, None)
        if frozen.index >= 0:
            finished[scope_id] = frozen
    changed = {home: scopes[home] for home in _changed_homes(scopes, before) if home in scopes}
    rows = {**finished, **changed}
    return scopes, tuple(rows[item] for item in sorted(rows) if not any(within(item, run) for run in dropped))


def _changed_homes(scopes: Mapping[int, Scope], before: Mapping[int, Scope]) -> set[int]:
    """Items with which a scope is stored that was added, changed or removed."""
    changed = {scope.home for scope_id, scope in scopes.items() if before.get(scope_id) is not scope}
    removed = {scope.home for scope_id, scope in before.items() if scope_id not in scopes}
    return (changed | removed) - {ROOT}


def status_of(scopes: Mapping[int, Scope], before: WorkflowStatus) -> WorkflowStatus:
    """The status of a running instance that follows from its marking; one that was pending stays so until its first step is entered."""
    if before is WorkflowStatus.PENDING and all(is_unbegun(token) for token in scopes[ROOT].tokens.values()):
        return before
    return WorkflowStatus.WAITING if is_quiet(scopes[ROOT].tokens.values(), scopes.get) else WorkflowStatus.RUNNING


def is_unbegun(token: Token) -> bool:
    """Whether a token waits for the moment at which its instance begins."""
    return token.status is StepStatus.SCHEDULED and not token.execution


def is_quiet(tokens: Iterable[Token], scope: Callable[[int], Scope | OpenScope | None]) -> bool:
    """Whether every token waits for a person, for time or for a call; ``scope`` gives the inner scopes."""
    for token in tokens:
        if token.status is StepStatus.SCHEDULED:
            return False
        if token.items is not None:
            if token.items.busy:
                return False
        elif token.child:
            child = scope(token.child)
            if child is not None and not is_quiet(child.tokens.values(), scope):
                return False
    return True


def holds(token: Token, scope_id: int) -> bool:
    """Whether a token is the one whose step opened a scope."""
    if token.items is None:
        return token.child == scope_id
    return token.items.first <= scope_id < token.items.first + token.items.total


def within(scope_id: int, run: ItemRange) -> bool:
    """Whether an item scope is part of a run of items."""
    return run.first <= scope_id < run.first + run.total
