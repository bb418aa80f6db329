"""The marking of an instance while it is being changed, and what follows from it: status, busy items, rows to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workflows_core.domain.state import ROOT, Items, Scope, Token
from workflows_core.domain.transition import ItemRange
from workflows_core.domain.types import StepStatus, WorkflowStatus

__all__ = ["OpenScope", "final_scopes", "is_quiet", "status_of"]


class OpenScope:
    """A scope that can be written; its tokens are copied, its other maps on their first change."""

    __slots__ = ("_results_copied", "_writable", "data", "origin", "results", "tokens", "visits")

    def __init__(self, origin: Scope) -> None:
        self.origin = origin
        self.tokens = dict(origin.tokens)
        self.visits = dict(origin.visits)
        self.data = origin.data
        self.results = origin.results
        self._writable: dict[str, bytes] | None = None
        self._results_copied = False

    def writable_data(self) -> dict[str, bytes]:
        """The scope's own data, copied at the first call."""
        if self._writable is None:
            self._writable = self.data = dict(self.data or {})
        return self._writable

    def keep_result(self, node: str, result: bytes) -> None:
        """Remember the result of an inner step."""
        if not self._results_copied:
            self.results = dict(self.results)
            self._results_copied = True
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
    _count_busy(opened, before)
    scopes = dict(before)
    items: dict[int, Scope] = {}
    for scope_id, scope in opened.items():
        frozen = scope.freeze()
        if frozen.tokens or scope_id == ROOT:
            scopes[scope_id] = frozen
        else:
            scopes.pop(scope_id, None)
        if frozen.index >= 0:
            items[scope_id] = frozen
    for home in _changed_homes(scopes, before):
        if home in scopes:
            items.setdefault(home, scopes[home])
    kept = (item for scope_id, item in items.items() if not any(_within(scope_id, run) for run in dropped))
    return scopes, tuple(kept)


def status_of(scopes: Mapping[int, Scope]) -> WorkflowStatus:
    """The status that follows from the marking."""
    root = scopes[ROOT]
    if not root.tokens:
        return WorkflowStatus.COMPLETED
    return WorkflowStatus.WAITING if is_quiet(root, scopes) else WorkflowStatus.RUNNING


def is_quiet(scope: Scope, scopes: Mapping[int, Scope]) -> bool:
    """Whether every token of a scope waits for a person, for time or for a call."""
    return all(_waits(token, scopes) for token in scope.tokens.values())


def _waits(token: Token, scopes: Mapping[int, Scope]) -> bool:
    if token.status is StepStatus.SCHEDULED:
        return False
    if token.items is not None:
        return token.items.busy == 0
    if token.child:
        child = scopes.get(token.child)
        return child is None or is_quiet(child, scopes)
    return True


def _within(scope_id: int, run: ItemRange) -> bool:
    return run.first <= scope_id < run.first + run.total


def _changed_homes(scopes: Mapping[int, Scope], before: Mapping[int, Scope]) -> list[int]:
    """Items with which a scope is stored that was added, changed or removed."""
    changed = {scope.home for scope_id, scope in scopes.items() if before.get(scope_id) is not scope}
    removed = {scope.home for scope_id, scope in before.items() if scope_id not in scopes}
    return sorted((changed | removed) - {ROOT})


def _count_busy(opened: Mapping[int, OpenScope], before: Mapping[int, Scope]) -> None:
    """Keep the counters of busy items true, innermost first; frozen scopes share their tokens with the open ones."""
    after = {**before, **{scope_id: scope.freeze() for scope_id, scope in opened.items()}}
    for scope_id in sorted(opened, reverse=True):
        scope = opened[scope_id]
        if scope.origin.index < 0:
            continue
        earlier = before.get(scope_id)
        was = earlier is not None and bool(earlier.tokens) and not is_quiet(earlier, before)
        now = bool(scope.tokens) and not is_quiet(after[scope_id], after)
        if was != now:
            _count(opened, scope, 1 if now else -1)


def _count(opened: Mapping[int, OpenScope], item: OpenScope, change: int) -> None:
    parent = opened.get(item.origin.parent)
    token = parent.tokens.get(item.origin.token) if parent is not None else None
    if parent is None or token is None or token.items is None:
        return
    items = token.items
    counted = Items(items.first, items.total, items.started, items.done, items.busy + change)
    parent.tokens[token.id] = Token(
        token.id,
        token.node,
        token.status,
        token.execution,
        token.via,
        token.since,
        token.child,
        counted,
        token.outcome,
        token.visit,
        token.actor,
    )
