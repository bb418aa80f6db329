"""An engine in memory for each test."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from workflows_core import EngineSettings, LocalExecutionEngine


@pytest.fixture
async def engine() -> AsyncGenerator[LocalExecutionEngine]:
    settings = EngineSettings(secret=b"s" * 32, max_data_bytes=10_000, public_url="https://example.org/workflows/api")
    async with LocalExecutionEngine(settings=settings) as opened:
        yield opened
