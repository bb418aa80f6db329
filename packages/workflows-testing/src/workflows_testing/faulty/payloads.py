"""Faults of payloads, names and times."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.ports.store import Claim, ClaimRequest, Loaded, StartKey, Write
from workflows_testing.conformance.store_payloads import PayloadRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_store
from workflows_testing.faulty.rewriting import rewrite, with_scopes, with_transition

__all__ = ["FAULTS"]


class ComposesWorkers(InMemoryWorkflowStore):
    """Writes the name of a worker in another form of Unicode than it looks for."""

    async def claim(self, request: ClaimRequest) -> list[Claim]:
        return await super().claim(replace(request, worker=_composed(request.worker)))


class TrimsTenants(InMemoryWorkflowStore):
    async def load(
        self, instance_id: UUID, *, tenant: str | None = None, scopes: Collection[int] = (), all_items: bool = False
    ) -> Loaded | None:
        asked = None if tenant is None else _escaped(tenant)
        return await super().load(instance_id, tenant=asked, scopes=scopes, all_items=all_items)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _escaped(text: str) -> str:
    return text.replace("'", "''")


def _without_nul(text: str) -> str:
    return text.replace("\x00", "")


def _as_text(raw: bytes) -> bytes:
    return raw.decode("utf-8", "ignore").encode()


def _short(raw: bytes) -> bytes:
    return raw[:65535]


def _text(change: Callable[[str], str]) -> Callable[[MemoryState, Write], Write]:
    return lambda _memory, write: replace(write, transition=rewrite(write.transition, text=change))


def _raw(change: Callable[[bytes], bytes]) -> Callable[[MemoryState, Write], Write]:
    return lambda _memory, write: replace(write, transition=rewrite(write.transition, raw=change))


def _thousand_keys(_memory: MemoryState, write: Write) -> Write:
    return with_scopes(write, lambda scope: replace(scope, data=dict(list((scope.data or {}).items())[:1000])))


def _without(**fields: Any) -> Callable[[MemoryState, Write], Write]:
    def change(_memory: MemoryState, write: Write) -> Write:
        return with_transition(write, state=replace(write.transition.state, **fields))

    return change


def _folded_key(_memory: MemoryState, write: Write) -> Write:
    key = write.start_key
    return write if key is None else replace(write, start_key=StartKey(key.key.casefold().strip(), key.digest))


def _whole_seconds(_memory: MemoryState, write: Write) -> Write:
    def whole(moment: datetime | None) -> datetime | None:
        return None if moment is None else moment.replace(microsecond=0)

    executions = tuple(
        replace(execution, started_at=whole(execution.started_at)) for execution in write.transition.executions
    )
    return with_transition(write, executions=executions)


FAULTS: Final[tuple[Fault, ...]] = (
    *(
        with_store(partial(ChangesWrites, change=change), name, PayloadRules)
        for change, name in (
            (_raw(_as_text), "takes payloads for text"),
            (_raw(_short), "cuts payloads"),
            (_raw(lambda raw: raw.rstrip(b"\x00")), "loses zero bytes at the end"),
            (_text(_without_nul), "loses zero characters"),
            (_text(_composed), "composes characters"),
            (_text(_escaped), "escapes text twice"),
            (_thousand_keys, "cuts the number of keys"),
            (_without(metadata=None), "forgets metadata"),
            (_without(buffered={}), "forgets calls that came early"),
            (_without(signals={}), "forgets signals that were kept"),
            (_without(signal_keys=()), "forgets the keys of signals"),
            (_without(error=None), "forgets the error"),
            (_folded_key, "compares start keys loosely"),
            (_whole_seconds, "cuts times of executions to seconds"),
        )
    ),
    with_store(ComposesWorkers, "composes the names of workers", PayloadRules),
    with_store(TrimsTenants, "escapes tenants twice", PayloadRules),
)
