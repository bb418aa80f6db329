"""Timers, under a clock that the program moves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    DelayStep,
    Edge,
    EngineSettings,
    LocalExecutionEngine,
    RaceGroup,
    ScheduledStep,
    TimerStep,
    Workflow,
    WorkflowContext,
    WorkflowInstance,
)
from workflows_testing.clock import ManualClock


class Deliver(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None: ...


class Campaign(Workflow):
    """Waits for a duration, for a moment, and for what the data say."""

    cool_down = DelayStep(seconds=30)
    opening = ScheduledStep(at=datetime(2026, 3, 1, 9, tzinfo=UTC))
    grace = TimerStep(duration=lambda context: timedelta(days=context.get("days")))
    deliver = Deliver()

    __edges__ = [(cool_down, opening), (opening, grace), (grace, deliver)]


class Escalate(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.data["escalated"] = True


class Confirmation(Workflow):
    """A person has two days to answer; after that the task is withdrawn and somebody else is told."""

    answer = RaceGroup(
        BaseHumanStep(name="confirm", title="Confirm the order"),
        DelayStep("two_days", duration=timedelta(days=2)),
        into="answer",
    )
    deliver = Deliver()
    escalate = Escalate()

    __edges__ = [(answer, deliver, "answer is not None"), Edge(answer, escalate, default=True)]


async def skip_wait(engine: LocalExecutionEngine, clock: ManualClock, instance: WorkflowInstance) -> WorkflowInstance:
    """Move the clock to the next timer of an instance, and wait for what follows."""
    due = [work.due_at for work in await engine.queries.list_work(instance.id) if work.due_at is not None]
    clock.set(min(due))
    while (await engine.get_instance(instance.id)).revision == instance.revision:
        await asyncio.sleep(0.01)
    return await engine.wait(instance.id, timeout=5)


async def main() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    # The worker looks for due work every `poll_s` seconds of real time; here it must not wait long after the clock was moved.
    async with LocalExecutionEngine(clock=clock, settings=EngineSettings(poll_s=0.01)) as engine:
        started = await engine.start_workflow(Campaign, {"days": 7})
        instance = await engine.wait(started.id, timeout=5)
        while not instance.status.is_final:
            print(clock.now(), instance.current_step)
            instance = await skip_wait(engine, clock, instance)
        print(clock.now(), instance.status)

        started = await engine.start_workflow(Confirmation)
        instance = await engine.wait(started.id, timeout=5)
        print([active.step_name for active in instance.active_steps])
        instance = await skip_wait(engine, clock, instance)
        print(instance.status, instance.data, len(await engine.get_pending_tasks()), "open tasks")


if __name__ == "__main__":
    asyncio.run(main())
