"""A small store with one worker and one person, which plays an instance and checks the invariants after every transition."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace
from tests.unit.core.kernel.invariants import check_marking, check_transition

from workflows_core.domain.actor import Actor
from workflows_core.domain.commands import (
    AbandonStep,
    Assignment,
    Cancel,
    Command,
    CompleteStep,
    CompleteTask,
    Discard,
    EnterStep,
    ExpireInstance,
    ExpireStep,
    FailStep,
    FireTimer,
    GatherItems,
    Place,
    Prepared,
    ReassignTask,
    ReceiveSignal,
    ReceiveWebhook,
    Reschedule,
    Retry,
    RouteStep,
    Start,
    Writes,
)
from workflows_core.domain.events import Event
from workflows_core.domain.expressions import compile_expression
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.kernel import decide, initial_state
from workflows_core.domain.program import Program
from workflows_core.domain.state import ROOT, ErrorInfo, InstanceState, Scope, Token
from workflows_core.domain.transition import StepExecution, TaskOpening, Transition, WorkItem, WorkKind
from workflows_core.domain.types import Outcome, StepStatus, TaskStatus, WorkflowStatus
from workflows_core.errors import ItemsNotLoadedError

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_ACTIVE = frozenset({WorkKind.RUN, WorkKind.UNDO, WorkKind.PREPARE, WorkKind.ENTER, WorkKind.ROUTE, WorkKind.GATHER})

encode = msgspec.json.encode
decode = msgspec.json.decode


def make_program(graph: WorkflowGraph) -> Program:
    """A graph made ready to run, with JSON as the codec."""
    return Program(graph, compile_condition=compile_expression, encode=encode, decode=decode)


class Play:
    """One instance. It keeps items in rows of their own and reads only those that a command concerns, as stores do.

    Attributes:
        state: The state without the scopes of items.
        rows: For each item, its scope and those inside it.
        work: Work items by number.
        tasks: Open tasks.
        executions: All finished step executions.
        events: All events.
        last: The last transition.
        reloads: How often a decision wanted all items.
    """

    def __init__(self, graph: WorkflowGraph, how: Mapping[str, Any] = {}, /, **data: Any) -> None:
        self.program = make_program(graph)
        self.now = EPOCH
        command = Start(
            instance_id=UUID(int=7),
            data={key: encode(value) for key, value in data.items()},
            actor=Actor("ann", tenant="acme"),
            now=self.now,
            metadata=encode({"source": "test"}),
            **how,
        )
        self.state = initial_state(self.program, command)
        self.rows: dict[int, dict[int, Scope]] = {}
        self.results: dict[int, bytes] = {}
        self.work: dict[int, WorkItem] = {}
        self.tasks: dict[UUID, TaskOpening] = {}
        self.executions: list[StepExecution] = []
        self.events: list[Event] = []
        self.reloads = 0
        self.last: Transition
        self.apply(command)

    # What is where

    @property
    def whole(self) -> InstanceState:
        """The state with all active items."""
        active = {key: scope for row in self.rows.values() for key, scope in row.items() if self._is_active(row)}
        return replace(self.state, scopes={**self.state.scopes, **active})

    def _is_active(self, row: Mapping[int, Scope]) -> bool:
        return bool(next(iter(row.values())).tokens)

    def places(self, step: str | None = None) -> list[tuple[Scope, Token]]:
        """All tokens, or those at a step, with their scopes, in the order of scopes."""
        return [
            (scope, token)
            for _, scope in sorted(self.whole.scopes.items())
            for token in scope.tokens.values()
            if step in (None, token.node)
        ]

    @property
    def at(self) -> str:
        """Where the tokens are: names in order, those that wait at a join in brackets, with ``.item`` inside a ``ForEach``."""
        names: list[str] = []
        for scope, token in self.places():
            item = self.index_of(scope)
            name = token.node if item < 0 else f"{token.node}.{item}"
            names.append(f"({name})" if token.status is StepStatus.PENDING else name)
        return " ".join(sorted(names, key=lambda name: (name.strip("()"), name)))

    def index_of(self, scope: Scope) -> int:
        """Index of the innermost item around a scope; -1 for none."""
        scopes = self.whole.scopes
        while scope.index < 0 and scope.id != ROOT:
            scope = scopes[scope.parent]
        return scope.index

    @property
    def status(self) -> WorkflowStatus:
        return self.state.status

    @property
    def data(self) -> dict[str, Any]:
        """The instance's data."""
        return {key: decode(raw) for key, raw in self.state.data.items()}

    def seen(self, step: str, item: int | None = None) -> dict[str, Any]:
        """The data as a step sees them."""
        scope, _ = self._find(step, item)
        return {key: decode(raw) for key, raw in self.whole.view(scope.id).items()}

    @property
    def history(self) -> list[str]:
        """Finished executions in their order: ``step`` if it succeeded, else ``step!status``."""
        return [
            run.step_name if run.status is StepStatus.SUCCEEDED else f"{run.step_name}!{run.status}"
            for run in self.executions
        ]

    @property
    def now_due(self) -> list[WorkItem]:
        """Work items that a worker may take now: all but timers and calls."""
        return [item for _, item in sorted(self.work.items()) if item.kind in _ACTIVE]

    def _find(self, step: str, item: int | None) -> tuple[Scope, Token]:
        found = [
            (scope, token)
            for scope, token in self.places(step)
            if token.status is not StepStatus.PENDING and item in (None, self.index_of(scope))
        ]
        assert len(found) == 1, f"{len(found)} executions of {step} (item {item}) in: {self.at}"
        return found[0]

    def place(self, step: str, item: int | None = None) -> Place:
        """The only execution of a step (in an item)."""
        scope, token = self._find(step, item)
        return Place(scope.id, token.id, token.execution)

    # What a store does

    def load(self, scope_id: int = ROOT, *, everything: bool = False) -> InstanceState:
        """The state with the items around a scope, or with all active ones."""
        if everything:
            return self.whole
        scopes = dict(self.state.scopes)
        home = self.whole.scopes[scope_id].home if scope_id in self.whole.scopes else ROOT
        while home != ROOT:
            scopes.update(self.rows[home])
            home = self.whole.scopes[self.rows[home][home].parent].home
        return replace(self.state, scopes=dict(sorted(scopes.items())))

    def apply(self, command: Command) -> Play:
        """Decide and commit, and check everything."""
        place: Place | None = getattr(command, "place", None)
        scope_id = place.scope if place is not None else getattr(command, "scope", ROOT)
        state = self.load(scope_id)
        try:
            transition = self._decide(state, command)
        except ItemsNotLoadedError:
            self.reloads += 1
            state = self.load(everything=True)
            transition = self._decide(state, command)
        check_transition(self.whole, transition, self.work)
        self._commit(transition)
        return self

    def _decide(self, state: InstanceState, command: Command) -> Transition:
        before = msgspec.msgpack.encode((state, command))
        transition = decide(self.program, state, command, "tester")
        assert msgspec.msgpack.encode((state, command)) == before, "a decision changed its input"
        again = decide(
            self.program, msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=InstanceState), command, "tester"
        )
        assert transition == again, "the same question, another answer"
        return transition

    def _commit(self, transition: Transition) -> None:
        self.last = transition
        self.now += timedelta(seconds=1)
        state = transition.state
        self.state = replace(state, scopes={key: scope for key, scope in state.scopes.items() if scope.home == ROOT})
        for item in transition.items:
            data = self.rows[item.id][item.id].data if item.data is None else item.data
            inside = {key: scope for key, scope in state.scopes.items() if scope.home == item.id != key}
            self.rows[item.id] = {item.id: replace(item, data=data), **inside}
        self.results.update(transition.item_results)
        for run in transition.dropped_items:
            for number in range(run.first, run.first + run.total):
                del self.rows[number]
                self.results.pop(number, None)
        for number, work in transition.work.items():
            if work is None:
                del self.work[number]
            else:
                self.work[number] = work
        self.tasks.update({opening.id: opening for opening in transition.opened})
        for change in transition.tasks:
            if change.status is not None:
                assert change.status is not TaskStatus.PENDING
                del self.tasks[change.id]
        gone = set(transition.reopened)
        known = {run.number for run in self.executions}
        assert gone <= known, "opens again what was not over"
        self.executions = [run for run in self.executions if run.number not in gone]
        assert not any(run.number in known - gone for run in transition.executions), "an execution was recorded twice"
        self.executions.extend(transition.executions)
        self.events.extend(transition.events)
        self._check(transition)

    def _check(self, transition: Transition) -> None:
        whole = self.whole
        for key, scope in transition.state.scopes.items():
            kept = whole.scopes[key]
            assert replace(kept, data=scope.data) == scope, "a change of a scope was not written"
            assert scope.data in (None, kept.data)
        if whole.status.is_final and whole.parked is None:
            assert not self.rows, "finished, and still items"
        finished = {run.number for run in self.executions}
        for _, token in self.places():
            is_over = token.outcome is not None or (token.status.is_final and token.execution and not token.compensates)
            assert (token.execution in finished) == is_over, "recorded, but not left"
        check_marking(self.program.graph, whole, self.work, self.tasks.keys())

    # What workers do

    def run(self, step: str, *, item: int | None = None, result: Any = None, **writes: Any) -> Play:
        """Run a step's code: with a result and changes of the data."""
        changes = Writes({key: encode(value) for key, value in writes.items()})
        return self.finish(step, item=item, writes=changes, result=result)

    def finish(self, step: str, *, item: int | None = None, result: Any = None, **fields: Any) -> Play:
        """Complete a step, with any fields of `CompleteStep`."""
        raw = None if result is None else encode(result)
        return self.apply(CompleteStep(place=self.place(step, item), now=self.now, result=raw, **fields))

    def fail(
        self,
        step: str,
        message: str = "broken",
        *,
        item: int | None = None,
        outcome: Outcome = Outcome.FAILURE,
        retry_s: float | None = None,
        attempts: int = 1,
    ) -> Play:
        """Let a step fail: for good, or to be tried again."""
        error = ErrorInfo("RuntimeError", message, step)
        return self.apply(
            FailStep(
                place=self.place(step, item),
                now=self.now,
                error=error,
                outcome=outcome,
                retry_s=retry_s,
                attempts=attempts,
            )
        )

    def expire(self, step: str, *, item: int | None = None) -> Play:
        """Let the time of a step be over."""
        return self.apply(ExpireStep(place=self.place(step, item), now=self.now))

    def meet_deadline(self) -> Play:
        """Let the time of the instance be over."""
        return self.apply(ExpireInstance(now=self.now))

    def abandon(self, step: str, *, began: bool, item: int | None = None) -> Play:
        """Say that nobody runs a step (any more) whose scope is being ended."""
        return self.apply(AbandonStep(place=self.place(step, item), now=self.now, began=began))

    def skip(self, step: str, *, item: int | None = None) -> Play:
        """Let the guard of a step say no."""
        return self.finish(step, item=item, outcome=Outcome.SKIPPED)

    def prepare(self, step: str, *, item: int | None = None, **answer: Any) -> Play:
        """Say what the kernel needs to enter a step."""
        return self.apply(Prepared(place=self.place(step, item), now=self.now, **answer))

    def enter(self, step: str, *, item: int | None = None) -> Play:
        """Enter a step, now with its item at hand."""
        return self.apply(EnterStep(place=self.place(step, item), now=self.now))

    def enter_all(self) -> Play:
        """Enter every step that waits for the data of its item."""
        while due := [item for item in self.work.values() if item.kind is WorkKind.ENTER]:
            self.do(due[0])
        return self

    def route(self, step: str, *, item: int | None = None, **found: Any) -> Play:
        """Choose the way out of a finished step."""
        return self.apply(RouteStep(place=self.place(step, item), now=self.now, **found))

    def fire(self, step: str, *, item: int | None = None) -> Play:
        """Let the moment of a timer come."""
        return self.apply(FireTimer(place=self.place(step, item), now=self.now))

    def gather(self, step: str, *, item: int | None = None) -> Play:
        """Collect the results of a ``ForEach``."""
        return self._gather(self.place(step, item))

    def _gather(self, place: Place) -> Play:
        items = self.whole.scopes[place.scope].tokens[place.token].items
        assert items is not None
        results = tuple(self.results[number] for number in range(items.first, items.first + items.total))
        return self.apply(GatherItems(place=place, now=self.now, results=results))

    def work_off(self, rng: random.Random | None = None, *, steps: int = 1000, **results: Any) -> Play:
        """Do all that a worker can do now, oldest first or in random order; results by step."""
        for _ in range(steps):
            due = self.now_due
            if not due:
                return self
            self.do(due[0] if rng is None else rng.choice(due), results)
        msg = f"still at it after {steps} steps: {self.at}"
        raise AssertionError(msg)

    def do(self, item: WorkItem, results: Mapping[str, Any] | None = None) -> Play:
        """Do one work item with code that always succeeds."""
        place = Place(item.scope, item.number, item.execution)
        match item.kind:
            case WorkKind.RUN | WorkKind.UNDO:
                known = (results or {}).get(item.step)
                raw = None if known is None else encode(known)
                return self.apply(CompleteStep(place=place, now=self.now, result=raw, conditions={}, route=()))
            case WorkKind.ENTER:
                return self.apply(EnterStep(place=place, now=self.now))
            case WorkKind.GATHER:
                return self._gather(place)
            case WorkKind.ROUTE:
                return self.apply(RouteStep(place=place, now=self.now, conditions={}, route=()))
            case WorkKind.TIMER:
                return self.apply(FireTimer(place=place, now=self.now))
            case kind:
                msg = f"{item.step}: {kind} needs an answer"
                raise AssertionError(msg)

    # What people and other programs do

    def task_of(self, step: str, item: int | None = None) -> TaskOpening:
        """The open task of a step."""
        place = self.place(step, item)
        return next(task for task in self.tasks.values() if task.execution == place.execution)

    def complete(
        self, step: str, form: Mapping[str, Any] | None = None, *, item: int | None = None, actor: str = "bob"
    ) -> Play:
        """Complete the open task of a step."""
        return self.complete_task(self.task_of(step, item), form or {}, actor=actor)

    def complete_task(self, task: TaskOpening, form: Mapping[str, Any], *, actor: str = "bob") -> Play:
        """Complete an open task."""
        return self.apply(
            CompleteTask(
                place=Place(task.scope, task.token, task.execution),
                now=self.now,
                task_id=task.id,
                actor=Actor(actor),
                form={key: encode(value) for key, value in form.items()},
                form_document=encode(dict(form)),
                comment="seen",
            )
        )

    def reassign(self, step: str, assignee: str) -> Play:
        """Give the open task of a step to somebody else."""
        task = self.task_of(step).id
        return self.apply(ReassignTask(place=self.place(step), task_id=task, actor=Actor("bob"), assignee_id=assignee))

    def call(self, step: str, payload: Any, *, visit: int = 1, scope: int = ROOT) -> Play:
        """Call the address of a webhook step."""
        return self.apply(ReceiveWebhook(scope=scope, step=step, visit=visit, payload=encode(payload), now=self.now))

    def signal(self, name: str, payload: Any = None, *, key: str | None = None) -> Play:
        """Send a signal."""
        return self.apply(ReceiveSignal(name=name, payload=encode(payload), now=self.now, dedup_key=key))

    def reschedule(self, step: str, delay_s: float) -> Play:
        """Move the moment of a timer."""
        return self.apply(Reschedule(step=step, delay_s=delay_s))

    def retry(self, from_step: str | None = None, **changes: Any) -> Play:
        """Let a failed instance go on."""
        changed = {key: encode(value) for key, value in changes.items()}
        return self.apply(Retry(actor=Actor("olga"), now=self.now, from_step=from_step, changed=changed))

    def discard(self) -> Play:
        """Give up what is parked."""
        return self.apply(Discard(actor=Actor("olga"), now=self.now, reason="no use"))

    def cancel(self, *, terminate: bool = False) -> Play:
        """Cancel the instance."""
        reason = "no longer wanted"
        return self.apply(Cancel(actor=Actor("ann"), now=self.now, reason=reason, terminate=terminate))


def assignment(**fields: Any) -> Assignment:
    """What the hooks of a human step said."""
    return Assignment(**fields)


def kinds_of(work: Sequence[WorkItem]) -> list[str]:
    """Kind and step of work items."""
    return [f"{item.kind} {item.step}" for item in work]
