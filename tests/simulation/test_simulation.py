"""Processes of a simulation are killed, frozen and started again as real ones are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest

from workflows_core import (
    BaseMachineStep,
    EngineSettings,
    StoreUnavailableError,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowStatus,
)
from workflows_testing.simulation import Simulation, SimulationError

SETTINGS = EngineSettings(lease_s=6.0, poll_s=2.0)


class Sleep(BaseMachineStep):
    """Says in which process it began, ended and was cleaned up."""

    def __init__(self, said: list[str], seconds: float) -> None:
        super().__init__(name="sleep")
        self.said = said
        self.seconds = seconds

    async def execute(self, context: WorkflowContext) -> None:
        self.said.append(f"attempt {context.attempt} begins")
        try:
            await asyncio.sleep(self.seconds)
            self.said.append(f"attempt {context.attempt} ends")
        finally:
            self.said.append(f"attempt {context.attempt} is cleaned up")


def simulate(
    said: list[str], main: Callable[[Simulation], Coroutine[Any, Any, Any]], *, seconds: float = 3.0, seed: int = 1
) -> Any:
    definition = WorkflowDefinition("sleeps", steps=[Sleep(said, seconds)])
    with Simulation(seed, [definition], settings=SETTINGS) as simulation:
        result = simulation.run(lambda: main(simulation))
        said.append("-- the end --")
    return result


async def start(simulation: Simulation) -> UUID:
    """Start an instance from a process without a worker."""
    outside = simulation.processes.get("outside") or simulation.start("outside", worker=False)
    return (await outside.engine.start_workflow("sleeps")).id


async def finish(simulation: Simulation, instance_id: UUID) -> WorkflowInstance:
    return await simulation.processes["outside"].engine.wait(
        instance_id, timeout=10_000, until=lambda found: found.status.is_final
    )


def test_a_workflow_runs_in_virtual_time() -> None:
    async def main(simulation: Simulation) -> float:
        simulation.start("worker")
        finished = await finish(simulation, await start(simulation))
        assert finished.status is WorkflowStatus.COMPLETED
        return (simulation.clock.now() - finished.started_at).total_seconds()

    assert 3600 < simulate([], main, seconds=3600) < 3610


def test_of_a_killed_process_nothing_runs_any_more_and_another_one_takes_over_when_the_lease_has_ended() -> None:
    said: list[str] = []

    async def main(simulation: Simulation) -> float:
        simulation.start("first")
        instance_id = await start(simulation)
        await asyncio.sleep(1)
        simulation.kill("first")
        simulation.start("second")
        await finish(simulation, instance_id)
        return simulation.loop.time()

    assert 6 + 3 < simulate(said, main) < 6 + 3 + 1 + 2 * SETTINGS.poll_s
    assert said[:4] == ["attempt 1 begins", "attempt 2 begins", "attempt 2 ends", "attempt 2 is cleaned up"]
    assert said[4:] == ["-- the end --", "attempt 1 is cleaned up"]


def test_the_store_takes_nothing_from_a_killed_process() -> None:
    async def main(simulation: Simulation) -> None:
        process = simulation.start("first")
        simulation.kill("first")
        with pytest.raises(StoreUnavailableError, match="process first#1 is dead"):
            await process.engine.start_workflow("sleeps")
        assert not process.is_alive

    simulate([], main)


def test_a_frozen_process_wakes_up_and_what_it_writes_then_is_refused() -> None:
    async def main(simulation: Simulation) -> int:
        simulation.start("first")
        instance_id = await start(simulation)
        await asyncio.sleep(1)
        simulation.freeze("first", 30)
        simulation.start("second")
        finished = await finish(simulation, instance_id)
        await asyncio.sleep(60)
        (record,) = await simulation.queries.list_executions(instance_id)
        assert record.execution.attempts == 2
        assert (await simulation.store.load(instance_id)).state.revision == finished.revision  # type: ignore[union-attr]
        return simulation.trace.tail().count("LeaseLost")

    # It wakes with a result in hand, and a heartbeat that wants to stop it: which of them is first is chance.
    assert {simulate([], main, seed=seed) for seed in range(20)} == {0, 1}


def test_a_process_that_is_started_again_begins_its_program_anew() -> None:
    begun: list[int] = []

    async def main(simulation: Simulation) -> str:
        async def program(process: Any) -> str:
            begun.append(process.incarnation)
            await asyncio.sleep(5)
            return f"done by {process}"

        process = simulation.start("client", worker=False, program=program)
        await asyncio.sleep(1)
        simulation.kill("client", restart_after_s=2)
        return str(await process.finished)

    assert simulate([], main) == "done by client#2"
    assert begun == [1, 2]


def test_a_name_is_used_by_one_living_process() -> None:
    async def main(simulation: Simulation) -> None:
        simulation.start("worker")
        with pytest.raises(ValueError, match="there is a process 'worker' already"):
            simulation.start("worker")
        simulation.kill("worker")
        assert simulation.start("worker").incarnation == 2
        assert simulation.restart("worker").incarnation == 3

    simulate([], main)


def test_an_error_of_a_program_reaches_whoever_waits_for_it() -> None:
    async def main(simulation: Simulation) -> None:
        async def program(_process: Any) -> None:
            raise LookupError("as it must")

        with pytest.raises(LookupError, match="as it must"):
            await simulation.start("client", worker=False, program=program).finished

    simulate([], main)


async def test_an_asynchronous_test_is_told_to_be_a_plain_one() -> None:
    with Simulation(1, []) as simulation, pytest.raises(SimulationError, match="from a plain `def` test"):
        simulation.run(lambda: asyncio.sleep(1))
