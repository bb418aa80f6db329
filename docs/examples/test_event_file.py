"""What the port promises, asked of the adapter."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from event_file import JsonLinesEventPublisher

from workflows_core import WorkflowStarted
from workflows_core.domain.events import RecordedEvent


def an_event(revision: int) -> RecordedEvent:
    event = WorkflowStarted(instance_id=uuid4(), workflow_name="greeting", workflow_version="1.0.0")
    return RecordedEvent(revision, 0, datetime(2026, 1, 1, tzinfo=UTC), "ann", event)


async def test_events_come_back_in_their_order(tmp_path: Path) -> None:
    publisher = JsonLinesEventPublisher(tmp_path / "events.jsonl")
    published = [an_event(1), an_event(2), an_event(3)]
    await publisher.publish(published[:2])
    await publisher.publish(published[2:])

    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=RecordedEvent) for line in lines] == published


async def test_an_error_does_not_reach_the_caller(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    publisher = JsonLinesEventPublisher(tmp_path / "no such folder" / "events.jsonl")
    with caplog.at_level(logging.ERROR):
        await publisher.publish([an_event(1)])
    assert "1 events could not be written" in caplog.text
