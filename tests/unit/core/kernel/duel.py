"""One instance played by the kernel and by the naive model at once; after every transition both must be in the same place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.core.kernel.definitions import Choose
from tests.unit.core.kernel.model import Model
from tests.unit.core.kernel.naive_tokens import Path, Ways
from tests.unit.core.kernel.play import Play, encode

from workflows_core.domain.commands import Command, CompleteStep, FailStep, Place, Prepared, RouteStep, Writes
from workflows_core.domain.graph import ForEachNode, GroupNode, WebhookNode, WorkflowGraph
from workflows_core.domain.state import ROOT, ErrorInfo, Scope, Token
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.domain.types import Outcome, StepStatus
from workflows_core.errors import InstanceFinishedError, StaleExecutionError, WebhookAlreadyUsedError

STAGES = {
    WorkKind.RUN: "run",
    WorkKind.PREPARE: "prepare",
    WorkKind.ROUTE: "route",
    WorkKind.GATHER: "gather",
    WorkKind.TIMER: "timer",
    WorkKind.AWAIT: "call",
}
NUMBERS = [0, 1, 2, 3]
MAYBE = [None, 0, 1, 2, 3]


class Duel:
    """One instance; each method is something that can happen, with what is open drawn by ``choose``."""

    def __init__(self, graph: WorkflowGraph, data: dict[str, Any]) -> None:
        self.graph = graph
        self.past: list[Command] = []
        self.model = Model(graph, data)
        self.play = Play(graph, **data)
        self._settle()

    @property
    def is_over(self) -> bool:
        return self.play.status.is_final

    def has(self, *kinds: WorkKind) -> bool:
        """Whether there is such work."""
        return any(item.kind in kinds for item in self.play.work.values())

    @property
    def can_retry(self) -> bool:
        """Whether a step has failed it."""
        return self.model.kept is not None

    @property
    def has_webhooks(self) -> bool:
        return any(isinstance(node.kind, WebhookNode) for node in self.graph.nodes.values())

    # What can happen

    def complete(self, choose: Choose) -> None:
        item, path, place = self._pick(choose, WorkKind.RUN)
        x, result, ways = choose(MAYBE), choose(MAYBE), self._ways(choose, item.step)
        writes = {} if x is None else {"x": x}
        self._apply(
            CompleteStep(
                place=place,
                now=self.play.now,
                writes=Writes({key: encode(value) for key, value in writes.items()}),
                result=None if result is None else encode(result),
                conditions=ways.truths,
                route=ways.route,
            )
        )
        self.model.finish(path, writes=writes, result=result, ways=ways)
        self._check()

    def skip(self, choose: Choose) -> None:
        item, path, place = self._pick(choose, WorkKind.RUN, WorkKind.PREPARE)
        ways, skipped = self._ways(choose, item.step), Outcome.SKIPPED
        self._apply(
            CompleteStep(place=place, now=self.play.now, outcome=skipped, conditions=ways.truths, route=ways.route)
        )
        self.model.finish(path, writes={}, result=None, outcome=skipped, ways=ways)
        self._check()

    def fail(self, choose: Choose) -> None:
        item, path, place = self._pick(choose, *STAGES)
        outcome, ways = choose([Outcome.FAILURE, Outcome.TIMEOUT]), self._ways(choose, item.step)
        self._apply(
            FailStep(
                place=place,
                now=self.play.now,
                error=ErrorInfo("RuntimeError", "broken", item.step),
                outcome=outcome,
                conditions=ways.truths,
                route=ways.route,
            )
        )
        self.model.fail(path, outcome, ways)
        self._check()

    def route(self, choose: Choose) -> None:
        item, path, place = self._pick(choose, WorkKind.ROUTE)
        ways = self._ways(choose, item.step, asked=True)
        self._apply(RouteStep(place=place, now=self.play.now, conditions=ways.truths, route=ways.route))
        self.model.route(path, ways)
        self._check()

    def prepare(self, choose: Choose) -> None:
        item, path, place = self._pick(choose, WorkKind.PREPARE)
        branch, items = choose(["0", "1", "2", None]), [choose(NUMBERS) for _ in range(choose(NUMBERS))]
        raw = tuple(map(encode, items))
        self._apply(Prepared(place=place, now=self.play.now, branch=branch, items=raw, delay_s=3.0))
        self.model.prepare(path, items if isinstance(self.graph.nodes[item.step].kind, ForEachNode) else branch)
        self._check()

    def fire(self, choose: Choose) -> None:
        item, path, _ = self._pick(choose, WorkKind.TIMER)
        self.play.do(item)
        self._settle()
        self.model.finish(path, writes={}, result=None)
        self._check()

    def gather(self, choose: Choose) -> None:
        item, path, _ = self._pick(choose, WorkKind.GATHER)
        self.play.do(item)
        self._settle()
        self.model.gather(path)
        self._check()

    def complete_task(self, choose: Choose) -> None:
        task = choose(sorted(self.play.tasks.values(), key=lambda task: task.execution))
        path = self._path(task.scope, task.token)
        x = choose(MAYBE)
        form = {} if x is None else {"x": x}
        self.play.complete_task(task, form)
        self._settle()
        self.model.complete_task(path, form)
        self._check()

    def call(self, choose: Choose) -> None:
        """Call a webhook step: while it waits, early, or for the second time."""
        node = choose([node for node in self.graph.nodes.values() if isinstance(node.kind, WebhookNode)])
        scopes = [scope for _, scope in sorted(self.play.whole.scopes.items()) if scope.node == node.scope]
        if not scopes:
            return
        scope, payload = choose(scopes), choose(NUMBERS)
        visited = scope.visits.get(node.name, 0)
        visit = max(1, choose([visited, visited, visited + 1]))
        waits = any(
            (token.node, token.visit, token.status) == (node.name, visit, StepStatus.WAITING)
            for token in scope.tokens.values()
        )
        path = self._area_path(scope)
        if waits or (visit > visited and (path, node.name, visit) not in self.model.early):
            self.play.call(node.name, payload, visit=visit, scope=scope.id)
            self._settle()
            self.model.call(path, node.name, visit, payload)
        else:
            with pytest.raises(WebhookAlreadyUsedError):
                self.play.call(node.name, payload, visit=visit, scope=scope.id)
        self._check()

    def cancel(self, _choose: Choose) -> None:
        self.play.cancel()
        self.model.cancel()
        self._check()

    def retry(self, _choose: Choose) -> None:
        """Let it go on after a step has failed it; a command from before would now be held off by its fence."""
        self.past.clear()
        self.play.retry()
        self._settle()
        self.model.retry()
        self._check()

    def echo(self, choose: Choose) -> None:
        """A command that was applied before is refused, and changes nothing."""
        with pytest.raises((StaleExecutionError, InstanceFinishedError)):
            self.play.apply(choose(self.past))
        self._check()

    # How it is done

    def _apply(self, command: Command) -> None:
        self.past.append(command)
        self.play.apply(command)
        self._settle()

    def _settle(self) -> None:
        """Enter the items whose data had to be read first; the model knows no such thing."""
        while due := [item for item in self.play.work.values() if item.kind is WorkKind.ENTER]:
            self.play.do(due[0])

    def _pick(self, choose: Choose, *kinds: WorkKind) -> tuple[WorkItem, Path, Place]:
        item = choose([item for _, item in sorted(self.play.work.items()) if item.kind in kinds])
        return item, self._path(item.scope, item.number), Place(item.scope, item.number, item.execution)

    def _ways(self, choose: Choose, step: str, *, asked: bool = False) -> Ways:
        edges = [(index, edge) for index, edge in enumerate(self.graph.edges) if edge.source == step]
        if not asked and choose([False, False, True]):
            return Ways()
        truths = {index: choose([True, False]) for index, edge in edges if edge.computed}
        return Ways(truths, self._names(choose, sorted({edge.target for _, edge in edges if edge.named})))

    def _names(self, choose: Choose, named: Sequence[str]) -> tuple[str, ...]:
        if not named:
            return ()
        return choose([*[(name,) for name in named] * 6, tuple(named), (), ("nowhere",)])

    def _area_path(self, scope: Scope) -> Path:
        if scope.id == ROOT:
            return ()
        token = self.play.whole.scopes[scope.parent].tokens[scope.token]
        return (*self._area_path(self.play.whole.scopes[scope.parent]), (token.node, token.visit, scope.index))

    def _path(self, scope_id: int, token_id: int) -> Path:
        scope = self.play.whole.scopes[scope_id]
        return (*self._area_path(scope), (scope.tokens[token_id].node, scope.tokens[token_id].visit, -1))

    def _stage(self, token: Token) -> str:
        work = self.play.work.get(token.id)
        if work is not None:
            return "handle" if token.actor is not None else STAGES[work.kind]
        return "inside" if isinstance(self.graph.nodes[token.node].kind, GroupNode | ForEachNode) else "task"

    def _check(self) -> None:
        if self.is_over:
            assert self.play.status.value == self.model.status
            return
        stages: dict[Path, str] = {}
        joins: Counter[tuple[Path, str, int]] = Counter()
        for scope, token in self.play.places():
            area = self._area_path(scope)
            if token.status is StepStatus.PENDING:
                joins[area, token.node, token.via] += 1
            else:
                stages[(*area, (token.node, token.visit, -1))] = self._stage(token)
        assert self.model.status is None
        assert stages == self.model.marking
        assert joins == self.model.at_joins
        assert self.play.data == self.model.root.data
