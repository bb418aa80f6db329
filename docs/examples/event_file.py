"""An adapter of the port `EventPublisher`: every event becomes a line of a file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from workflows_core import BaseMachineStep, LocalExecutionEngine, Workflow, WorkflowContext
from workflows_core.domain.events import RecordedEvent
from workflows_core.ports.events import EventPublisher

logger = logging.getLogger(__name__)


class JsonLinesEventPublisher(EventPublisher):
    """Appends the events of this process to a file, one JSON document a line, in the order of its commits.

    A hint, as the port says: what is lost when the disk is full is still in the store.

    Args:
        path: The file; made when the first event comes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        lines = b"".join(msgspec.json.encode(recorded) + b"\n" for recorded in events)
        async with self._turn:
            try:
                await asyncio.to_thread(self._append, lines)
            except OSError:
                logger.exception("%d events could not be written to %s", len(events), self._path)

    def _append(self, lines: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(lines)


class Greet(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> str:
        return f"hello {context.get('name')}"


class Greeting(Workflow):
    """Says hello."""

    __steps__ = [Greet]


async def main(path: Path) -> None:
    async with LocalExecutionEngine(event_bus=JsonLinesEventPublisher(path)) as engine:
        started = await engine.start_workflow(Greeting, {"name": "world"})
        await engine.wait(started.id, timeout=5)


def show(path: Path) -> None:
    for line in path.read_bytes().splitlines():
        recorded = msgspec.json.decode(line, type=RecordedEvent)
        print(recorded.revision, recorded.position, recorded.actor, type(recorded.event).__name__)


if __name__ == "__main__":
    written = Path("events.jsonl")
    asyncio.run(main(written))
    show(written)
