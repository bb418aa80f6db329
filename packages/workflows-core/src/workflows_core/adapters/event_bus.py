"""Events inside one process: listeners hear of them after the commit."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from workflows_core.domain.events import RecordedEvent, WorkflowEvent
from workflows_core.ports.events import EventPublisher

__all__ = ["EventBus"]

logger = logging.getLogger(__name__)

EventT = TypeVar("EventT", bound=WorkflowEvent)
Listener = Callable[[Any], Awaitable[None] | None]


class EventBus(EventPublisher):
    """Calls listeners with the events of this process, in the order of its commits.

    A listener hears what this process commits, after the commit, at most once: it is a hint. An error in one is logged and
    harms neither the others nor the workflow.
    """

    def __init__(self) -> None:
        self._listeners: dict[type[WorkflowEvent], list[Listener]] = {}
        self._heard_by: dict[type[WorkflowEvent], tuple[Listener, ...]] = {}

    def subscribe(
        self, event: type[EventT], listener: Callable[[EventT], Awaitable[None] | None]
    ) -> Callable[[], None]:
        """Call a listener, plain or asynchronous, with each event of a type (or of its subclasses).

        Returns:
            A function that ends the subscription.
        """
        listeners = self._listeners.setdefault(event, [])
        listeners.append(listener)
        self._heard_by.clear()

        def unsubscribe() -> None:
            if listener in listeners:
                listeners.remove(listener)
                self._heard_by.clear()

        return unsubscribe

    def on(
        self, event: type[EventT]
    ) -> Callable[[Callable[[EventT], Awaitable[None] | None]], Callable[[EventT], Awaitable[None] | None]]:
        """Decorate a listener: ``@bus.on(WorkflowCompleted)``."""

        def decorate(
            listener: Callable[[EventT], Awaitable[None] | None],
        ) -> Callable[[EventT], Awaitable[None] | None]:
            self.subscribe(event, listener)
            return listener

        return decorate

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        """Call the listeners of each event."""
        if not self._listeners:
            return
        for recorded in events:
            event = recorded.event
            for listener in self._listeners_of(type(event)):
                await _tell(listener, event)

    async def emit(self, event: WorkflowEvent) -> None:
        """Call the listeners of one event."""
        for listener in self._listeners_of(type(event)):
            await _tell(listener, event)

    def _listeners_of(self, event: type[WorkflowEvent]) -> tuple[Listener, ...]:
        """Listeners of an event's type and of its bases, the nearest first."""
        known = self._heard_by.get(event)
        if known is None:
            known = tuple(listener for kind in event.__mro__ for listener in self._listeners.get(kind, ()))
            self._heard_by[event] = known
        return known


async def _tell(listener: Listener, event: WorkflowEvent) -> None:
    try:
        answer = listener(event)
        if inspect.isawaitable(answer):
            await answer
    except Exception:
        logger.exception("a listener of %s failed", type(event).__name__)
