"""Commands from outside: read the instance, decide, commit; again if somebody else was first."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from uuid import UUID

from workflows_core.domain.commands import Command
from workflows_core.domain.state import InstanceState
from workflows_core.engine.decisions import RequestDecision
from workflows_core.engine.joining import CommitsTransitions
from workflows_core.engine.programs import LoadedProgram, Programs
from workflows_core.engine.settings import EngineSettings
from workflows_core.errors import InstanceNotFoundError, ItemsNotLoadedError, RevisionConflictError
from workflows_core.ports.store import Committed, Loaded, WorkflowStore

__all__ = ["Requests"]

MakeCommand = Callable[[Loaded, LoadedProgram], Command]


class Requests:
    """Applies commands of people and programs to instances."""

    def __init__(
        self, store: WorkflowStore, commits: CommitsTransitions, programs: Programs, settings: EngineSettings
    ) -> None:
        self._store = store
        self._commits = commits
        self._programs = programs
        self._settings = settings

    async def apply(
        self,
        instance_id: UUID,
        make: MakeCommand,
        *,
        actor: str,
        tenant: str | None = None,
        scopes: Collection[int] = (),
        all_items: bool = False,
    ) -> tuple[InstanceState, datetime]:
        """Apply one command to an instance.

        Args:
            instance_id: The instance.
            make: Makes the command from the instance as it stands; called anew when it changed meanwhile, and may refuse by raising.
            actor: Who asks, for the audit record.
            tenant: Only if the instance belongs to this tenant; None does not ask.
            scopes: Scopes that the command concerns.
            all_items: Whether it concerns all items.

        Returns:
            The state after it, and the time of the commit.

        Raises:
            InstanceNotFoundError: There is no such instance (for that tenant).
            RevisionConflictError: The instance kept changing.
            StateError: The kernel refused the command.
        """
        for _attempt in range(self._settings.max_conflicts):
            found = await self._store.load(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
            if found is None:
                raise InstanceNotFoundError(instance_id)
            loaded = await self._programs.of(found.state)
            decision = RequestDecision(
                loaded,
                found.state,
                partial(_command, make, found, loaded),
                actor=actor,
                max_bytes=self._settings.max_data_bytes,
            )
            try:
                decision.decide(found.state)
                result = await self._commits.decide(decision)
            except ItemsNotLoadedError:
                all_items = True
                continue
            if isinstance(result, Committed):
                return decision.transition.state, result.at
        raise RevisionConflictError(instance_id, self._settings.max_conflicts)


def _command(make: MakeCommand, found: Loaded, loaded: LoadedProgram, state: InstanceState) -> Command:
    return make(found if state is found.state else Loaded(state, found.at), loaded)
