"""The adapter passes the conformance kit of its port."""

from __future__ import annotations

import pytest
from sequential_ids import SequentialIds

from workflows_testing.conformance import IdGeneratorConformance


class TestSequentialIds(IdGeneratorConformance):
    adapter = SequentialIds

    @pytest.fixture
    def ids(self) -> SequentialIds:
        return SequentialIds()
