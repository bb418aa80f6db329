"""Reading instances anew, after others have written them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from uuid import UUID

from workflows_core.domain.state import InstanceState
from workflows_core.errors import InstanceNotFoundError
from workflows_core.ports.store import WorkflowStore

__all__ = ["Rereading", "reread"]


async def reread(
    store: WorkflowStore, instance_id: UUID, *, scopes: Collection[int], all_items: bool = False
) -> InstanceState:
    """An instance as it is stored now.

    Args:
        store: Where it is.
        instance_id: Which one.
        scopes: Scopes that are needed.
        all_items: Whether those of all items are.

    Raises:
        InstanceNotFoundError: There is no such instance.
        StoreUnavailableError: The store does not answer.
    """
    loaded = await store.load(instance_id, scopes=scopes, all_items=all_items)
    if loaded is None:
        raise InstanceNotFoundError(instance_id)
    return loaded.state


class _Asked:
    """A read, and how many wait for it."""

    __slots__ = ("all_items", "answer", "scopes", "waiting")

    def __init__(self) -> None:
        self.scopes: set[int] = set()
        self.all_items = False
        self.waiting = 0
        self.answer: asyncio.Task[InstanceState]


class Rereading:
    """Answers with one read all who ask for an instance in the same turn of the event loop.

    Results of steps that were to be written together are refused together, when another process was first.

    Args:
        store: Where instances are.
    """

    def __init__(self, store: WorkflowStore) -> None:
        self._store = store
        self._asked: dict[UUID, _Asked] = {}

    async def read(self, instance_id: UUID, *, scopes: Collection[int], all_items: bool = False) -> InstanceState:
        """An instance as it is stored now, maybe with more scopes; see `reread`."""
        asked = self._asked.get(instance_id)
        if asked is None:
            asked = self._asked[instance_id] = _Asked()
            asked.answer = asyncio.get_running_loop().create_task(self._read(instance_id))
        asked.scopes.update(scopes)
        asked.all_items |= all_items
        asked.waiting += 1
        try:
            return await asyncio.shield(asked.answer)
        except asyncio.CancelledError:
            asked.waiting -= 1
            if asked.waiting == 0:
                if self._asked.get(instance_id) is asked:
                    del self._asked[instance_id]
                asked.answer.cancel()
                await asyncio.gather(asked.answer, return_exceptions=True)
            raise

    async def _read(self, instance_id: UUID) -> InstanceState:
        asked = self._asked.pop(instance_id)
        return await reread(self._store, instance_id, scopes=asked.scopes, all_items=asked.all_items)
