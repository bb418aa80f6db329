"""The adapter passes the conformance kit of its port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from udp_executor import UdpStepExecutor

from workflows_testing.conformance import StepExecutorConformance

DISCARD = ("127.0.0.1", 9)
"""A port at which nobody listens."""


class TestUdpStepExecutor(StepExecutorConformance):
    adapter = UdpStepExecutor

    @pytest.fixture
    def executor(self) -> Iterator[UdpStepExecutor]:
        executor = UdpStepExecutor(DISCARD)
        yield executor
        executor.close()
