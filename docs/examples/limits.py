"""Limits of concurrency and rate: how many at once, and how many in a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from workflows_core import (
    BaseMachineStep,
    ConcurrencyLimit,
    EngineSettings,
    LocalExecutionEngine,
    RateLimit,
    Workflow,
    WorkflowContext,
)
from workflows_testing.clock import ManualClock

running: Counter[str] = Counter()
most: Counter[str] = Counter()
mails: list[str] = []

SETTINGS = EngineSettings(poll_s=0.01, lease_s=3600)  # leases end by the same clock, which is moved by minutes here


class Export(BaseMachineStep):
    """One export of each customer at once."""

    concurrency = ConcurrencyLimit(1, key="customer")

    async def execute(self, context: WorkflowContext) -> None:
        customer = context.get("customer")
        running[customer] += 1
        most[customer] = max(most[customer], running[customer])
        await asyncio.sleep(0.02)
        running[customer] -= 1


class Mail(BaseMachineStep):
    """Two mails a minute, whichever workflow sends them."""

    rate = RateLimit(2, per=timedelta(minutes=1), name="mail-server")

    async def execute(self, context: WorkflowContext) -> None:
        mails.append(context.get("customer"))


class Report(Workflow):
    export = Export()
    mail = Mail()

    __edges__ = [(export, mail)]


async def main() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with LocalExecutionEngine(clock=clock, settings=SETTINGS) as engine:
        for customer in ("ada", "ada", "bob", "ada", "bob"):
            await engine.start_workflow(Report, {"customer": customer})
        for minute in range(3):
            while len(mails) < min(2 * (minute + 1), 5):
                await asyncio.sleep(0.01)
            print(f"{len(mails)} mails after {minute} minutes")
            clock.advance(timedelta(minutes=1))
        print(dict(most))


if __name__ == "__main__":
    asyncio.run(main())
