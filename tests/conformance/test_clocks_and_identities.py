"""Clocks and generators of identities pass their conformance kits."""

from __future__ import annotations

import pytest

from workflows_core.adapters.system_clock import SystemClock
from workflows_core.adapters.uuid7 import Uuid7Generator
from workflows_testing.clock import ManualClock
from workflows_testing.conformance import ClockConformance, IdGeneratorConformance


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
