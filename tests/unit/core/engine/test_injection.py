"""Dependencies of the code of steps: who gets them, for how long, and what is said when nothing provides them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import pytest
from tests.unit.core.engine.engines import an_engine

from workflows_core import (
    BaseHumanStep,
    BaseMachineStep,
    ConditionalGroup,
    DelayStep,
    Edge,
    EngineSettings,
    ExclusiveGateway,
    FactoryInjector,
    ForEach,
    FormValidationError,
    Injected,
    InMemoryWorkflowStore,
    InvalidDefinitionError,
    LocalExecutionEngine,
    MemoryState,
    RetryPolicy,
    SequentialGroup,
    StepCatalogue,
    StepGroup,
    Worker,
    WorkflowContext,
    WorkflowDefinition,
    WorkflowInstance,
    WorkflowRegistry,
    WorkflowStatus,
    definition_from_document,
    human_task,
    step,
    workflow,
)
from workflows_core.ports.injection import StepInjector


class Ledger:
    """A dependency with a lifetime; notes what is done with it."""

    opened: list[Ledger] = []
    closed: list[tuple[Ledger, str]] = []

    def __init__(self, context: WorkflowContext) -> None:
        self.step = context.current_step
        self.used: list[str] = []


class Clerk:
    """A dependency of a dependency."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger


class Unknown:
    """What nothing provides."""


async def make_ledger(context: WorkflowContext) -> AsyncIterator[Ledger]:
    ledger = Ledger(context)
    Ledger.opened.append(ledger)
    how = "well"
    try:
        yield ledger
    except BaseException as error:
        how = type(error).__name__
        raise
    finally:
        Ledger.closed.append((ledger, how))


@pytest.fixture(autouse=True)
def nothing_open() -> Iterator[None]:
    Ledger.opened, Ledger.closed = [], []
    yield
    assert sorted(map(id, Ledger.opened)) == sorted(id(each) for each, _ in Ledger.closed), "each was closed, once"


@pytest.fixture
async def engine() -> AsyncGenerator[LocalExecutionEngine]:
    injector = FactoryInjector({Ledger: make_ledger, Clerk: Clerk})
    async with LocalExecutionEngine(injector=injector) as opened:
        yield opened


def used() -> list[tuple[str, ...]]:
    """What was done with each ledger."""
    return [tuple(ledger.used) for ledger in Ledger.opened]


async def finish(
    engine: LocalExecutionEngine, *steps: Any, edges: Any = (), data: Mapping[str, Any] | None = None
) -> WorkflowInstance:
    instance = await engine.start_workflow(WorkflowDefinition("sample", steps=steps, edges=edges), data or {})
    return await engine.wait(instance.id, timeout=5, until=lambda found: found.status.is_final)


class Book(BaseMachineStep):
    """Asks for dependencies wherever it can."""

    failures = 0
    retry: RetryPolicy | None = RetryPolicy(max_attempts=3, initial_delay_s=0, jitter=0)

    async def can_execute(self, context: WorkflowContext, ledger: Injected[Ledger]) -> bool:
        ledger.used.append("guard")
        return True

    async def execute(self, context: WorkflowContext, ledger: Injected[Ledger], *, clerk: Injected[Clerk]) -> str:
        assert clerk.ledger is ledger
        ledger.used.append("execute")
        if context.attempt <= self.failures:
            raise LookupError("no luck")
        return "booked"

    def on_success(self, context: WorkflowContext, result: str, ledger: Injected[Ledger]) -> None:
        ledger.used.append(result)

    async def on_failure(self, context: WorkflowContext, error: Exception, ledger: Injected[Ledger]) -> None:
        ledger.used.append(f"failed: {error}")


async def test_an_attempt_has_one_value_of_a_type_for_guard_code_and_hooks(engine: LocalExecutionEngine) -> None:
    finished = await finish(engine, Book())
    assert finished.status is WorkflowStatus.COMPLETED
    assert used() == [("guard", "execute", "booked")]
    assert [how for _, how in Ledger.closed] == ["well"]


async def test_a_retry_has_values_of_its_own(engine: LocalExecutionEngine) -> None:
    class Twice(Book):
        failures = 1

    await finish(engine, Twice())
    assert used() == [("guard", "execute"), ("guard", "execute", "booked")]
    assert [how for _, how in Ledger.closed] == ["LookupError", "well"]


async def test_on_failure_has_values_of_its_own_that_are_not_undone_with_the_attempt(
    engine: LocalExecutionEngine,
) -> None:
    class Never(Book):
        failures = 9
        retry = None

    finished = await finish(engine, Never())
    assert finished.status is WorkflowStatus.FAILED
    assert used() == [("guard", "execute"), ("failed: no luck",)]
    assert [how for _, how in Ledger.closed] == ["LookupError", "well"]


async def test_a_timeout_closes_what_the_attempt_had(engine: LocalExecutionEngine) -> None:
    class Slow(BaseMachineStep):
        attempt_timeout = timedelta(seconds=0.02)

        async def execute(self, context: WorkflowContext, ledger: Injected[Ledger]) -> None:
            await asyncio.sleep(10)

    finished = await finish(engine, Slow())
    assert finished.error is not None
    assert finished.error.type == "StepTimeoutError"
    assert [how for _, how in Ledger.closed] == ["CancelledError"]


async def test_a_cancellation_closes_what_the_attempt_had(engine: LocalExecutionEngine) -> None:
    began = asyncio.Event()

    class Slow(BaseMachineStep):
        async def execute(self, context: WorkflowContext, ledger: Injected[Ledger]) -> None:
            began.set()
            while not context.cancelled:
                await asyncio.sleep(0.01)
            raise RuntimeError("stopped")

    instance = await engine.start_workflow(WorkflowDefinition("slow", steps=[Slow()]), {})
    await began.wait()
    await engine.cancel_workflow(instance.id)
    await engine.aclose()
    assert len(Ledger.closed) == 1


async def test_code_in_a_thread_gets_values_that_were_made_in_the_event_loop() -> None:
    threads: list[threading.Thread] = []

    def make_name() -> str:
        threads.append(threading.current_thread())
        return "Ada"

    class Greet(BaseMachineStep):
        def execute(self, context: WorkflowContext, name: Injected[str]) -> str:
            threads.append(threading.current_thread())
            return f"hello {name}"

    async with LocalExecutionEngine(injector=FactoryInjector({str: make_name})) as engine:
        await finish(engine, Greet())
    assert threads[0] is threading.main_thread()
    assert threads[1] is not threading.main_thread()


async def test_steps_that_want_nothing_open_no_scope() -> None:
    class Counting(FactoryInjector):
        opened = 0

        def open(self, given: Mapping[Any, Any]) -> Any:
            self.opened += 1
            return super().open(given)

    class Plain(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None: ...

        async def compensate(self, context: WorkflowContext, ledger: Injected[Ledger]) -> None: ...

    injector = Counting({Ledger: make_ledger})
    async with LocalExecutionEngine(injector=injector) as engine:
        await finish(engine, Plain())
    assert injector.opened == 0


async def test_an_error_of_closing_fails_the_attempt() -> None:
    async def leave_badly() -> AsyncIterator[str]:
        yield "name"
        raise OSError("cannot be closed")

    class Greet(BaseMachineStep):
        async def execute(self, context: WorkflowContext, name: Injected[str]) -> None:
            if context.get("fails"):
                raise ValueError(name)

    async with LocalExecutionEngine(injector=FactoryInjector({str: leave_badly})) as engine:
        finished = await finish(engine, Greet())
        assert finished.error is not None
        assert (finished.error.type, finished.error.message) == ("OSError", "cannot be closed")


async def test_an_error_of_closing_stands_beside_that_of_the_code() -> None:
    def leave_badly() -> Iterator[str]:
        try:
            yield "name"
        finally:
            raise OSError("cannot be closed")

    class Greet(BaseMachineStep):
        async def execute(self, context: WorkflowContext, name: Injected[str]) -> None:
            raise ValueError("the first")

    async with LocalExecutionEngine(injector=FactoryInjector({str: leave_badly})) as engine:
        finished = await finish(engine, Greet())
    assert finished.error is not None
    assert (finished.error.type, finished.error.message) == ("ValueError", "the first")
    assert "closing its dependencies raised OSError: cannot be closed" in (finished.error.traceback or "")


async def test_a_generator_that_swallows_the_error_changes_nothing_for_the_step() -> None:
    def swallow() -> Iterator[str]:
        with contextlib.suppress(ValueError):
            yield "name"

    class Greet(BaseMachineStep):
        async def execute(self, context: WorkflowContext, name: Injected[str]) -> None:
            raise ValueError("no luck")

    async with LocalExecutionEngine(injector=FactoryInjector({str: swallow})) as engine:
        finished = await finish(engine, Greet())
    assert finished.status is WorkflowStatus.FAILED


async def test_an_error_of_a_factory_fails_the_attempt_like_one_of_the_code() -> None:
    failures = [OSError("no connection")]

    async def connect() -> str:
        if failures:
            raise failures.pop()
        return "connected"

    class Use(BaseMachineStep):
        retry = RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=0)

        async def execute(self, context: WorkflowContext, connection: Injected[str]) -> None:
            context.set("seen", connection)

    async with LocalExecutionEngine(injector=FactoryInjector({str: connect})) as engine:
        finished = await finish(engine, Use())
    assert finished.data == {"seen": "connected"}


# Whatever the author writes may ask


@workflow(name="decorated")
class Decorated:
    @step(initial=True)
    async def count(self, context: WorkflowContext, ledger: Injected[Ledger]) -> str:
        ledger.used.append("count")
        return "review"

    @human_task(assignee="ann", terminal=True)
    async def review(self, context: WorkflowContext, ledger: Injected[Ledger]) -> None:
        """Look at it."""
        ledger.used.append("review")
        context.set("reviewed", True)


async def test_decorated_functions_get_them(engine: LocalExecutionEngine) -> None:
    instance = await engine.start_workflow(Decorated, {})
    await engine.wait(instance.id, timeout=5)
    await engine.complete_human_task(instance.id, "review", "ann", {})
    assert (await engine.wait(instance.id, timeout=5)).data["reviewed"] is True
    assert used() == [("count",), ("review",)]


async def test_steps_of_documents_get_them_beside_their_configuration(engine: LocalExecutionEngine) -> None:
    catalogue = StepCatalogue()
    kind = catalogue.register("book", book)
    catalogue.register("book_by_class", BookByClass)
    assert set(kind.config_schema["properties"]) == {"amount", "note"}
    document = {
        "name": "booking",
        "steps": [
            {"name": "one", "type": "machine", "catalogue": "book", "config": {"amount": 3}},
            {"name": "two", "type": "machine", "catalogue": "book_by_class", "config": {"amount": 4}},
        ],
        "edges": [{"source": "one", "target": "two"}],
    }
    definition = definition_from_document(document, catalogue)
    instance = await engine.start_workflow(definition, {})
    assert (await engine.wait(instance.id, timeout=5)).status is WorkflowStatus.COMPLETED
    assert used() == [("3",), ("4",)]


async def book(
    context: WorkflowContext, ledger: Injected[Ledger], amount: Annotated[int, msgspec.Meta(gt=0)], note: str = ""
) -> None:
    """Books an amount."""
    ledger.used.append(f"{amount}{note}")


class BookByClass(BaseMachineStep):
    """Books an amount."""

    def __init__(self, amount: int) -> None:
        super().__init__()
        self.amount = amount

    async def execute(self, context: WorkflowContext, ledger: Injected[Ledger]) -> None:
        ledger.used.append(str(self.amount))


class Ask(BaseHumanStep):
    assignee = "ann"

    async def can_execute(self, context: WorkflowContext, ledger: Injected[Ledger]) -> bool:
        ledger.used.append("guard")
        return True

    def get_title(self, context: WorkflowContext, ledger: Injected[Ledger]) -> str:
        ledger.used.append("title")
        return "Look"

    async def validate_submission(
        self, context: WorkflowContext, data: Mapping[str, Any], ledger: Injected[Ledger]
    ) -> list[str]:
        ledger.used.append("validate")
        return [] if data.get("ok") else ["not yet"]


async def test_human_steps_get_them_before_their_task_and_for_its_form(engine: LocalExecutionEngine) -> None:
    instance = await engine.start_workflow(WorkflowDefinition("asking", steps=[Ask()]), {})
    await engine.wait(instance.id, timeout=5)
    with pytest.raises(FormValidationError, match="not yet"):
        await engine.complete_human_task(instance.id, "ask", "ann", {})
    await engine.complete_human_task(instance.id, "ask", "ann", {"ok": True})
    assert (await engine.wait(instance.id, timeout=5)).status is WorkflowStatus.COMPLETED
    assert used() == [("guard", "title"), ("validate",), ("validate",)]


async def is_open(context: WorkflowContext, ledger: Injected[Ledger]) -> bool:
    ledger.used.append("condition")
    return True


async def choose(context: WorkflowContext, ledger: Injected[Ledger]) -> str:
    ledger.used.append("choose")
    return "yes"


def names(context: WorkflowContext, ledger: Injected[Ledger]) -> list[str]:
    ledger.used.append("items")
    return ["a", "b"]


def soon(context: WorkflowContext, ledger: Injected[Ledger]) -> timedelta:
    ledger.used.append("delay")
    return timedelta(0)


class Note(BaseMachineStep):
    async def execute(self, context: WorkflowContext, ledger: Injected[Ledger]) -> str:
        ledger.used.append(self.name)
        return self.name


async def test_conditions_gateways_timers_and_groups_get_them(engine: LocalExecutionEngine) -> None:
    finished = await finish(
        engine,
        Note(name="first"),
        DelayStep("wait", duration=soon),
        ExclusiveGateway("gate", condition=choose),
        ConditionalGroup(choose, {"yes": Note(name="inner")}, name="yes"),
        ForEach(names, Note(name="each"), name="all"),
        edges=[Edge("first", "wait", is_open), ("wait", "gate"), ("gate", "yes"), ("yes", "all")],
    )
    assert finished.status is WorkflowStatus.COMPLETED
    assert used() == [
        ("first", "condition"),
        ("delay",),
        ("choose",),
        ("choose",),
        ("inner",),
        ("items",),
        ("each",),
        ("each",),
    ]


class Undo(BaseMachineStep):
    async def execute(self, context: WorkflowContext) -> str:
        return "done"

    async def compensate(self, context: WorkflowContext, ledger: Injected[Ledger]) -> None:
        ledger.used.append(f"undo {context.undoing.result}" if context.undoing is not None else "")


async def fail(context: WorkflowContext) -> None:
    raise ValueError("no luck")


async def test_compensations_get_them(engine: LocalExecutionEngine) -> None:
    await finish(engine, Undo(), step(fail), edges=[("undo", "fail")])
    assert used() == [("undo done",)]


# Without an instance, and groups that run steps themselves


async def test_a_step_that_is_executed_by_itself_gets_them(engine: LocalExecutionEngine) -> None:
    context = WorkflowContext.for_testing()
    assert await engine.execute_step(Book(), context) == "booked"
    assert used() == [("guard", "execute", "booked")]
    assert context.dependencies is None


async def test_a_step_that_fails_by_itself_tells_its_on_failure_with_values_of_its_own(
    engine: LocalExecutionEngine,
) -> None:
    class Never(Book):
        failures = 9

    with pytest.raises(LookupError):
        await engine.execute_step(Never(), WorkflowContext.for_testing())
    assert used() == [("guard", "execute"), ("failed: no luck",)]


class OwnGroup(StepGroup):
    async def execute(self, context: WorkflowContext, engine: Any, ledger: Injected[Ledger]) -> list[str]:
        ledger.used.append("group")
        steps = SequentialGroup(Note(name="a"), ConditionalGroup(choose, {"yes": Note(name="b")}))
        return [await engine.execute_step(steps, context), await engine.execute_step(Note(name="c"), context)]


async def test_a_group_of_ones_own_and_the_steps_that_it_runs_get_them(engine: LocalExecutionEngine) -> None:
    finished = await finish(engine, OwnGroup())
    assert finished.status is WorkflowStatus.COMPLETED
    assert used() == [("group",), ("a",), ("choose",), ("b",), ("c",)]


# What is refused


class WantsUnknown(BaseMachineStep):
    async def execute(self, context: WorkflowContext, thing: Injected[Unknown]) -> None: ...


class WantsForeign(BaseMachineStep):
    async def execute(self, context: WorkflowContext, thing: Annotated[Unknown, Ledger]) -> None: ...


def engine_of(source: Any, injector: StepInjector | None) -> LocalExecutionEngine:
    registry = WorkflowRegistry()
    registry.register(WorkflowDefinition("sample", steps=[source]))
    return LocalExecutionEngine(registry, injector=injector)


@pytest.mark.parametrize(
    ("source", "injector", "mend"),
    [
        (WantsUnknown, FactoryInjector({}), "give it a factory: FactoryInjector({Unknown: …})"),
        (WantsUnknown, None, "give the engine an injector"),
        (WantsForeign, FactoryInjector({}), "mark it for the injector that the engine has"),
    ],
)
async def test_an_engine_does_not_open_when_nothing_provides_what_a_step_wants(
    source: Any, injector: StepInjector | None, mend: str
) -> None:
    with pytest.raises(InvalidDefinitionError) as refused:
        await engine_of(source, injector).open()
    text = str(refused.value)
    assert f"step {source().name!r}: nothing provides parameter 'thing' of execute, which wants Unknown" in text
    assert mend in text


async def test_a_workflow_is_not_started_when_nothing_provides_what_its_steps_want(
    engine: LocalExecutionEngine,
) -> None:
    for _ in range(2):
        with pytest.raises(InvalidDefinitionError, match="'thing' of execute"):
            await engine.start_workflow(WorkflowDefinition("sample", steps=[WantsUnknown()]), {})


async def test_a_step_fails_clearly_in_a_process_that_got_its_code_after_it_was_opened() -> None:
    class Harmless(BaseMachineStep):
        async def execute(self, context: WorkflowContext) -> None: ...

    memory = MemoryState()
    store = InMemoryWorkflowStore(memory)
    starter, runner = (an_engine(WorkflowRegistry(), store, memory, EngineSettings()) for _ in range(2))
    await runner.open()
    instance = await starter.start_workflow(WorkflowDefinition("late", steps=[Harmless(name="wants_unknown")]), {})
    runner.registry.register(WorkflowDefinition("late", steps=[WantsUnknown()]))
    worker = Worker(runner)
    task = asyncio.create_task(worker.run())
    finished = await runner.wait(instance.id, timeout=5)
    await worker.stop()
    await task
    assert finished.error is not None
    assert finished.error.type == "InvalidDefinitionError"
    assert "'thing' of execute" in finished.error.message


class Unmarked(BaseMachineStep):
    async def execute(self, context: WorkflowContext, ledger: Ledger) -> None: ...


class UnmarkedHook(BaseMachineStep):
    async def execute(self, context: WorkflowContext, unused: Ledger | None = None) -> None: ...

    async def on_success(self, context: WorkflowContext, result: Any, ledger: Annotated[Ledger, "mine"]) -> None: ...


class Unreadable(BaseMachineStep):
    async def execute(self, context: WorkflowContext, ledger: Injected[Absent]) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Unmarked, "nothing gives execute its parameter 'ledger'; annotate it with Injected"),
        (UnmarkedHook, "nothing gives on_success its parameter 'ledger'; annotate it with Injected"),
        (Unreadable, "whose annotation cannot be evaluated (NameError: name 'Absent' is not defined)"),
    ],
)
def test_a_parameter_that_is_not_marked_and_has_no_default_is_refused(source: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError) as refused:
        WorkflowDefinition("sample", steps=[source])
    assert message in str(refused.value)


def test_conditions_are_looked_at_too() -> None:
    def condition(context: WorkflowContext, ledger: Ledger) -> bool:
        return True

    with pytest.raises(InvalidDefinitionError, match=r"edge 'a' → 'b': nothing gives its condition its parameter"):
        WorkflowDefinition("sample", steps=[Note(name="a"), Note(name="b")], edges=[("a", "b", condition)])


async def test_a_marked_parameter_with_a_default_needs_nobody() -> None:
    class Optional(BaseMachineStep):
        async def execute(self, context: WorkflowContext, thing: Injected[Unknown] | None = None) -> None:
            context.set("thing", thing)

    async with LocalExecutionEngine() as engine:
        assert (await finish(engine, Optional())).data == {"thing": None}
