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
from workflows_core.engine.seating import Seating
from workflows_core.engine.seats import Seats
from workflows_core.engine.settings import EngineSettings
from workflows_core.errors import InstanceNotFoundError, ItemsNotLoadedError, RevisionConflictError
from workflows_core.ports.store import Committed, Loaded, WorkflowStore

__all__ = ["Requests"]

MakeCommand = Callable[[Loaded, LoadedProgram], Command]


class Requests:
    """Applies commands of people and programs to instances."""

    def __init__(
        self,
        store: WorkflowStore,
        commits: CommitsTransitions,
        programs: Programs,
        settings: EngineSettings,
        seats: Seats,
    ) -> None:
        self._store = store
        self._commits = commits
        self._programs = programs
        self._settings = settings
        self._seats = seats

    async def read(
        self, instance_id: UUID, *, tenant: str | None = None, scopes: Collection[int] = (), all_items: bool = False
    ) -> Loaded:
        """An instance as it is stored.

        Raises:
            InstanceNotFoundError: There is no such instance (for that tenant).
        """
        found = await self._store.load(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
        if found is None:
            raise InstanceNotFoundError(instance_id)
        return found

    async def apply(
        self,
        instance_id: UUID,
        make: MakeCommand,
        *,
        found: Loaded | None = None,
        actor: str,
        tenant: str | None = None,
        scopes: Collection[int] = (),
        all_items: bool = False,
    ) -> tuple[InstanceState, datetime]:
        """Apply one command to an instance.

        Args:
            instance_id: The instance.
            make: Makes the command from the instance as it was read, and anew when it changed meanwhile; may refuse by raising.
            found: The instance, if it was read before.
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
            if found is None:
                found = await self.read(instance_id, tenant=tenant, scopes=scopes, all_items=all_items)
            loaded = await self._programs.of(found.state)
            seating = Seating(self._seats)
            try:
                decision = RequestDecision(
                    loaded,
                    found.state,
                    partial(_command, make, found, loaded),
                    seating=seating,
                    actor=actor,
                    max_bytes=self._settings.max_data_bytes,
                )
                result = await seating.commit(partial(self._commits.decide, decision), partial(_decided, decision))
            except ItemsNotLoadedError:
                all_items = True
            else:
                if isinstance(result, Committed):
                    return decision.transition.state, result.at
            found = None
        raise RevisionConflictError(instance_id, self._settings.max_conflicts)


def _decided(decision: RequestDecision) -> InstanceState:
    return decision.transition.state


def _command(make: MakeCommand, found: Loaded, loaded: LoadedProgram, state: InstanceState) -> Command:
    return make(found if state is found.state else Loaded(state, found.at), loaded)
