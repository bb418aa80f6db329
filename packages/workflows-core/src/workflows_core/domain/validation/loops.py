"""Every step can be reached, every loop can be left, and no loop turns without work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workflows_core.domain.graph import INSTANCE, GatewayNode, GroupNode
from workflows_core.domain.structure import reachable
from workflows_core.domain.validation.components import cycles
from workflows_core.domain.validation.findings import Findings, about_step, listed
from workflows_core.domain.validation.references import meant_names
from workflows_core.domain.validation.view import GraphView

__all__ = ["check_loops"]


def check_loops(view: GraphView) -> Findings:
    """Reachability and loops, scope by scope."""
    meant = meant_names(view)
    for scope in view.scopes:
        names = view.members(scope)
        entries = view.entries(scope)
        if not entries:
            continue  # reported with the references, or as a group without entry
        claimed = [name for name in names if name in meant or name in view.claimed]
        found = reachable(view.successors(names), [*entries, *claimed])
        yield from _unreachable(view, names, found)
        reached = [name for name in names if name in found]
        yield from _endless(view, scope, reached)
        yield from _two_entries(view, reached, set(entries))
    yield from _instant(view)


def _unreachable(view: GraphView, names: Sequence[str], found: set[str]) -> Findings:
    for name in names:
        if name not in found:
            led = bool(view.incoming[name])
            message = (
                "it is never reached: only steps that are never reached lead to it"
                if led
                else ("it is never reached: no edge leads to it")
            )
            yield about_step(view, name, "unreachable_step", message, "add an edge to it, or remove it")


def _endless(view: GraphView, scope: str, reached: Sequence[str]) -> Findings:
    """Loops from which no end of the scope can be reached; what a race or a terminal step cancels may turn for ever."""
    leaving: dict[str, list[str]] = {name: [] for name in reached}
    for name in reached:
        for _, edge in view.outgoing[name]:
            leaving[edge.target].append(name)
    ends = [name for name in reached if view.ends(name) or name in view.unsure]
    free = reachable(leaving, ends)
    trapped = [name for name in reached if name not in free]
    if not trapped or (ends and _is_race(view, scope)):
        return
    is_warning = any(node.terminal == INSTANCE for node in view.graph.nodes.values())
    successors = view.successors(trapped)
    for loop in cycles(successors):
        inside = set(loop)
        if all(inside.issuperset(successors[name]) for name in loop):
            message = f"no way leads out of the loop {listed(loop)}"
            mend = "add an edge that leaves the loop, or mark a step in it as terminal"
            yield about_step(view, loop[0], "endless_loop", message, mend, is_warning=is_warning)


def _is_race(view: GraphView, scope: str) -> bool:
    kind = view.graph.nodes[scope].kind if scope else None
    return isinstance(kind, GroupNode) and kind.kind == "race"


def _instant(view: GraphView) -> Findings:
    """Loops of nothing but gateways that the kernel evaluates at once."""
    inline = [
        name for name, node in view.graph.nodes.items() if isinstance(node.kind, GatewayNode) and not node.kind.computed
    ]
    successors = {
        name: [edge.target for _, edge in view.outgoing[name] if not (edge.computed or edge.named)] for name in inline
    }
    known = {name: [target for target in targets if target in successors] for name, targets in successors.items()}
    for loop in cycles(known):
        message = f"the loop {listed(loop)} has gateways only, so it would turn without ever waiting"
        yield about_step(view, loop[0], "instant_loop", message, "put a step into it that waits or runs code")


def _two_entries(view: GraphView, reached: Sequence[str], entries: set[str]) -> Findings:
    """Loops without one first step: which of their edges go back depends on the order of the edges."""
    pending = [view.successors(list(reached))]
    known = set(reached)
    while pending:
        for loop in cycles(pending.pop()):
            outside = known.difference(loop)
            entered = [name for name in loop if name in entries or _is_entered(view, name, outside)]
            if len(entered) > 1:
                message = (
                    f"the loop {listed(loop)} can be entered at {listed(entered)}, so joins in it may run too early"
                )
                mend = "let all ways into the loop meet in one step first"
                yield about_step(view, loop[0], "loop_with_two_entries", message, mend, is_warning=True)
            pending.append(_without(view.successors(loop), entered or loop[:1]))


def _is_entered(view: GraphView, name: str, outside: set[str]) -> bool:
    return any(edge.source in outside for _, edge in view.incoming[name])


def _without(successors: Mapping[str, Sequence[str]], removed: Sequence[str]) -> dict[str, list[str]]:
    return {
        name: [target for target in targets if target not in removed and target in successors]
        for name, targets in successors.items()
        if name not in removed
    }
