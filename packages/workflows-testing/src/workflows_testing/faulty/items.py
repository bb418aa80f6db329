"""Faults of items: where they are read, what is kept of them, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.adapters.memory.items import ItemScopes
from workflows_core.domain.state import ROOT, InstanceState, Scope
from workflows_core.ports.store import Claim, ClaimRequest, Loaded, Write, WriteResult
from workflows_testing.conformance.store_items import ItemRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store
from workflows_testing.faulty.rewriting import with_scopes, with_transition

__all__ = ["FAULTS"]


class ReadsOtherItems(InMemoryWorkflowStore):
    """Reads other items than were asked for."""

    __slots__ = ("_change",)

    def __init__(
        self, memory: MemoryState, change: Callable[[Collection[int], bool], tuple[Collection[int], bool]]
    ) -> None:
        super().__init__(memory)
        self._change = change

    async def load(
        self, instance_id: UUID, *, tenant: str | None = None, scopes: Collection[int] = (), all_items: bool = False
    ) -> Loaded | None:
        scopes, all_items = self._change(scopes, all_items)
        return await super().load(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)


class ChangesWhatItReads(InMemoryWorkflowStore):
    """Gives other scopes than it read."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[InstanceState, Collection[int]], InstanceState]) -> None:
        super().__init__(memory)
        self._change = change

    async def load(
        self, instance_id: UUID, *, tenant: str | None = None, scopes: Collection[int] = (), all_items: bool = False
    ) -> Loaded | None:
        found = await super().load(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
        return None if found is None else Loaded(self._change(found.state, scopes), found.at)

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        return [
            replace(claimed, state=self._change(claimed.state, (claimed.item.scope,)))
            for claimed in await super().claim(request)
        ]


class ReadsItemsAtRest(InMemoryWorkflowStore):
    """Reads also items that wait their turn or have finished."""

    async def load(
        self, instance_id: UUID, *, tenant: str | None = None, scopes: Collection[int] = (), all_items: bool = False
    ) -> Loaded | None:
        found = await super().load(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
        row = self.memory.instances.get(instance_id.int)
        if found is None or row is None or row.items is None or not all_items:
            return found
        rows = row.items._rows.values()
        every = {scope.id: scope for scopes_of_item in rows for scope in scopes_of_item}
        return Loaded(replace(found.state, scopes={**found.state.scopes, **every}), found.at)


class StumblesWithoutItems(InMemoryWorkflowStore):
    async def load(
        self, instance_id: UUID, *, tenant: str | None = None, scopes: Collection[int] = (), all_items: bool = False
    ) -> Loaded | None:
        found = await super().load(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
        if all_items and found is not None and len(found.state.scopes) == 1:
            msg = "no rows"
            raise LookupError(msg)
        return found

    async def item_results(self, instance_id: UUID, first: int, total: int) -> list[bytes]:
        _ = self.memory.instances[instance_id.int]
        return await super().item_results(instance_id, first, total)


class ChangesResults(InMemoryWorkflowStore):
    """Gives other results of items."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[list[bytes]], list[bytes]]) -> None:
        super().__init__(memory)
        self._change = change

    async def item_results(self, instance_id: UUID, first: int, total: int) -> list[bytes]:
        return self._change(await super().item_results(instance_id, first, total))


class GivesAllResults(InMemoryWorkflowStore):
    async def item_results(self, instance_id: UUID, first: int, total: int) -> list[bytes]:
        return await super().item_results(instance_id, 0, first + total + 100)


class FillsMissingResults(InMemoryWorkflowStore):
    async def item_results(self, instance_id: UUID, first: int, total: int) -> list[bytes]:
        known = await super().item_results(instance_id, first, total)
        return [*known, *[b"null"] * (total - len(known))]


class SharesItems(InMemoryWorkflowStore):
    """Keeps the items of all instances together."""

    __slots__ = ("_items",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._items = ItemScopes()

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results = await super().commit(writes)
        for write in writes:
            row = self.memory.instances.get(write.transition.state.id.int)
            if row is not None and row.items not in (None, self._items):
                row.items = self._items
                self._items.write(write.transition)
        return results


class ForgetsItemsOutOfSight(InMemoryWorkflowStore):
    """Keeps only the items that the last transition had."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        for write in writes:
            row = self.memory.instances.get(write.transition.state.id.int)
            if row is not None:
                row.items = None
        return await super().commit([_with_all_items(self.memory, write) for write in writes])


def _with_all_items(_memory: MemoryState, write: Write) -> Write:
    homes = [scope for scope in write.transition.state.scopes.values() if scope.id != ROOT and scope.home == scope.id]
    known = {scope.id: scope for scope in (*homes, *write.transition.items)}
    return with_transition(write, items=tuple(known.values()))


class KeepsInnerScopes(InMemoryWorkflowStore):
    """Never deletes the scope of a group inside an item."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        inner = {
            key: [scope for rows in row.items._rows.values() for scope in rows[1:]]
            for key, row in self.memory.instances.items()
            if row.items is not None
        }
        kept: list[Write] = []
        for write in writes:
            state = write.transition.state
            before = {scope.id: scope for scope in inner.get(state.id.int, [])}
            kept.append(with_transition(write, state=replace(state, scopes={**before, **state.scopes})))
        return await super().commit(kept)


def _first_only(state: InstanceState, scopes: Collection[int]) -> InstanceState:
    wanted = [scope for scope in scopes if scope != ROOT]
    chain = {ROOT}
    current = wanted[0] if wanted else ROOT
    while current in state.scopes and current != ROOT:
        chain.add(current)
        current = state.scopes[current].parent
    return replace(state, scopes={key: scope for key, scope in state.scopes.items() if key in chain})


def _own_only(state: InstanceState, scopes: Collection[int]) -> InstanceState:
    return replace(state, scopes={key: scope for key, scope in state.scopes.items() if key in {ROOT, *scopes}})


def _innermost_item_only(state: InstanceState, scopes: Collection[int]) -> InstanceState:
    homes = {state.scopes[scope].home for scope in scopes if scope in state.scopes}
    return replace(state, scopes={key: scope for key, scope in state.scopes.items() if scope.home in {ROOT, *homes}})


def _without_groups(state: InstanceState, _scopes: Collection[int]) -> InstanceState:
    return replace(
        state, scopes={key: scope for key, scope in state.scopes.items() if scope.home in (ROOT, scope.id)}
    )  # fmt: skip


def _without_data(state: InstanceState, _scopes: Collection[int]) -> InstanceState:
    return replace(
        state,
        scopes={key: scope if key == ROOT else replace(scope, data={}) for key, scope in state.scopes.items()},
    )


def _data_lost(_memory: MemoryState, write: Write) -> Write:
    return with_scopes(write, lambda scope: replace(scope, data={}) if scope.data is None else scope)


def _data_kept(memory: MemoryState, write: Write) -> Write:
    row = memory.instances.get(write.transition.state.id.int)
    known = row.items._rows if row is not None and row.items is not None else {}
    items = tuple(replace(item, data=None) if item.id in known else item for item in write.transition.items)
    return with_transition(write, items=items)


def _never_again(memory: MemoryState, write: Write) -> Write:
    row = memory.instances.get(write.transition.state.id.int)
    return write if row is None else with_transition(write, items=())


def _no_results(_memory: MemoryState, write: Write) -> Write:
    return with_transition(write, item_results={})


def _nothing_dropped(_memory: MemoryState, write: Write) -> Write:
    return with_transition(write, dropped_items=())


def _first_hundred(_memory: MemoryState, write: Write) -> Write:
    pending = [item for item in write.transition.items if not item.tokens]
    items = [item for item in write.transition.items if item.tokens]
    return with_transition(write, items=(*pending[:100], *items))


def _active_only(_memory: MemoryState, write: Write) -> Write:
    def is_active(item: Scope) -> bool:
        return bool(item.tokens)

    return with_transition(write, items=tuple(filter(is_active, write.transition.items)))


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(ReadsOtherItems, change=change), name, ItemRules)
        for change, name in (
            (lambda scopes, _all: (scopes, True), "always reads all items"),
            (lambda scopes, _all: (scopes, False), "never reads all items"),
            (lambda _scopes, all_items: ((), all_items), "ignores the scopes that are needed"),
        )
    ),
    *(
        with_store(partial(ChangesWhatItReads, change=change), name, ItemRules)
        for change, name in (
            (_first_only, "reads one item at a time"),
            (_own_only, "reads a scope without those around it"),
            (_innermost_item_only, "reads an item without those around it"),
            (_without_groups, "reads an item without the groups inside it"),
            (_without_data, "reads items without their data"),
        )
    ),
    with_store(ReadsItemsAtRest, "takes items at rest for active", ItemRules),
    with_store(StumblesWithoutItems, "cannot be without items", ItemRules, crashes=True),
    with_store(partial(ChangesResults, change=lambda results: results[::-1]), "gives results last first", ItemRules),
    with_store(GivesAllResults, "gives the results of other items too", ItemRules),
    with_store(FillsMissingResults, "makes up results of unfinished items", ItemRules),
    with_store(SharesItems, "keeps the items of all instances together", ItemRules),
    with_store(ForgetsItemsOutOfSight, "forgets the items that a transition does not have", ItemRules),
    with_store(KeepsInnerScopes, "keeps the groups inside items for ever", ItemRules),
    *(
        with_store(partial(ChangesWrites, change=change), name, ItemRules)
        for change, name in (
            (_data_lost, "takes unread data for none"),
            (_data_kept, "never changes the data of an item"),
            (_never_again, "never changes an item"),
            (_no_results, "forgets the results of items"),
            (_nothing_dropped, "never drops items"),
            (_first_hundred, "keeps the first hundred items"),
            (_active_only, "forgets items that wait their turn"),
        )
    ),
)
