"""Four ways to choose what follows: conditions on edges, code on edges, a gateway by code, a gateway by conditions."""

from __future__ import annotations

import asyncio

from workflows_core import (
    BaseMachineStep,
    Edge,
    ExclusiveGateway,
    InclusiveGateway,
    LocalExecutionEngine,
    Workflow,
    WorkflowContext,
    WorkflowDefinition,
)


class Note(BaseMachineStep):
    """Writes its name down."""

    async def execute(self, context: WorkflowContext) -> None:
        context.add("notes", self.name)


class Register(Note):
    """Registers a parcel."""


# Conditions are expressions over the data. Every edge that holds is followed.
by_expression = WorkflowDefinition(
    "by_expression",
    steps=[Register, Note(name="insure"), Note(name="weigh"), Note(name="send")],
    edges=[
        Edge("register", "insure", "value > 500"),
        Edge("register", "weigh", "weight is None"),
        Edge("register", "send", default=True),
    ],
    reducers={"notes": "append"},
)


# A condition may also be code. It runs on the worker, once, right after the step.
async def is_abroad(context: WorkflowContext) -> bool:
    return context.get("country") not in {"DE", "AT", "CH"}


by_code = WorkflowDefinition(
    "by_code",
    steps=[Register, Note(name="declare"), Note(name="send")],
    edges=[Edge("register", "declare", is_abroad), Edge("register", "send", default=True)],
    reducers={"notes": "append"},
)


# A gateway that is given code takes the edge to the step that the code names.
def size(context: WorkflowContext) -> str:
    return "truck" if context.get("weight", 0) > 30 else "bicycle"


by_gateway = WorkflowDefinition(
    "by_gateway",
    steps=[Register, ExclusiveGateway("size", size), Note(name="truck"), Note(name="bicycle")],
    edges=[("register", "size"), ("size", "truck"), ("size", "bicycle")],
    reducers={"notes": "append"},
)


class Parcel(Workflow):
    """An inclusive gateway takes every edge that holds; an exclusive one the first."""

    __reducers__ = {"notes": "append"}

    register = Register()
    needs = InclusiveGateway()
    insure = Note()
    declare = Note()
    speed = ExclusiveGateway()
    plane = Note()
    ship = Note()

    __edges__ = [
        (register, needs),
        (needs, insure, "value > 500"),
        (needs, declare, "country != 'DE'"),
        Edge(needs, speed, default=True),
        (insure, speed),
        (declare, speed),
        (speed, plane, "urgent"),
        Edge(speed, ship, default=True),
    ]


async def main() -> None:
    async with LocalExecutionEngine() as engine:
        parcel = {"value": 900, "weight": 12, "country": "JP", "urgent": True}
        for workflow in (by_expression, by_code, by_gateway, Parcel):
            started = await engine.start_workflow(workflow, parcel)
            finished = await engine.wait(started.id, timeout=5)
            print(finished.workflow_name, finished.status, finished.data["notes"])


if __name__ == "__main__":
    asyncio.run(main())
