"""A RabbitMQ server that the tests were given."""

from __future__ import annotations

import asyncio
import os
import shlex

from workflows_testing.deployments import Broker

__all__ = ["AMQP_URL", "RabbitMQBroker", "given_broker"]

AMQP_URL = os.environ.get("WORKFLOWS_TEST_AMQP_URL")
CONTROL_VARIABLE = "WORKFLOWS_TEST_RABBITMQCTL"


class RabbitMQBroker(Broker):
    """A server that the tests may stop and empty.

    Args:
        control: The command ``rabbitmqctl`` for it, as a shell would take it.
    """

    def __init__(self, control: str) -> None:
        self._control = shlex.split(control)

    async def stop(self) -> None:
        await self._do("stop_app")

    async def start(self) -> None:
        await self._do("start_app")

    async def empty(self) -> None:
        for queue in (await self._do("list_queues", "--silent", "--no-table-headers", "name")).split():
            if queue.startswith("workflows"):
                await self._do("purge_queue", queue)

    async def _do(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *self._control, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, (output + errors).decode()
        return output.decode()


def given_broker() -> RabbitMQBroker | None:
    """The server of the environment; None if the tests were not given the means to stop it."""
    control = os.environ.get(CONTROL_VARIABLE)
    return None if control is None else RabbitMQBroker(control)
