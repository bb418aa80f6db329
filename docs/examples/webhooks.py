"""A webhook step: the address, an early call, a wrong call, the right call, and a second one."""

from __future__ import annotations

import asyncio

import msgspec

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    InputValidationError,
    LocalExecutionEngine,
    WebhookAlreadyUsedError,
    WebhookNotFoundError,
    WebhookStep,
    Workflow,
    WorkflowContext,
)


class Payment(msgspec.Struct):
    """What the payment provider sends."""

    reference: str
    amount: float


class AskForPayment(BaseMachineStep):
    """Gives the address away before its step is entered."""

    async def execute(self, context: WorkflowContext) -> None:
        context.set("callback", context.webhook_url("paid"))


class Ship(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> None:
        context.set("shipped", context.get("payment")["reference"])


class Order(Workflow):
    """Ships what was paid."""

    ask = AskForPayment(name="ask")
    paid = WebhookStep(payload_schema=Payment, into="payment")
    ship = Ship()

    __edges__ = [(ask, paid), (paid, ship)]


# The secret must be the same in every process and after every restart: keep it where your other secrets are.
settings = EngineSettings(secret=b"at least sixteen random bytes", public_url="https://example.org/workflows/api")


async def main() -> None:
    async with LocalExecutionEngine(settings=settings) as engine:
        started = await engine.start_workflow(Order)
        waiting = await engine.wait(started.id, timeout=5)
        address = waiting.data["callback"]
        print(waiting.current_step, address.partition("/webhooks/")[0])

        # The REST API calls this for POST {public_url}/webhooks/{token}.
        token = address.rpartition("/")[2]
        for forged, payload in ((token[:-1] + "-", {}), (token, {"amount": 42})):
            try:
                await engine.receive_webhook(forged, payload)
            except WebhookNotFoundError:
                print("not our signature")
            except InputValidationError as error:
                print([(problem.pointer, problem.message) for problem in error.problems])

        await engine.receive_webhook(token, {"reference": "R-1", "amount": 42})
        finished = await engine.wait(started.id, timeout=5)
        print(finished.status, finished.data["shipped"])
        try:
            await engine.receive_webhook(token, {"reference": "R-2", "amount": 42})
        except WebhookAlreadyUsedError as error:
            print(error.step, "was already used")

        # A call that comes before its step is kept for it.
        started = await engine.start_workflow(Order)
        await engine.receive_webhook(engine.webhook_token(started.id, "paid"), {"reference": "R-3", "amount": 42})
        finished = await engine.wait(started.id, timeout=5)
        print(finished.status, finished.data["shipped"])


if __name__ == "__main__":
    asyncio.run(main())
