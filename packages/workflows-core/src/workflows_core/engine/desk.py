"""The use cases of people and programs, over the store itself or over the inside of a transaction."""

from __future__ import annotations

from workflows_core.engine.contexts import Contexts
from workflows_core.engine.joining import CommitsTransitions
from workflows_core.engine.programs import Programs
from workflows_core.engine.requests import Requests
from workflows_core.engine.seats import Seats
from workflows_core.engine.settings import EngineSettings
from workflows_core.engine.signals import Signals
from workflows_core.engine.starting import Starting
from workflows_core.engine.tasks import Tasks
from workflows_core.engine.webhooks import Webhooks
from workflows_core.ports.clock import Clock
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.ids import IdGenerator
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore

__all__ = ["Desk"]


class Desk:
    """Where requests are taken.

    Attributes:
        requests: Commands to instances.
        signals: Named signals.
        starting: Starts.
        tasks: Human tasks.
        webhooks: Calls to webhook addresses.
    """

    __slots__ = ("requests", "signals", "starting", "tasks", "webhooks")

    def __init__(
        self,
        store: WorkflowStore,
        queries: WorkflowQueries,
        commits: CommitsTransitions,
        programs: Programs,
        *,
        codec: PayloadCodec,
        ids: IdGenerator,
        clock: Clock,
        settings: EngineSettings,
        seats: Seats | None = None,
    ) -> None:
        """Wire the use cases over both sides of a store, and over what commits their transitions; ``seats`` are for the steps that follow."""
        seats = seats if seats is not None else Seats()
        self.requests = Requests(store, commits, programs, settings, seats)
        self.webhooks = Webhooks(requests=self.requests, codec=codec, settings=settings)
        self.signals = Signals(store=store, queries=queries, requests=self.requests, codec=codec)
        self.starting = Starting(
            store=store,
            commits=commits,
            programs=programs,
            codec=codec,
            ids=ids,
            clock=clock,
            settings=settings,
            seats=seats,
        )
        self.tasks = Tasks(
            queries=queries,
            requests=self.requests,
            programs=programs,
            contexts=Contexts(codec, queries, settings),
            codec=codec,
            settings=settings,
        )
