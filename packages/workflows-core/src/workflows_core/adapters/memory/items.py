"""The scopes of the items of one instance, apart from its state, so that a step's cost does not grow with their number."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from workflows_core.domain.state import ROOT, InstanceState, Scope
from workflows_core.domain.transition import Transition

__all__ = ["ItemScopes"]


class ItemScopes:
    """What is kept of each item: its own scope, the scopes inside it, and its result once it has one."""

    __slots__ = ("_homes", "_results", "_rows")

    def __init__(self) -> None:
        self._rows: dict[int, tuple[Scope, ...]] = {}
        self._homes: dict[int, int] = {}
        self._results: dict[int, bytes] = {}

    def write(self, transition: Transition) -> None:
        """Keep, change and forget what a transition says."""
        inside: dict[int, list[Scope]] = {}
        for scope in transition.state.scopes.values():
            if scope.home not in (ROOT, scope.id):
                inside.setdefault(scope.home, []).append(scope)
        for item in transition.items:
            self._forget(item.id)
            inner = inside.get(item.id, [])
            self._homes.update(dict.fromkeys([scope.id for scope in inner], item.id))
            self._rows[item.id] = (self._with_stored_data(item), *inner)
        self._results.update(transition.item_results)
        for run in transition.dropped_items:
            for number in range(run.first, run.first + run.total):
                self._forget(number)
                self._rows.pop(number, None)
                self._results.pop(number, None)

    def results(self, first: int, total: int) -> list[bytes]:
        """The results of the finished ones of these items, in order."""
        found = (self._results.get(number) for number in range(first, first + total))
        return [result for result in found if result is not None]

    def around(self, state: InstanceState, scopes: Collection[int]) -> InstanceState:
        """The state with the items in which the given scopes are, and the items around those."""
        wanted: dict[int, None] = {}
        for scope in scopes:
            home = self._home(scope)
            while home != ROOT and home not in wanted:
                wanted[home] = None
                home = self._home(self._rows[home][0].parent)
        return self._add(state, wanted)

    def all_active(self, state: InstanceState) -> InstanceState:
        """The state with every active item."""
        return self._add(state, self._rows)

    def _add(self, state: InstanceState, items: Iterable[int]) -> InstanceState:
        rows = (self._rows[item] for item in items)
        found = {scope.id: scope for row in rows if row[0].tokens for scope in row}
        return replace(state, scopes={**state.scopes, **found}) if found else state

    def _home(self, scope: int) -> int:
        return scope if scope in self._rows else self._homes.get(scope, ROOT)

    def _forget(self, item: int) -> None:
        """Forget which scopes are inside an item."""
        for scope in self._rows.get(item, ())[1:]:
            self._homes.pop(scope.id, None)

    def _with_stored_data(self, item: Scope) -> Scope:
        if item.data is not None:
            return item
        stored = self._rows.get(item.id)
        return replace(item, data=stored[0].data if stored is not None else {})
