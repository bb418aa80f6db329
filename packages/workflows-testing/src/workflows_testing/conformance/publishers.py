"""Rules for every `EventPublisher`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from workflows_core.domain.events import Event, RecordedEvent
from workflows_core.ports.events import EventPublisher
from workflows_testing.builders import START, a_graph, an_instance

__all__ = ["EventPublisherConformance", "Listen"]

Listen: TypeAlias = Callable[[Callable[[Event], None]], None]
"""Lets a listener hear every event from now on."""


def recorded(steps: int = 1) -> list[list[RecordedEvent]]:
    """The events of the transitions of one instance, with so many steps."""
    names = [f"step {number}" for number in range(steps)]
    run = an_instance(a_graph(*names))
    writes = [run.start(), *(run.complete(name) for name in names)]
    return [
        [
            RecordedEvent(write.transition.state.revision, position, START, "system", event)
            for position, event in enumerate(write.transition.events)
        ]
        for write in writes
    ]


class EventPublisherConformance:
    """The suite; override the fixtures ``publisher`` and ``listen``, and ``delivered`` where events arrive later.

    Attributes:
        adapter: The class under test.
    """

    adapter: type

    @pytest.fixture
    def publisher(self) -> EventPublisher:
        """The publisher under test."""
        msg = f"{type(self).__name__} must override the fixture `publisher`"
        raise TypeError(msg)

    @pytest.fixture
    def listen(self, publisher: EventPublisher) -> Listen:
        """How somebody listens to it."""
        msg = f"{type(self).__name__} must override the fixture `listen`"
        raise TypeError(msg)

    @pytest.fixture
    def delivered(self) -> Callable[[], Awaitable[None]]:
        """Waits until listeners have heard what was published."""

        async def at_once() -> None:
            return

        return at_once

    async def test_listeners_hear_the_events_of_a_transition_in_their_order(
        self, publisher: EventPublisher, listen: Listen, delivered: Callable[[], Awaitable[None]]
    ) -> None:
        heard: list[Event] = []
        listen(heard.append)
        last = recorded()[-1]
        assert len(last) == 2
        await publisher.publish(last)
        await delivered()
        assert heard == [event.event for event in last]

    async def test_listeners_hear_transitions_in_the_order_of_their_commits(
        self, publisher: EventPublisher, listen: Listen, delivered: Callable[[], Awaitable[None]]
    ) -> None:
        heard: list[Event] = []
        listen(heard.append)
        transitions = recorded(5)
        for events in transitions:
            await publisher.publish(events)
        await delivered()
        assert heard == [event.event for events in transitions for event in events]

    async def test_every_listener_hears_every_event(
        self, publisher: EventPublisher, listen: Listen, delivered: Callable[[], Awaitable[None]]
    ) -> None:
        first: list[Event] = []
        second: list[Event] = []
        listen(first.append)
        listen(second.append)
        events = recorded()[-1]
        await publisher.publish(events)
        await delivered()
        assert first == second == [event.event for event in events]

    async def test_an_error_in_a_listener_does_not_reach_the_publisher(
        self, publisher: EventPublisher, listen: Listen, delivered: Callable[[], Awaitable[None]]
    ) -> None:
        def fail(_event: Event) -> None:
            msg = "a listener broke"
            raise RuntimeError(msg)

        listen(fail)
        await publisher.publish(recorded()[0])
        await delivered()

    async def test_an_error_in_a_listener_harms_no_other(
        self, publisher: EventPublisher, listen: Listen, delivered: Callable[[], Awaitable[None]]
    ) -> None:
        def fail(_event: Event) -> None:
            msg = "a listener broke"
            raise RuntimeError(msg)

        heard: list[Event] = []
        listen(fail)
        listen(heard.append)
        await publisher.publish(recorded()[-1])
        await delivered()
        assert len(heard) == 2

    async def test_nobody_needs_to_listen(self, publisher: EventPublisher) -> None:
        await publisher.publish(recorded()[0])

    async def test_nothing_can_be_published(self, publisher: EventPublisher, listen: Listen) -> None:
        heard: list[Event] = []
        listen(heard.append)
        await publisher.publish([])
        assert heard == []
