"""The commands by which an operator lets failed instances go on, or gives them up."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result

from workflows_core import (
    Actor,
    BaseMachineStep,
    DelayStep,
    InMemoryWorkflowQueries,
    InMemoryWorkflowStore,
    InProcessEngine,
    MemoryState,
    SystemClock,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowEvent,
    WorkflowInstance,
    WorkflowRegistry,
)
from workflows_core.cli.main import build_group


class Prepare(BaseMachineStep):
    name = "prepare"

    async def execute(self, context: WorkflowContext) -> None:
        context.data["prepared"] = context.get("prepared", 0) + 1


class Weld(BaseMachineStep):
    name = "weld"

    async def execute(self, context: WorkflowContext) -> None:
        if not context.get("gas"):
            raise RuntimeError("no gas\nlook into the cellar")


class Book(BaseMachineStep):
    name = "book"

    async def execute(self, context: WorkflowContext) -> None:
        """Nothing to do here."""

    async def compensate(self, context: WorkflowContext) -> None:
        raise ConnectionError("nobody answers")


class Shop:
    """A store in which instances have failed, and the command line in front of it."""

    def __init__(self) -> None:
        self._memory = MemoryState(SystemClock())
        steps = [Prepare(), Weld()]
        self._registry = WorkflowRegistry()
        for name in ("workshop", "garage"):
            self._registry.register(WorkflowDefinition(name, "1.0.0", steps=steps, edges=[("prepare", "weld")]))
        self._registry.register(WorkflowDefinition("trip", "1.0.0", steps=[Book(), Weld()], edges=[("book", "weld")]))
        self._registry.register(WorkflowDefinition("rest", "1.0.0", steps=[DelayStep("sleep", seconds=3600)]))

    def engine(self) -> InProcessEngine:
        return InProcessEngine(
            self._registry, store=InMemoryWorkflowStore(self._memory), queries=InMemoryWorkflowQueries(self._memory)
        )

    def start(self, workflow: str = "workshop", tenant: str = "") -> str:
        """Start an instance, which fails; give its id."""

        async def begin() -> str:
            async with self.engine() as engine:
                started = await engine.start_workflow(workflow, actor=Actor("emil", tenant=tenant))
                assert (await engine.wait(started.id, timeout=5)).parked
                return str(started.id)

        return asyncio.run(begin())

    def rested(self, instance_id: str) -> WorkflowInstance:
        async def look() -> WorkflowInstance:
            async with self.engine() as engine:
                return await engine.wait(UUID(instance_id), timeout=5)

        return asyncio.run(look())

    def last_event(self, instance_id: str) -> tuple[str, WorkflowEvent]:
        """Actor and event of the last retry or discard."""

        async def look() -> tuple[str, WorkflowEvent]:
            found = await self.engine().queries.list_events(UUID(instance_id))
            return next(
                (entry.actor, entry.event)
                for entry in reversed(found)
                if type(entry.event).__name__ in {"WorkflowRetried", "WorkflowDiscarded"}
            )

        return asyncio.run(look())

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(build_group(self.engine), arguments)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.output)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_dead_letters_are_listed_newest_first_with_the_first_line_of_their_error(shop: Shop) -> None:
    first, last = shop.start(), shop.start("garage")
    lines = shop.run("dead-letters", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", last, first]
    assert "dead_letter  weld  RuntimeError: no gas" in lines[1]
    assert [item["id"] for item in shop.json("dead-letters", "list", "--workflow", "workshop")["items"]] == [first]
    page = shop.json("dead-letters", "list", "--limit", "1")
    assert "more: --cursor" in shop.run("dead-letters", "list", "--limit", "1").output
    rest = shop.json("dead-letters", "list", "--cursor", page["next_cursor"])
    assert [item["id"] for item in rest["items"]] == [first]
    assert [item["id"] for item in shop.json("list", "--parked")["items"]] == [last, first]


def test_a_dead_letter_shows_what_an_operator_needs_to_know(shop: Shop) -> None:
    instance_id = shop.start()
    output = shop.run("dead-letters", "show", instance_id).output
    assert "parked: dead_letter" in output
    assert "error: RuntimeError: no gas" in output
    assert "can go on from: prepare, weld" in output
    assert "data prepared = 1" in output
    found = shop.json("dead-letters", "show", instance_id)
    assert found["goes_on_from"] == ["prepare", "weld"]
    assert [record["execution"]["status"] for record in found["history"]] == ["succeeded", "failed"]
    assert found["work"] == []


@pytest.mark.parametrize("command", [("retry",), ("dead-letters", "retry")])
def test_a_retry_sets_data_and_says_who_wanted_it(shop: Shop, command: tuple[str, ...]) -> None:
    instance_id = shop.start()
    done = shop.run(*command, instance_id, "--data", "gas=true", "--data", "note=by hand", "--user", "olga")
    assert done.exit_code == 0, done.output
    instance = shop.rested(instance_id)
    assert (instance.status, instance.data) == ("completed", {"prepared": 1, "gas": True, "note": "by hand"})
    assert shop.last_event(instance_id)[0] == "olga"


@pytest.mark.parametrize("command", [("retry",), ("dead-letters", "retry")])
def test_a_retry_goes_on_from_a_step(shop: Shop, command: tuple[str, ...]) -> None:
    instance_id = shop.start()
    more = ("--from-step", "prepare", "--data", "gas=1", "--delete", "prepared", "--user", "olga")
    assert shop.run(*command, instance_id, *more).exit_code == 0
    assert shop.rested(instance_id).data == {"gas": 1, "prepared": 1}
    refused = shop.run(*command, shop.start(), "--from-step", "wield", "--user", "olga")
    assert refused.exit_code == 1
    assert "prepare, weld" in refused.output


def test_all_of_a_workflow_and_tenant_are_retried(shop: Shop) -> None:
    ours = [shop.start(tenant="acme") for _ in range(2)]
    others = [shop.start("garage", tenant="acme"), shop.start(tenant="evil"), shop.start()]
    which = ("--all", "--workflow", "workshop", "--tenant", "acme")
    found = shop.json("dead-letters", "retry", *which, "--data", "gas=true", "--user", "olga")
    assert [(item["id"], item["ok"]) for item in found] == [(ours[1], True), (ours[0], True)]
    assert {shop.rested(instance_id).status for instance_id in ours} == {"completed"}
    assert {item["id"] for item in shop.json("dead-letters", "list")["items"]} == set(others)


def test_each_has_its_own_answer_and_one_refusal_makes_the_exit_code_1(shop: Shop) -> None:
    instance_id, missing = shop.start(), str(uuid4())
    done = shop.run("dead-letters", "discard", missing, instance_id, instance_id, "--user", "olga", "--reason", "scrap")
    assert done.exit_code == 1
    refused, discarded = done.output.splitlines()[1:]
    assert refused.split()[:2] == [missing, "no"]
    assert missing in refused.partition("no")[2]
    assert discarded.split() == [instance_id, "yes", "failed", "normal", "-"]
    assert shop.rested(instance_id).parked is None
    actor, event = shop.last_event(instance_id)
    assert (actor, getattr(event, "reason", None)) == ("olga", "scrap")


@pytest.mark.parametrize("command", ["retry", "discard"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--all"),
        (("--all", str(UUID(int=1))), "--all"),
        (("--workflow", "workshop", str(UUID(int=1))), "--all"),
        (("17",), "UUID"),
    ],
)
def test_a_command_that_does_not_say_which_is_refused(
    shop: Shop, command: str, arguments: tuple[str, ...], says: str
) -> None:
    refused = shop.run("dead-letters", command, *arguments, "--user", "olga")
    assert refused.exit_code == 2
    assert says in refused.output


def test_data_that_are_no_assignment_are_refused(shop: Shop) -> None:
    refused = shop.run("retry", shop.start(), "--data", "gas", "--user", "olga")
    assert refused.exit_code == 2
    assert "key=value" in refused.output


def test_somebody_has_to_be_named(shop: Shop) -> None:
    assert shop.run("dead-letters", "retry", "--all").exit_code == 2
    assert shop.run("retry", shop.start()).exit_code == 2


def test_an_undoing_that_is_stuck_is_shown_and_can_be_ended(shop: Shop) -> None:
    instance_id = shop.start("trip")
    output = shop.run("show", instance_id).output
    assert "phase: compensating" in output
    assert "parked: compensation" in output
    refused = shop.run("cancel", instance_id, "--user", "olga")
    assert (refused.exit_code, "terminate it" in refused.output) == (1, True)
    assert shop.json("cancel", instance_id, "--terminate", "--user", "olga")["status"] == "canceled"


def test_a_start_may_have_a_deadline(shop: Shop) -> None:
    started = shop.json("start", "rest", "--deadline", "3600", "--user", "emil")
    (deadline,) = [item for item in shop.json("show", started["id"])["work"] if item["item"]["kind"] == "deadline"]
    assert deadline["due_at"] > started["started_at"]
    assert "deadline" in shop.run("show", started["id"]).output
    assert shop.run("start", "rest", "--deadline", "0", "--user", "emil").exit_code == 2
