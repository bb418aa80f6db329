"""The adapter passes the conformance kit of its port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from udp_executor import UdpStepExecutor

from workflows_testing.conformance import StepExecutorConformance

DISCARD = ("127.0.0.1", 9)
"""A port at which nobody listens."""


class TestUdpStepExecutor(StepExecutorConformance):
    adapter = UdpStepExecutor

    @pytest_asyncio.fixture
    async def executor(self) -> AsyncIterator[UdpStepExecutor]:
        executor = UdpStepExecutor(DISCARD)
        yield executor
        await executor.close()
