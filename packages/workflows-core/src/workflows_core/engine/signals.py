"""Use case: somebody sends a named signal to an instance."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from workflows_core.domain.actor import SYSTEM, Actor
from workflows_core.domain.commands import Command, ReceiveSignal
from workflows_core.domain.payload import encode_value
from workflows_core.engine.instances import WorkflowInstance, read_instance, to_instance
from workflows_core.engine.programs import LoadedProgram
from workflows_core.engine.requests import Requests
from workflows_core.errors import SignalAlreadyReceivedError
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import Loaded, WorkflowStore

__all__ = ["Signals"]


class Signals:
    """Takes signals."""

    def __init__(
        self, *, store: WorkflowStore, queries: WorkflowQueries, requests: Requests, codec: PayloadCodec
    ) -> None:
        self._store = store
        self._queries = queries
        self._requests = requests
        self._codec = codec

    async def receive(
        self, instance_id: UUID, name: str, payload: Any, *, dedup_key: str | None, actor: Actor | None
    ) -> WorkflowInstance:
        """Take one signal; see `InstanceControl.signal`."""
        raw = encode_value("payload", payload, self._codec.encode)
        tenant = None if actor is None else actor.tenant

        def command(found: Loaded, _loaded: LoadedProgram) -> Command:
            return ReceiveSignal(name=name, payload=raw, now=found.at, dedup_key=dedup_key)

        who = SYSTEM if actor is None else actor
        try:
            state, at = await self._requests.apply(instance_id, command, actor=who.id, tenant=tenant)
        except SignalAlreadyReceivedError:
            return await read_instance(self._store, self._queries, self._codec, instance_id, tenant=tenant)
        return to_instance(state, self._codec, updated_at=at)
