"""What holds after every transition of every instance, whatever the graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from workflows_core.domain.graph import (
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    SignalNode,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.identity import task_id
from workflows_core.domain.kernel.failing import has_inside
from workflows_core.domain.state import ROOT, InstanceState, Scope, Token
from workflows_core.domain.transition import Transition, WorkItem, WorkKind
from workflows_core.domain.types import StepStatus, WorkflowStatus

FIRST_WORK: Mapping[type, Collection[WorkKind]] = {
    MachineNode: {WorkKind.RUN},
    GatewayNode: {WorkKind.RUN, WorkKind.ENTER},
    HumanNode: {WorkKind.PREPARE, WorkKind.ENTER},
    TimerNode: {WorkKind.PREPARE},
    SignalNode: {WorkKind.ENTER},
    GroupNode: {WorkKind.PREPARE, WorkKind.ENTER},
    ForEachNode: {WorkKind.PREPARE, WorkKind.ENTER},
}


def check_marking(
    graph: WorkflowGraph, state: InstanceState, work: Mapping[int, WorkItem], tasks: Collection[UUID]
) -> None:
    """Tokens, work items and tasks belong together; ``state`` has all items."""
    tokens = [(scope, token) for scope in state.scopes.values() for token in scope.tokens.values()]
    assert len({token.id for _, token in tokens}) == len(tokens), "two tokens with one id"
    executions = [token.execution for _, token in tokens if token.execution]
    assert len(set(executions)) == len(executions), "two tokens with one execution"
    for scope, token in tokens:
        assert token.compensates or graph.nodes[token.node].scope == scope.node, f"{token.node} in scope {scope.node!r}"
        assert max(token.id, token.execution, scope.id) <= state.counter
    if state.has_deadline:
        assert work[0].kind is WorkKind.DEADLINE
        work = {number: item for number, item in work.items() if number}
    live = [
        token
        for scope, token in tokens
        if not token.status.is_final
        and not (
            token.status is StepStatus.WAITING and has_inside(token) and state.is_draining(scope.id)
        )  # no time limit
    ]
    expected = {token.id: kind for token in live if (kind := _expected_work(graph, token)) is not None}
    assert work.keys() == expected.keys(), (
        "each token that is to be moved by a worker has one work item, and vice versa"
    )
    for scope, token in tokens:
        if token.id in work:
            item = work[token.id]
            assert item.kind in expected[token.id], f"{item.kind} for {token}"
            assert (item.step, item.scope, item.execution) == (token.node, scope.id, token.execution)
    waiting = {
        task_id(state.id, token.execution, token.round) for _, token in tokens if _waits_for_person(graph, token)
    }
    assert set(tasks) == waiting, "each waiting human step has one open task, and vice versa"
    _check_scopes(state)
    _check_status(state, work, tasks)


def _expected_work(  # noqa: C901 - a table
    graph: WorkflowGraph, token: Token
) -> Collection[WorkKind] | None:
    kind = graph.nodes[token.node].kind
    match token.status:
        case StepStatus.PENDING:
            assert token.execution == 0, "what waits at a join has not been entered"
            return None
        case StepStatus.WAITING if isinstance(kind, TimerNode):
            return {WorkKind.TIMER}
        case StepStatus.WAITING if isinstance(kind, WebhookNode | SignalNode):
            return {WorkKind.AWAIT}
        case StepStatus.WAITING:
            assert isinstance(kind, HumanNode | GroupNode | ForEachNode), f"nothing would ever move {token}"
            return None if graph.nodes[token.node].timeout_s is None else {WorkKind.AWAIT}
        case StepStatus.SCHEDULED if token.compensates:
            return {WorkKind.UNDO}
        case StepStatus.SCHEDULED if token.outcome is not None:
            return {WorkKind.ROUTE}
        case StepStatus.SCHEDULED if token.items is not None:
            return {WorkKind.GATHER}
        case StepStatus.SCHEDULED if token.actor is not None:
            return {WorkKind.RUN}
        case StepStatus.SCHEDULED if not token.execution:
            return {WorkKind.ENTER}
        case StepStatus.SCHEDULED:
            return FIRST_WORK[type(kind)]
        case _:
            msg = f"a token is never {token.status}"
            raise AssertionError(msg)


def _waits_for_person(graph: WorkflowGraph, token: Token) -> bool:
    return token.status is StepStatus.WAITING and isinstance(graph.nodes[token.node].kind, HumanNode)


def _check_scopes(state: InstanceState) -> None:
    """Each inner scope belongs to the token that opened it, and each open step has its scopes."""
    wanted: set[int] = {ROOT}
    for scope in state.scopes.values():
        for token in scope.tokens.values():
            if token.child:
                wanted.add(token.child)
            if token.items is not None:
                items = token.items
                active = {number for number in range(items.first, items.first + items.total) if number in state.scopes}
                assert len(active) == items.started - items.done
                assert items.done <= items.started <= items.total
                busy = [item for item in active if not _is_quiet(state, state.scopes[item])]
                assert items.busy == len(busy), "the counter of busy items is right"
                wanted |= active
    assert state.scopes.keys() == wanted
    for scope in state.scopes.values():
        if scope.id == ROOT:
            continue
        assert scope.tokens, f"scope {scope.id} of {scope.node} is over"
        outer = state.scopes[scope.parent]
        assert outer.tokens[scope.token].node == scope.node
        assert scope.home == (scope.id if scope.index >= 0 else outer.home)


def _check_status(state: InstanceState, work: Mapping[int, WorkItem], tasks: Collection[UUID]) -> None:
    kept = [token for scope in state.scopes.values() for token in scope.tokens.values()]
    if state.status.is_final:
        if state.parked is None:
            assert not kept, "finished, and still a token"
        else:
            assert state.status is WorkflowStatus.FAILED
            assert all(token.status in {StepStatus.PENDING, StepStatus.FAILED, StepStatus.CANCELED} for token in kept)
        assert not work
        assert not tasks
        return
    stopped = [token for token in kept if token.status in {StepStatus.FAILED, StepStatus.CANCELED}]
    assert all(token.compensates for token in stopped), "stopped, and not over"
    assert state.scopes[ROOT].tokens, "no token, and not finished"
    assert work or tasks or state.parked, "nothing can ever happen"
    if all(token.status is StepStatus.SCHEDULED and not token.execution for token in kept):
        assert state.status is WorkflowStatus.PENDING
        return
    quiet = _is_quiet(state, state.scopes[ROOT])
    assert state.status is (WorkflowStatus.WAITING if quiet else WorkflowStatus.RUNNING)


def _is_quiet(state: InstanceState, scope: Scope) -> bool:
    for token in scope.tokens.values():
        inner = [token.child] if token.child else []
        if token.items is not None:
            inner = [n for n in range(token.items.first, token.items.first + token.items.total) if n in state.scopes]
        if token.status is StepStatus.SCHEDULED or not all(_is_quiet(state, state.scopes[n]) for n in inner):
            return False
    return True


def check_transition(before: InstanceState, transition: Transition, known: Mapping[int, WorkItem]) -> None:
    """What a transition may say, given the state before it and the work items that there are."""
    after = transition.state
    assert after.revision == before.revision + 1
    assert after.counter >= before.counter
    assert all(number in known for number, item in transition.work.items() if item is None), "deletes what never was"
    opened = {opening.id for opening in transition.opened}
    assert not opened & {change.id for change in transition.tasks}, "opens and changes a task at once"
    old = {token.id: token for scope in before.scopes.values() for token in scope.tokens.values()}
    for scope in after.scopes.values():
        assert scope.id in before.scopes or scope.id > before.counter or scope.index >= 0
        for token in scope.tokens.values():
            assert token.id in old or token.id > before.counter, "a token's id was used before"
            same = token.id in old and old[token.id].execution == token.execution
            assert same or token.execution == 0 or token.execution > before.counter, "an execution's number again"
    numbers = [execution.number for execution in transition.executions]
    assert len(set(numbers)) == len(numbers)
    dropped = {number for run in transition.dropped_items for number in range(run.first, run.first + run.total)}
    written = {item.id for item in transition.items}
    assert len(written) == len(transition.items)
    assert not dropped & (written | transition.item_results.keys()), "writes and deletes an item at once"
    assert transition.item_results.keys() <= written
