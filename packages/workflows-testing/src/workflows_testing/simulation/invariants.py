"""What is true of every store at every moment at which no commit is half done: the guarantees, as far as records can show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from workflows_core.domain.events import (
    HumanTaskCompleted,
    RecordedEvent,
    StepCanceled,
    StepCompensated,
    StepCompleted,
    StepFailed,
    StepSkipped,
    WorkflowCanceled,
    WorkflowCompleted,
    WorkflowDiscarded,
    WorkflowEvent,
    WorkflowFailed,
    WorkflowRetried,
    WorkflowStarted,
)
from workflows_core.domain.graph import HumanNode, SignalNode, TimerNode, WebhookNode, WorkflowGraph
from workflows_core.domain.state import InstanceState, Token
from workflows_core.domain.transition import WorkKind
from workflows_core.domain.types import StepStatus, TaskStatus, WorkflowStatus
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore
from workflows_testing.simulation.effects import Effects
from workflows_testing.simulation.records import Account, accounts

__all__ = ["find_violations"]

_ENDS: Final = (WorkflowCompleted, WorkflowFailed, WorkflowCanceled)
_END_OF: Final[Mapping[WorkflowStatus, type[WorkflowEvent]]] = {
    WorkflowStatus.COMPLETED: WorkflowCompleted,
    WorkflowStatus.FAILED: WorkflowFailed,
    WorkflowStatus.CANCELED: WorkflowCanceled,
}
_STEP_ENDS: Final = (StepCompleted, StepFailed, StepSkipped, StepCanceled, StepCompensated)


async def find_violations(
    queries: WorkflowQueries, store: WorkflowStore | None = None, *, effects: Effects | None = None
) -> list[str]:
    """Look at everything that a store holds.

    It can be asked of any store, also of a database after a test with real crashes. It reads all records, so it is not for a store in
    production.

    Args:
        queries: The read side.
        store: The write side; with it, it is also checked that every active step has the work or the task that will move it.
        effects: What steps noted while they ran.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    found = [f"instance {stalled}: is stalled: nothing will ever move it" for stalled in await queries.find_stalled()]
    async for account in accounts(queries, store):
        name = f"{account.instance.workflow_name} {account.instance.id}"
        found.extend(f"{name}: {violation}" for violation in _violations(account))
        if effects is not None:
            found.extend(
                f"{name}: {violation}" for violation in effects.violations(account.instance.id, account.executions)
            )
    return found


def _violations(account: Account) -> Iterator[str]:
    yield from _of_places(account)
    yield from _of_ends(account)
    yield from _of_executions(account)
    yield from _of_joins(account)
    yield from _of_tasks(account)
    if account.state is not None:
        yield from _of_marking(account, account.state)


def _of_places(account: Account) -> Iterator[str]:
    """Events are numbered without gaps in their revision, and time never goes back."""
    following: dict[int, int] = {}
    last: RecordedEvent | None = None
    for event in account.events:
        if not 1 <= event.revision <= account.instance.revision:
            yield f"an event of revision {event.revision}, but the instance is at {account.instance.revision}"
        if event.position != following.get(event.revision, 0):
            yield f"event {event.position} of revision {event.revision} has no predecessor"
        following[event.revision] = event.position + 1
        if last is not None and (event.at < last.at or event.revision < last.revision):
            yield f"revision {event.revision} is recorded after {last.revision}, at {event.at} after {last.at}"
        last = event


def _of_ends(account: Account) -> Iterator[str]:
    """An instance is started once, ends as its status says, and goes on afterwards only if an operator said so."""
    instance = account.instance
    starts = [event.revision for event in account.events if isinstance(event.event, WorkflowStarted)]
    if starts != [1]:
        yield f"it was started {len(starts)} times"
    end: RecordedEvent | None = None
    for revision, group in groupby(account.events, key=lambda event: event.revision):
        events = list(group)
        ends = [event for event in events if isinstance(event.event, _ENDS)]
        if any(isinstance(event.event, WorkflowRetried) for event in events):
            end = None
        if len(ends) > 1 or (
            end is not None and not any(isinstance(event.event, WorkflowDiscarded) for event in events)
        ):
            told = ", ".join(type(event.event).__name__ for event in events)
            yield f"it was over at revision {end.revision if end else revision}, and went on at {revision}: {told}"
        end = ends[-1] if ends else end and replace(end, revision=revision)
    if instance.status.is_final:
        yield from _of_what_is_over(account, end)
    elif end is not None or instance.completed_at is not None:
        yield f"it is {instance.status}, but over since {instance.completed_at or end}"


def _of_what_is_over(account: Account, end: RecordedEvent | None) -> Iterator[str]:
    """Its last event says how it ended, and nothing is left to be done."""
    instance = account.instance
    if end is None or type(end.event) is not _END_OF[instance.status]:
        yield f"it is {instance.status}, but no event says so"
    elif end.revision != instance.revision:
        yield f"it was over at revision {end.revision}, and went on to {instance.revision}"
    if instance.completed_at is None:
        yield f"it is {instance.status}, but the time of its end is not recorded"
    if account.work:
        yield f"it is over, and there is still work: {', '.join(record.item.step for record in account.work)}"
    for task in account.tasks:
        if task.status is TaskStatus.PENDING:
            yield f"it is over, and its task {task.opening.title!r} is still open"


def _of_executions(account: Account) -> Iterator[str]:
    """Each step execution ends once, or once more each time that it is opened again; events and records say the same."""
    ends: dict[int, list[StepStatus]] = {}
    opened: Counter[int] = Counter()
    for event in account.events:
        if isinstance(event.event, WorkflowRetried):
            opened.update(event.event.executions)
        elif isinstance(event.event, _STEP_ENDS):
            ends.setdefault(event.event.execution, []).append(event.event.status)
    numbers = Counter(record.execution.number for record in account.executions)
    yield from (f"execution {number} has {times} records" for number, times in numbers.items() if times > 1)
    for record in account.executions:
        run, told = record.execution, ends.get(record.execution.number, [])
        where = f"execution {run.number} of step {run.step_name!r}"
        if not run.status.is_final:
            yield f"{where} is recorded as {run.status}"
        elif not told or told[-1] is not run.status:
            yield f"{where} is recorded as {run.status}, and its events say {', '.join(told) or 'nothing'}"
        if run.started_at is not None and run.started_at > record.completed_at:
            yield f"{where} ended before it began"
    for number, told in ends.items():
        if len(told) > opened[number] + (number in numbers):
            yield f"execution {number} ended {len(told)} times by its events ({', '.join(told)})"


def _of_joins(account: Account) -> Iterator[str]:
    """A step that can be entered once in a scope was entered once."""
    if account.graph is None:
        return
    repeatable = _repeatable(account.graph)
    rewound = any(isinstance(event.event, WorkflowRetried) and event.event.from_step for event in account.events)
    visits = Counter(
        (record.execution.scope, record.execution.step_name, record.execution.visit)
        for record in account.executions
        if not record.execution.compensates
    )
    for (scope, step, visit), times in visits.items():
        if times > 1:
            yield f"visit {visit} of step {step!r} in scope {scope} is recorded {times} times"
        if visit > 1 and step not in repeatable and not rewound:
            yield f"step {step!r} ran again in scope {scope}, although no loop leads back to it: a join fired twice"


def _repeatable(graph: WorkflowGraph) -> set[str]:
    """Steps that may be entered several times in one scope: in or after a loop, or where each token is let through."""
    forward: dict[str, set[str]] = {name: set() for name in graph.nodes}
    incoming = Counter(edge.target for edge in graph.edges)
    for edge in graph.edges:
        forward[edge.source].add(edge.target)
    several = {name for name, node in graph.nodes.items() if node.join.kind == "each" and incoming[name] > 1}
    several |= {graph.edges[index].target for index in graph.back_edges}
    reached, queue = set(several), list(several)
    while queue:
        for target in forward[queue.pop()] - reached:
            reached.add(target)
            queue.append(target)
    return reached


def _of_tasks(account: Account) -> Iterator[str]:
    """Each completed task was completed once, by the one of whom it says so."""
    completions = Counter(
        (event.event.task_id, event.event.completed_by)
        for event in account.events
        if isinstance(event.event, HumanTaskCompleted)
    )
    for task in account.tasks:
        times = sum(count for (task_id, _), count in completions.items() if task_id == task.id)
        wanted = int(task.status is TaskStatus.COMPLETED)
        if times != wanted:
            yield f"task {task.opening.title!r} of step {task.opening.step_name!r} is {task.status}, and was completed {times} times"
        elif wanted and not completions[task.id, task.completed_by or ""]:
            yield f"task {task.opening.title!r} says that {task.completed_by} completed it, and its event another"


def _of_marking(account: Account, state: InstanceState) -> Iterator[str]:
    """Each active step has what will move it, and there is nothing else."""
    work = {record.item.number: record.item for record in account.work}
    tasks = {task.opening.token: task for task in account.tasks if task.status is TaskStatus.PENDING}
    tokens = {token.id: token for scope in state.scopes.values() for token in scope.tokens.values()}
    for token in tokens.values():
        item = work.get(token.id)
        if _wants_work(account.graph, token) and (item is None or item.execution != token.execution):
            yield f"step {token.node!r} is {token.status}, and no work will ever move it"
        if _wants_person(account.graph, token) and token.id not in tasks:
            yield f"step {token.node!r} waits for a person, and has no open task"
    for number, item in work.items():
        if number not in tokens and item.kind is not WorkKind.DEADLINE:
            yield f"there is work for step {item.step!r}, which is not active"
    for number, task in tasks.items():
        if number not in tokens:
            yield f"task {task.opening.title!r} is open, and its step is not active"


def _wants_work(graph: WorkflowGraph | None, token: Token) -> bool:
    if token.status is StepStatus.SCHEDULED:
        return True
    node = None if graph is None else graph.nodes.get(token.node)
    return (
        token.status is StepStatus.WAITING
        and node is not None
        and isinstance(node.kind, TimerNode | WebhookNode | SignalNode)
    )


def _wants_person(graph: WorkflowGraph | None, token: Token) -> bool:
    node = None if graph is None else graph.nodes.get(token.node)
    return token.status is StepStatus.WAITING and node is not None and isinstance(node.kind, HumanNode)
