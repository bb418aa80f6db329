"""Faults of the first transition."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.ports.store import DuplicateKey, Loaded, StartKey, Write, WriteResult
from workflows_testing.conformance.store_starts import StartRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store
from workflows_testing.faulty.rewriting import at_current_revision, with_state

__all__ = ["FAULTS"]


class FindsNothing(InMemoryWorkflowStore):
    async def load(
        self,
        instance_id: UUID,
        *,
        tenant: str | None = None,
        scopes: Collection[int] = (),
        all_items: bool = False,
    ) -> Loaded | None:
        return None


class FindsAnything(InMemoryWorkflowStore):
    async def load(
        self,
        instance_id: UUID,
        *,
        tenant: str | None = None,
        scopes: Collection[int] = (),
        all_items: bool = False,
    ) -> Loaded | None:
        found = await super().load(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
        if found is not None:
            return found
        some = next(iter(self.memory.instances.values()), None)
        return Loaded(with_state(instance_id) if some is None else some.state, self.memory.clock.now())


class TellsTheDigestOfTheSecond(InMemoryWorkflowStore):
    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        return [
            DuplicateKey(result.instance_id, write.start_key.digest)
            if isinstance(result, DuplicateKey) and write.start_key is not None
            else result
            for write, result in zip(writes, await super().commit(writes), strict=True)
        ]


class KeysForEverybody(InMemoryWorkflowStore):
    """Start keys are unique for the whole store."""

    __slots__ = ("_keys",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._keys: dict[str, tuple[UUID, str]] = {}

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        results: list[WriteResult] = []
        for write in writes:
            key = write.start_key
            if key is not None and key.key in self._keys:
                results.append(DuplicateKey(*self._keys[key.key]))
                continue
            if key is not None:
                self._keys[key.key] = (write.transition.state.id, key.digest)
            results += await super().commit([write])
        return results


def _forget_key(_memory: MemoryState, write: Write) -> Write:
    return replace(write, start_key=None)


def _key_for_version(_memory: MemoryState, write: Write) -> Write:
    if write.start_key is None:
        return write
    key = f"{write.start_key.key}@{write.transition.state.version}"
    return replace(write, start_key=StartKey(key, write.start_key.digest))


FAULTS: Final[tuple[Fault, ...]] = (
    with_store(FindsNothing, "loses instances", StartRules),
    with_store(FindsAnything, "finds instances that are not there", StartRules),
    with_store(partial(ChangesWrites, change=at_current_revision), "writes whatever the revision", StartRules),
    with_store(TellsTheDigestOfTheSecond, "tells the digest of the second request", StartRules),
    with_store(KeysForEverybody, "keeps start keys for all tenants and workflows together", StartRules),
    with_store(partial(ChangesWrites, change=_forget_key), "forgets start keys", StartRules),
    with_store(partial(ChangesWrites, change=_key_for_version), "keeps start keys for each version", StartRules),
)
