"""The command that sends a named signal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from workflows_core import (
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    InProcessEngine,
    MemoryState,
    SystemClock,
    WaitForSignal,
    WorkflowDefinition,
    WorkflowRegistry,
)
from workflows_core.cli.main import build_group


class Desk:
    """A store with one instance that waits, and the command line in front of it."""

    def __init__(self) -> None:
        self._memory = MemoryState(SystemClock())
        self._registry = WorkflowRegistry()
        wait = WaitForSignal(name="wait", signal="go", payload_schema={"type": ["array", "null"]})
        self._registry.register(WorkflowDefinition("sample", "1.0.0", steps=[wait]))
        self.instance_id = asyncio.run(self._start())

    def engine(self) -> InProcessEngine:
        return InProcessEngine(
            self._registry, store=InMemoryWorkflowStore(self._memory), queries=InMemoryWorkflowQueries(self._memory)
        )

    async def _start(self) -> str:
        async with self.engine() as engine:
            return str((await engine.start_workflow("sample")).id)

    def signal(self, *arguments: str) -> Result:
        return CliRunner().invoke(build_group(self.engine), ["signal", self.instance_id, *arguments, "--user", "olga"])


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_signal_is_sent_with_any_json_and_a_repetition_with_its_key_is_answered_alike(desk: Desk) -> None:
    for payload in ("[1, 2]", "[3]"):
        done = desk.signal("go", "--payload", payload, "--dedup-key", "k", "--json")
        assert done.exit_code == 0, done.output
        shown = json.loads(done.output)
        assert (shown["status"], shown["data"]["signals"]) == ("completed", {"wait": [1, 2]})


def test_the_payload_may_be_read_from_a_file(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "payload.json").write_text("[1]")
    assert "completed" in desk.signal("go", "--payload", f"@{tmp_path / 'payload.json'}").output


def test_a_signal_without_a_payload_brings_nothing(desk: Desk) -> None:
    assert json.loads(desk.signal("go", "--json").output)["data"]["signals"] == {"wait": None}


def test_what_is_no_json_and_what_does_not_fit_the_step_is_refused(desk: Desk) -> None:
    assert "not a JSON document" in desk.signal("go", "--payload", "{").output
    refused = desk.signal("go", "--payload", "1")
    assert refused.exit_code == 1
    assert "payload of signal 'go'" in refused.output
    unknown = desk.signal("gone")
    assert unknown.exit_code == 1
    assert "takes no signal 'gone'; its steps wait for 'go'" in unknown.output
