"""Named signals: one that comes early, one that is sent twice, and one to a step that waits."""

from __future__ import annotations

import asyncio

import msgspec

from workflows_core import (
    BaseMachineStep,
    InputValidationError,
    LocalExecutionEngine,
    WaitForSignal,
    Workflow,
    WorkflowContext,
)


class Parcel(msgspec.Struct):
    """What the warehouse says."""

    number: str


class Thank(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("thanks", f"{context.get('parcel')['number']}, rated {context.get('signals')['rated']}")


class Delivery(Workflow):
    """Follows a parcel until the customer has rated it."""

    packed = WaitForSignal(payload_schema=Parcel, into="parcel")
    rated = WaitForSignal(signal="rating")
    thank = Thank()

    __edges__ = [(packed, rated), (rated, thank)]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        started = await engine.start_workflow(Delivery)
        await engine.signal(started.id, "rating", 5)  # early: kept until a step waits for it
        waiting = await engine.wait(started.id, timeout=5)
        print("waits at", waiting.current_step)

        try:
            await engine.signal(started.id, "packed", {"weight": 3})
        except InputValidationError as error:
            print([(problem.pointer, problem.message) for problem in error.problems])

        for _ in range(2):  # the answer to the first may have been lost
            await engine.signal(started.id, "packed", {"number": "P-1"}, dedup_key="packed P-1")
        finished = await engine.wait(started.id, timeout=5)
        print(finished.status, finished.data["thanks"])


if __name__ == "__main__":
    asyncio.run(main())
