"""A test of a workflow that takes months, under a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from timers import Campaign, skip_wait

from workflows_core import EngineSettings, LocalExecutionEngine, WorkflowStatus
from workflows_testing.clock import ManualClock


async def test_a_campaign_ends_a_week_after_the_opening() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with LocalExecutionEngine(clock=clock, settings=EngineSettings(poll_s=0.01)) as engine:
        started = await engine.start_workflow(Campaign, {"days": 7})
        instance = await engine.wait(started.id, timeout=5)
        while not instance.status.is_final:
            instance = await skip_wait(engine, clock, instance)

    assert instance.status is WorkflowStatus.COMPLETED
    assert clock.now() == datetime(2026, 3, 1, 9, tzinfo=UTC) + timedelta(days=7)
