"""The rules of tokens once more, written from the design in the most naive way: objects that are changed in place, nothing indexed.

It shares nothing with the kernel but the definition of a graph.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from tests.unit.core.kernel.naive_reach import NaiveReach
from tests.unit.core.kernel.naive_tokens import NO_WAYS, Area, Path, Tok, Ways

from workflows_core.domain.graph import (
    Edge,
    ForEachNode,
    GatewayNode,
    GroupNode,
    HumanNode,
    MachineNode,
    TimerNode,
    WebhookNode,
    WorkflowGraph,
)
from workflows_core.domain.types import Outcome


class Model:
    """One instance. ``status`` is None while it runs."""

    def __init__(self, graph: WorkflowGraph, data: Mapping[str, Any]) -> None:
        self.graph = graph
        self.reach = NaiveReach(graph)
        self.areas = 0
        self.root = self._area()
        self.root.data = dict(data)
        self.status: str | None = None
        self.halted = False
        self.kept: tuple[Area, dict[tuple[Path, str, int], Any]] | None = None
        self.travelling: deque[tuple[Area, str, int]] = deque([(self.root, graph.initial, -1)])
        self.early: dict[tuple[Path, str, int], Any] = {}
        self._settle()

    # What can be seen

    def all_areas(self) -> Iterator[Area]:
        return self.root.with_inner()

    @property
    def marking(self) -> dict[Path, str]:
        return {tok.path: tok.stage for area in self.all_areas() for tok in area.toks if tok.stage != "join"}

    @property
    def at_joins(self) -> Counter[tuple[Path, str, int]]:
        return Counter(
            (area.path, tok.node, tok.via) for area in self.all_areas() for tok in area.toks if tok.stage == "join"
        )

    def find(self, path: Path) -> Tok:
        return next(tok for area in self.all_areas() for tok in area.toks if tok.stage != "join" and tok.path == path)

    # What can be done

    def finish(
        self,
        path: Path,
        *,
        writes: Mapping[str, Any],
        result: Any,
        outcome: Outcome = Outcome.SUCCESS,
        ways: Ways = NO_WAYS,
    ) -> None:
        tok = self.find(path)
        tok.area.data.update(writes)
        self._finish(tok, result, outcome, ways)
        self._settle()

    def fail(self, path: Path, outcome: Outcome, ways: Ways = NO_WAYS) -> None:
        before = deepcopy((self.root, self.early))
        self._do_fail(path, outcome, ways)
        self.kept = before if self.halted else None

    def retry(self) -> None:
        """Go on as it was before the failure; what was under way is entered anew."""
        assert self.kept is not None
        (self.root, self.early), self.kept, self.status, self.halted = self.kept, None, None, False
        self.travelling.clear()
        for area in self.all_areas():
            area.one_has_ended = False
            for tok in area.toks:
                kind = self.graph.nodes[tok.node].kind
                if isinstance(kind, HumanNode | TimerNode) and kind.computed and tok.stage in {"task", "timer"}:
                    tok.stage = "prepare"

    def _do_fail(self, path: Path, outcome: Outcome, ways: Ways) -> None:
        tok = self.find(path)
        if tok.stage == "route":
            self._halt()
        else:
            self._fail(tok, outcome, ways)
        self._settle()

    def route(self, path: Path, ways: Ways) -> None:
        tok = self.find(path)
        self._leave(tok, tok.outcome, ways)
        self._settle()

    def prepare(self, path: Path, answer: Any) -> None:
        tok = self.find(path)
        match self.graph.nodes[tok.node].kind:
            case HumanNode():
                tok.stage = "task"
            case TimerNode():
                tok.stage = "timer"
            case GroupNode() as kind:
                self._branch(tok, kind, answer)
            case ForEachNode():
                self._expand(tok, answer)
        self._settle()

    def complete_task(self, path: Path, form: dict[str, Any]) -> None:
        tok = self.find(path)
        kind = self.graph.nodes[tok.node].kind
        assert isinstance(kind, HumanNode)
        tok.area.data.update(form if kind.into is None else {kind.into: form})
        tok.area.put_entry("forms", tok.node, form)
        if kind.handler:
            tok.stage = "handle"
        else:
            self._finish(tok, form, Outcome.SUCCESS, NO_WAYS)
        self._settle()

    def call(self, area_path: Path, step: str, visit: int, payload: Any) -> None:
        for area in self.all_areas():
            for tok in area.toks:
                if (area.path, tok.node, tok.visit, tok.stage) == (area_path, step, visit, "call"):
                    self._called(tok, payload)
                    self._settle()
                    return
        self.early[area_path, step, visit] = payload

    def gather(self, path: Path) -> None:
        tok = self.find(path)
        kind = self.graph.nodes[tok.node].kind
        assert isinstance(kind, ForEachNode)
        self._gathered(tok, kind, [tok.item_results[index] for index in sorted(tok.item_results)])
        self._settle()

    def cancel(self) -> None:
        self._over("canceled")

    # Entering

    def _area(self, holder: Tok | None = None, index: int = -1) -> Area:
        self.areas += 1
        return Area(self.areas, holder, index)

    def _enter(self, area: Area, node: str, via: int) -> None:
        area.visits[node] += 1
        tok = Tok(node, area, via, "run", area.visits[node])
        area.toks.append(tok)
        match self.graph.nodes[node].kind:
            case MachineNode() | GatewayNode(computed=True):
                tok.stage = "run"
            case GatewayNode():
                self._finish(tok, None, Outcome.SUCCESS, NO_WAYS)
            case WebhookNode():
                tok.stage = "call"
                if (area.path, node, tok.visit) in self.early:
                    self._called(tok, self.early.pop((area.path, node, tok.visit)))
            case HumanNode(computed=False):
                tok.stage = "task"
            case TimerNode(computed=False):
                tok.stage = "timer"
            case GroupNode(computed=False) | ForEachNode(computed=False) as kind:
                self._go_inside(tok, kind)
            case _:
                tok.stage = "prepare"

    def _go_inside(self, tok: Tok, kind: GroupNode | ForEachNode) -> None:
        match kind:
            case ForEachNode(source=str(key)):
                self._expand(tok, tok.area.see(key))
            case GroupNode(kind="conditional", selector=str(key)):
                value = tok.area.see(key)
                self._branch(tok, kind, None if value is None else str(value))
            case GroupNode(entry=entry):
                self._open(tok, entry)

    def _branch(self, tok: Tok, kind: GroupNode, answer: str | None) -> None:
        if answer is not None and answer in kind.branches:
            self._open(tok, (kind.branches[answer],))
            return
        if kind.into is not None:
            tok.area.data[kind.into] = None
        self._finish(tok, None, Outcome.SUCCESS, NO_WAYS)

    def _open(self, tok: Tok, entry: tuple[str, ...]) -> None:
        tok.stage = "inside"
        inner = self._area(tok)
        tok.inside.append(inner)
        self.travelling.extend((inner, node, -1) for node in entry)

    def _expand(self, tok: Tok, items: list[Any]) -> None:
        kind = self.graph.nodes[tok.node].kind
        assert isinstance(kind, ForEachNode)
        if not items:
            self._gathered(tok, kind, [])
            return
        tok.stage = "inside"
        for index, item in enumerate(items):
            inner = self._area(tok, index)
            inner.data = {kind.item: item, kind.index: index}
            tok.to_start.append(inner)
        for _ in range(min(len(items), kind.concurrency)):
            self._next_item(tok, kind)

    def _next_item(self, tok: Tok, kind: ForEachNode) -> None:
        inner = tok.to_start.pop(0)
        tok.inside.append(inner)
        self.travelling.append((inner, kind.body, -1))

    def _gathered(self, tok: Tok, kind: ForEachNode, results: list[Any]) -> None:
        if kind.into is not None:
            tok.area.data[kind.into] = results
        self._finish(tok, results, Outcome.SUCCESS, NO_WAYS)

    def _called(self, tok: Tok, payload: Any) -> None:
        kind = self.graph.nodes[tok.node].kind
        assert isinstance(kind, WebhookNode)
        if kind.into is not None:
            tok.area.data[kind.into] = payload
        else:
            tok.area.put_entry("webhooks", tok.node, payload)
        self._finish(tok, payload, Outcome.SUCCESS, NO_WAYS)

    # Leaving

    def _finish(self, tok: Tok, result: Any, outcome: Outcome, ways: Ways) -> None:
        if not isinstance(self.graph.nodes[tok.node].kind, GatewayNode):
            tok.area.results.pop(tok.node, None)
            tok.area.results[tok.node] = result
        self._leave(tok, outcome, ways)

    def _exits(self, node: str, outcome: Outcome) -> list[tuple[int, Edge]]:
        found = [
            (index, edge) for index, edge in enumerate(self.graph.edges) if (edge.source, edge.on) == (node, outcome)
        ]
        if not found and outcome is Outcome.SKIPPED:
            return self._exits(node, Outcome.SUCCESS)
        if not found and outcome is Outcome.TIMEOUT:
            return self._exits(node, Outcome.FAILURE)
        return found

    def _leave(self, tok: Tok, outcome: Outcome, ways: Ways) -> None:
        node = self.graph.nodes[tok.node]
        exits = self._exits(tok.node, outcome)
        if not exits or (node.terminal and outcome in {Outcome.SUCCESS, Outcome.SKIPPED}):
            tok.area.toks.remove(tok)
            tok.area.one_has_ended = True
            if node.terminal == "instance":
                self._over("completed")
            return
        unknown_truths = ways.truths is None and any(edge.computed for _, edge in exits)
        unknown_route = ways.route is None and any(edge.named for _, edge in exits)
        if unknown_truths or unknown_route:
            tok.stage, tok.outcome, tok.inside = "route", outcome, []
            return
        tok.area.toks.remove(tok)
        taken = self._choose(tok, exits, ways)
        if not taken:
            self._over("failed")
        self.travelling.extend((tok.area, edge.target, index) for index, edge in taken)

    def _choose(self, tok: Tok, exits: list[tuple[int, Edge]], ways: Ways) -> list[tuple[int, Edge]]:
        kind = self.graph.nodes[tok.node].kind
        named = [edge.target for _, edge in exits if edge.named]
        if named and any(name not in named for name in ways.route or ()):
            return []
        if isinstance(kind, GatewayNode) and kind.kind == "parallel":
            return exits
        default = [(index, edge) for index, edge in exits if edge.default]
        holding = [(index, edge) for index, edge in exits if not edge.default and self._holds(tok, index, edge, ways)]
        if isinstance(kind, GatewayNode) and kind.kind == "exclusive":
            return (holding or default)[:1]
        if any(edge.condition or edge.computed or edge.named for _, edge in holding):
            return holding
        return sorted(holding + default, key=lambda exit_: exit_[0])

    def _holds(self, tok: Tok, index: int, edge: Edge, ways: Ways) -> bool:
        if edge.condition is not None:
            key, sign, number = edge.condition.split()
            value = tok.area.see(key)
            return bool(value > int(number)) if sign == ">" else bool(value == int(number))
        if edge.computed:
            return (ways.truths or {}).get(index, False)
        return not edge.named or edge.target in (ways.route or ())

    # Failing and cancelling

    def _fail(self, tok: Tok, outcome: Outcome, ways: Ways) -> None:
        tok.inside, tok.to_start = [], []
        if self._exits(tok.node, outcome):
            self._leave(tok, outcome, ways)
            return
        tok.area.toks.remove(tok)
        if tok.area.holder is None:
            self._halt()
        else:
            self._fail(tok.area.holder, Outcome.FAILURE, NO_WAYS)

    def _halt(self) -> None:
        """A step fails the instance: it may go on from there."""
        self.halted = True
        self._over("failed")

    def _over(self, status: str) -> None:
        self.root.toks.clear()
        self.status = self.status or status

    # Settling

    def _settle(self) -> None:
        while self.status is None:
            if self.travelling:
                area, node, via = self.travelling.popleft()
                if area in self.all_areas():
                    self._arrive(area, node, via)
            elif (due := self._innermost_due()) is not None:
                self._look(due)
            else:
                break
        if self.status is None and not self.root.toks:
            self.status = "completed"

    def _innermost_due(self) -> Area | None:
        due = [area for area in self.all_areas() if self._is_due(area)]
        return max(due, key=lambda area: area.number, default=None)

    def _arrive(self, area: Area, node: str, via: int) -> None:
        join = self.graph.nodes[node].join.kind
        incoming = sum(edge.target == node for edge in self.graph.edges)
        if join != "each" and (incoming > 1 or join != "auto"):
            area.toks.append(Tok(node, area, via))
        else:
            self._enter(area, node, via)

    def _joins(self, area: Area) -> dict[str, list[Tok]]:
        found: dict[str, list[Tok]] = {}
        for tok in area.toks:
            if tok.stage == "join":
                found.setdefault(tok.node, []).append(tok)
        return found

    def _coming(self, area: Area, node: str, waiting: list[Tok]) -> list[Tok]:
        others = [tok for tok in area.toks if tok not in waiting]
        return [tok for tok in others if all(self.reach.can_come(tok.node, node, waits.via) for waits in waiting)]

    def _fires(self, area: Area, node: str, waiting: list[Tok]) -> bool:
        join = self.graph.nodes[node].join
        if join.kind == "all":
            return self.reach.forward_in(node) <= {tok.via for tok in waiting}
        if join.kind == "n":
            return len(waiting) >= join.count
        return join.kind == "any" or not self._coming(area, node, waiting)

    def _hopeless(self, area: Area, node: str, waiting: list[Tok]) -> bool:
        join = self.graph.nodes[node].join
        others = [tok.node for tok in area.toks if tok not in waiting]
        alive = {
            edge
            for edge in self.reach.forward_in(node)
            if any(self.reach.can_use(other, node, edge) for other in others)
        }
        if join.kind == "all":
            return bool(self.reach.forward_in(node) - {tok.via for tok in waiting} - alive)
        return join.kind == "n" and not alive

    def _is_over(self, area: Area) -> bool:
        if area.holder is None:
            return False
        kind = self.graph.nodes[area.holder.node].kind
        return not area.toks or (isinstance(kind, GroupNode) and kind.kind == "race" and area.one_has_ended)

    def _is_due(self, area: Area) -> bool:
        joins = self._joins(area)
        return self._is_over(area) or any(
            self._fires(area, node, waiting) or self._hopeless(area, node, waiting) for node, waiting in joins.items()
        )

    def _look(self, area: Area) -> None:
        if self._is_over(area):
            self._close(area)
            return
        joins = self._joins(area)
        for node, waiting in joins.items():
            if self._fires(area, node, waiting):
                if self.graph.nodes[node].join.kind in {"any", "n"}:
                    for tok in self._coming(area, node, waiting):
                        area.toks.remove(tok)
                for tok in waiting:
                    area.toks.remove(tok)
                self._enter(area, node, waiting[-1].via)
                return
        self._over("failed")

    def _close(self, area: Area) -> None:
        holder = area.holder
        assert holder is not None
        holder.inside.remove(area)
        match self.graph.nodes[holder.node].kind:
            case ForEachNode() as kind:
                holder.item_results[area.index] = area.results.get(kind.body)
                if holder.to_start:
                    self._next_item(holder, kind)
                elif not holder.inside:
                    holder.stage = "gather"
            case GroupNode() as kind:
                holder.area.data.update(
                    {outer: area.data[inner] for inner, outer in kind.outputs.items() if inner in area.data}
                )
                result = self._group_result(area, kind)
                if kind.into is not None:
                    holder.area.data[kind.into] = result
                self._finish(holder, result, Outcome.SUCCESS, NO_WAYS)

    def _group_result(self, area: Area, kind: GroupNode) -> Any:
        if kind.callback is not None:
            return area.results.get(kind.callback)
        if kind.kind == "parallel":
            return [area.results.get(node) for node in kind.entry]
        return list(area.results.values())[-1] if area.results else None
