"""Clocks, identities, codecs, conditions, publishers and executors pass their conformance kits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from workflows_core import LocalExecutionEngine
from workflows_core.adapters.event_bus import EventBus
from workflows_core.adapters.in_process_executor import InProcessExecutor, NullExecutor
from workflows_core.adapters.json_codec import JsonCodec
from workflows_core.adapters.safe_expressions import SafeExpressions
from workflows_core.adapters.system_clock import SystemClock
from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_core.domain.events import WorkflowEvent
from workflows_core.engine.worker import Worker
from workflows_testing.clock import ManualClock
from workflows_testing.conformance import (
    ClockConformance,
    ConditionEvaluatorConformance,
    EventPublisherConformance,
    IdGeneratorConformance,
    PayloadCodecConformance,
    StepExecutorConformance,
    WakeUpsConformance,
)
from workflows_testing.conformance.wake_ups import REF


class TestSystemClock(ClockConformance):
    adapter = SystemClock

    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


class TestManualClock(ClockConformance):
    adapter = ManualClock

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()


class TestUuid7Generator(IdGeneratorConformance):
    adapter = Uuid7Generator

    @pytest.fixture
    def ids(self) -> Uuid7Generator:
        return Uuid7Generator()


class TestJsonCodec(PayloadCodecConformance):
    adapter = JsonCodec

    @pytest.fixture
    def codec(self) -> JsonCodec:
        return JsonCodec()


class TestSafeExpressions(ConditionEvaluatorConformance):
    adapter = SafeExpressions

    @pytest.fixture
    def evaluator(self) -> SafeExpressions:
        return SafeExpressions()


class TestEventBus(EventPublisherConformance):
    adapter = EventBus

    @pytest.fixture
    def publisher(self) -> EventBus:
        return EventBus()

    @pytest.fixture
    def listen(self, publisher: EventBus) -> Callable[[Callable[[Any], None]], None]:
        def listen(listener: Callable[[Any], None]) -> None:
            publisher.subscribe(WorkflowEvent, listener)

        return listen


class TestNullExecutor(StepExecutorConformance):
    adapter = NullExecutor

    @pytest.fixture
    def executor(self) -> NullExecutor:
        return NullExecutor()


class TestInProcessExecutor(StepExecutorConformance):
    adapter = InProcessExecutor

    @pytest.fixture
    async def executor(self) -> AsyncGenerator[InProcessExecutor]:
        executor = InProcessExecutor()
        async with LocalExecutionEngine() as engine:
            executor.bind(lambda: Worker(engine))
            yield executor
            await executor.stop()


class TestInProcessExecutorAsWakeUps(WakeUpsConformance):
    adapter = InProcessExecutor

    @pytest.fixture
    def wake_ups(self) -> InProcessExecutor:
        executor = InProcessExecutor()
        executor.bind(lambda: Worker(LocalExecutionEngine()))
        return executor

    @pytest.fixture
    async def give_hint(self, wake_ups: InProcessExecutor) -> AsyncGenerator[Callable[[str], Awaitable[None]]]:
        yield lambda queue: wake_ups.publish([REF], queue=queue)
        await wake_ups.stop()
