"""What a memory store and its queries share."""

from __future__ import annotations

import threading
from datetime import datetime
from uuid import UUID

from workflows_core.adapters.memory.backlog import Backlog
from workflows_core.adapters.memory.rows import InstanceRow
from workflows_core.adapters.system_clock import SystemClock
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.ports.clock import Clock
from workflows_core.ports.queries import TaskRecord

__all__ = ["MemoryState"]


class MemoryState:
    """The content of a memory store; several stores and queries over one state are like processes over one database.

    May be used from several threads: whoever reads or writes holds ``lock``, and never waits for anything else meanwhile.

    Attributes:
        clock: Its time.
        lock: Held by whoever looks or writes.
        graphs: Graphs by hash, each with the time when it was first stored.
        instances: Instances by their identity as an integer, which is found faster than a UUID.
        start_keys: Instance and digest by tenant, workflow and key.
        tasks: Human tasks as they stand.
        backlog: Work items that are due or held.
    """

    __slots__ = ("backlog", "clock", "graphs", "instances", "lock", "start_keys", "tasks")

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock if clock is not None else SystemClock()
        self.lock = threading.Lock()
        self.graphs: dict[str, tuple[WorkflowGraph, datetime]] = {}
        self.instances: dict[int, InstanceRow] = {}
        self.start_keys: dict[tuple[str, str, str], tuple[UUID, str]] = {}
        self.tasks: dict[UUID, TaskRecord] = {}
        self.backlog = Backlog()
