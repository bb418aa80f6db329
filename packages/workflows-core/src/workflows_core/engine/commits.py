"""The one way to the store: commit a transition, settle an unknown outcome, then tell those who want to know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from workflows_core.domain.events import RecordedEvent
from workflows_core.domain.transition import Transition, WorkItem
from workflows_core.engine.folding import Decision, Folding
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.events import EventPublisher
from workflows_core.ports.executor import StepExecutor, WorkRef
from workflows_core.ports.ids import IdGenerator
from workflows_core.ports.store import Committed, Held, StartKey, WorkflowStore, Write, WriteResult

__all__ = ["Commits"]

logger = logging.getLogger(__name__)


class Commits:
    """Commits transitions and passes on what follows from them."""

    def __init__(
        self,
        store: WorkflowStore,
        ids: IdGenerator,
        executor: StepExecutor,
        events: EventPublisher,
        *,
        soon_s: float,
    ) -> None:
        """Wire it.

        Args:
            store: Where transitions are committed.
            ids: Gives transitions their identity.
            executor: Is told of ready work.
            events: Is told what happened.
            soon_s: Work that is due within so many seconds is made known too; later work is found by polling.
        """
        self._store = store
        self._ids = ids
        self._executor = executor
        self._events = events
        self._soon_s = soon_s
        self._watchers: dict[UUID, set[Callable[[], None]]] = {}
        self._folding = Folding(self.write, self.pass_on)

    def watch(self, instance_id: UUID, notify: Callable[[], None]) -> Callable[[], None]:
        """Call ``notify`` after each transition of an instance that this process commits.

        Returns:
            A function that ends it.
        """
        self._watchers.setdefault(instance_id, set()).add(notify)

        def stop() -> None:
            watchers = self._watchers.get(instance_id, set())
            watchers.discard(notify)
            if not watchers:
                self._watchers.pop(instance_id, None)

        return stop

    async def commit(
        self,
        transition: Transition,
        *,
        held: Held | None = None,
        take: tuple[int, ...] = (),
        lease_s: float = 0.0,
        start_key: StartKey | None = None,
        worker: str = "",
    ) -> WriteResult:
        """Commit one transition and pass on its events and its ready work.

        Args:
            transition: What changes.
            held: The work item under which it was decided.
            take: Numbers of the work items that are taken.
            lease_s: Seconds for which they are.
            start_key: Makes a start idempotent.
            worker: Who takes, where it is not the holder of ``held``.

        Raises:
            StoreUnavailableError: The store does not answer; whether the transition was committed will show when it does.
        """
        holds = () if held is None else (held,)
        result = await self.write(transition, holds, take, lease_s, worker, start_key)
        if isinstance(result, Committed):
            await self.pass_on(transition, result, take)
        return result

    async def decide(self, decision: Decision) -> WriteResult:
        """Decide a command and commit what follows from it.

        It is decided on the state that its sender has seen, or on what was written here since; where a commit of the same instance is
        under way here, on what that leaves.

        Returns:
            The result, with the fences of ``decision.take``; ``decision.transition`` is what was written, maybe with that of others.

        Raises:
            ItemsNotLoadedError: The state that its sender has seen lacks items.
            StoreUnavailableError: As by `commit`.
            StateError: The command cannot be carried out, or no longer; so may any other error be raised that deciding raises.
        """
        return await self._folding.commit(decision)

    async def finish(self) -> None:
        """Wait until what was decided is written, and everybody told of it."""
        await self._folding.finish()

    async def write(
        self,
        transition: Transition,
        holds: tuple[Held, ...],
        take: tuple[int, ...],
        lease_s: float,
        worker: str = "",
        start_key: StartKey | None = None,
    ) -> WriteResult:
        """Commit one transition; nobody is told. Where the answer is lost, find out whether it was committed, and commit it once more if not.

        The first try may still be under way when it is asked for. Then the second one is refused because of the first, which has won.
        """
        write = Write(
            id=self._ids.new(),
            transition=transition,
            held=holds[0] if holds else None,
            also_held=holds[1:],
            take=take,
            worker=holds[0].worker if holds else worker,
            lease_s=lease_s,
            start_key=start_key,
        )
        try:
            return (await self._store.commit((write,)))[0]
        except StoreUnavailableError:
            self._folding.forget()
            found = await self._store.committed(write)
        if found is not None:
            return found
        result = (await self._store.commit((write,)))[0]
        return result if isinstance(result, Committed) else await self._store.committed(write) or result

    async def pass_on(self, transition: Transition, result: Committed, taken: tuple[int, ...]) -> None:
        """Tell of a transition that is durable: its events, its ready work but what was taken, and whoever watches the instance."""
        state = transition.state
        work = transition.work
        if len(work) > len(taken):
            ready = [
                item
                for item in work.values()
                if item is not None and item.number not in taken and item.delay_s <= self._soon_s
            ]
            if ready:
                await self._hint(state.id, ready)
        if transition.events:
            await self._tell(transition, result)
        watchers = self._watchers.get(state.id)
        if watchers:
            for notify in tuple(watchers):
                notify()

    async def tell_freed(self, instance_id: UUID, item: WorkItem) -> None:
        """Tell of a slot that a work item no longer needs: others may wait for it."""
        await self._hint(instance_id, [item])

    async def _tell(self, transition: Transition, result: Committed) -> None:
        state = transition.state
        events = [
            RecordedEvent(state.revision, position, result.at, transition.actor, event)
            for position, event in enumerate(transition.events)
        ]
        try:
            await self._events.publish(events)
        except Exception:
            logger.exception("events of instance %s were not published; they are on record", state.id)

    async def _hint(self, instance_id: UUID, items: list[WorkItem]) -> None:
        queues: dict[tuple[str, int], list[WorkRef]] = {}
        for item in items:
            queues.setdefault((item.queue, item.priority), []).append(WorkRef(instance_id, item.number))
        for (queue, priority), refs in queues.items():
            try:
                await self._executor.publish(refs, queue=queue, priority=priority)
            except Exception:
                logger.warning("hint for %d work items lost; they will be found by polling", len(refs), exc_info=True)
