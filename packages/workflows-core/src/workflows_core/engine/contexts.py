"""The context that a step gets, made of the state of its instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.surroundings import ContextServices
from workflows_core.domain.commands import Writes
from workflows_core.domain.graph import GroupNode
from workflows_core.domain.payload import changed_keys, encode_value
from workflows_core.domain.state import ROOT, InstanceState, Token
from workflows_core.engine.programs import LoadedProgram
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.signatures import WebhookAddress, sign_webhook
from workflows_core.engine.time_limits import TimeLimit
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.queries import ExecutionRecord, WorkflowQueries

__all__ = ["Contexts"]

_NO_WRITES = Writes()


class Contexts(ContextServices):
    """Makes contexts, collects what steps did to them, and serves what contexts ask for."""

    def __init__(self, codec: PayloadCodec, queries: WorkflowQueries, settings: EngineSettings) -> None:
        self._codec = codec
        self._queries = queries
        self._settings = settings

    def make(
        self,
        loaded: LoadedProgram,
        state: InstanceState,
        scope_id: int,
        token: Token,
        *,
        attempt: int = 1,
        limit: TimeLimit | None = None,
        session: Any = None,
    ) -> WorkflowContext:
        """The context of one attempt of a step: a private copy of the data as its scope sees them.

        Args:
            loaded: What its instance runs.
            state: The instance.
            scope_id: Scope of the step.
            token: Token at the step.
            attempt: Number of the attempt, from 1.
            limit: How long it may take; None for one that no worker runs.
            session: Of the transaction that it shares with the record of its result; None if it shares none.
        """
        definition = loaded.definition
        decode = self._codec.decode
        return WorkflowContext(
            instance_id=state.id,
            workflow_name=state.workflow,
            workflow_version=state.version,
            data={key: decode(raw) for key, raw in state.view(scope_id).items()},
            metadata={} if state.metadata is None else decode(state.metadata),
            current_step=token.node,
            started_at=state.started_at,
            user_id=token.actor or state.created_by,
            tenant_id=state.tenant or None,
            execution=token.execution,
            visit=token.visit,
            attempt=attempt,
            previous_result=self._previous(loaded, state, scope_id, token) if scope_id != ROOT else None,
            scope=scope_id,
            state_type=definition.state_type if definition is not None else None,
            services=self if limit is None else _Attempt(self, limit),
            last=state.last,
            session=session,
        )

    def writes(self, state: InstanceState, scope_id: int, context: WorkflowContext) -> Writes:
        """What a step changed: keys whose encoding differs from what it was given, and what it added.

        Raises:
            PayloadError: A value cannot be stored; names the key.
        """
        encode = self._codec.encode
        changed, deleted = changed_keys(state.view(scope_id), context.collect(), encode)
        added = context.additions
        if not changed and not deleted and not added:
            return _NO_WRITES
        return Writes(changed, deleted, tuple((key, encode_value(key, value, encode)) for key, value in added))

    async def executions(self, instance_id: UUID, *, after: int, limit: int) -> Sequence[ExecutionRecord]:
        """Finished step executions of an instance; see `WorkflowQueries.list_executions`."""
        return await self._queries.list_executions(instance_id, after=after, limit=limit)

    async def history(self, context: WorkflowContext) -> list[ExecutionRecord]:
        """All finished step executions of the instance, ascending by number."""
        found: list[ExecutionRecord] = []
        while True:
            after = found[-1].execution.number if found else 0
            page = await self._queries.list_executions(context.instance_id, after=after)
            found.extend(page)
            if len(page) < 1000:
                return found

    def webhook_token(self, context: WorkflowContext, step: str) -> str:
        """The token for the next visit of a webhook step in the scope of the context."""
        last = context.visits_of(step)
        return sign_webhook(self._settings.secret, WebhookAddress(context.instance_id, context.scope, last + 1, step))

    def webhook_url(self, context: WorkflowContext, step: str) -> str:
        """The address for the next visit of a webhook step in the scope of the context."""
        return f"{self._settings.public_url}/webhooks/{self.webhook_token(context, step)}"

    def is_cancelled(self, context: WorkflowContext) -> bool:  # noqa: ARG002
        """Nothing stops what no worker runs."""
        return False

    def heartbeat(self, context: WorkflowContext) -> None:
        """Nobody waits for a sign of life of what no worker runs."""

    def _previous(self, loaded: LoadedProgram, state: InstanceState, scope_id: int, token: Token) -> Any:
        """Result of the step before, inside a group; of all branches, for the callback of a parallel group."""
        scope = state.scopes[scope_id]
        kind = loaded.program.graph.nodes[scope.node].kind
        decode = self._codec.decode
        if isinstance(kind, GroupNode) and kind.callback == token.node:
            return [decode(scope.results[name]) if name in scope.results else None for name in kind.entry]
        if token.via < 0:
            return None
        raw = scope.results.get(loaded.program.graph.edges[token.via].source)
        return None if raw is None else decode(raw)


class _Attempt(ContextServices):
    """The services of one attempt, which its worker may stop. It lasts as long as the code of the step, in whatever thread."""

    __slots__ = ("_contexts", "_limit")

    def __init__(self, contexts: Contexts, limit: TimeLimit) -> None:
        self._contexts = contexts
        self._limit = limit

    async def history(self, context: WorkflowContext) -> list[ExecutionRecord]:
        return await self._contexts.history(context)

    def webhook_token(self, context: WorkflowContext, step: str) -> str:
        return self._contexts.webhook_token(context, step)

    def webhook_url(self, context: WorkflowContext, step: str) -> str:
        return self._contexts.webhook_url(context, step)

    def is_cancelled(self, context: WorkflowContext) -> bool:  # noqa: ARG002
        return self._limit.stops()

    def heartbeat(self, context: WorkflowContext) -> None:  # noqa: ARG002
        self._limit.beat()
