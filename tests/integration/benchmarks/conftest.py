"""One PostgreSQL for all benchmarks of a test process, so that none starts its own."""

from __future__ import annotations

import pytest

from workflows_testing.servers import PostgresServer


@pytest.fixture
def server(postgres_service: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOWS_TEST_POSTGRES_URL", postgres_service.url)
    monkeypatch.delenv("WORKFLOWS_TEST_SOURCE", raising=False)
