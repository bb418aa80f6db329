"""A graph as the checks look at it: the sound part, indexed.

Checks of the flow leave out what is reported elsewhere: edges with an unknown end and edges between scopes. So one wrong name is
one problem, not ten.
"""

from __future__ import annotations

from collections.abc import Iterator

from workflows_core.domain.graph import Edge, ForEachNode, GroupNode, Node, WorkflowGraph
from workflows_core.domain.structure import entries_of, find_back_edges
from workflows_core.domain.types import Outcome

__all__ = ["GraphView", "back_edges_of", "is_group"]


def back_edges_of(graph: WorkflowGraph) -> tuple[int, ...]:
    """The back edges that a graph should have, whatever it has; edges with an unknown end are left out."""
    return find_back_edges(graph.nodes, graph.edges, [entries_of(graph, scope) for scope in ("", *graph.nodes)])


class GraphView:
    """A graph with what every check asks about it.

    Attributes:
        graph: The graph.
        outgoing: Sound edges, with their index, by the step that they leave; both ends are known and of one scope.
        incoming: Sound edges, with their index, by the step that they enter.
        place: Place of each step in the definition, from 0.
        scopes: The top (empty) and every group, in order.
        unsure: Sources of edges that are not sound: where these steps lead cannot be said.
        claimed: Targets of edges that are not sound: whether these steps are reached cannot be said.
        back: Indexes of the back edges, computed anew.
    """

    def __init__(self, graph: WorkflowGraph) -> None:
        self.graph = graph
        self.place = {name: index for index, name in enumerate(graph.nodes)}
        self.outgoing: dict[str, list[tuple[int, Edge]]] = {name: [] for name in graph.nodes}
        self.incoming: dict[str, list[tuple[int, Edge]]] = {name: [] for name in graph.nodes}
        self.unsure: set[str] = set()
        self.claimed: set[str] = set()
        for index, edge in enumerate(graph.edges):
            if self._is_sound(edge):
                self.outgoing[edge.source].append((index, edge))
                self.incoming[edge.target].append((index, edge))
            else:
                self.unsure.add(edge.source)
                self.claimed.add(edge.target)
        self.back = frozenset(back_edges_of(graph))
        self.scopes = ("", *(name for name, node in graph.nodes.items() if is_group(node)))

    def _is_sound(self, edge: Edge) -> bool:
        source, target = self.graph.nodes.get(edge.source), self.graph.nodes.get(edge.target)
        return source is not None and target is not None and source.scope == target.scope

    def members(self, scope: str) -> list[str]:
        """Names of the steps directly inside a scope."""
        return [name for name, node in self.graph.nodes.items() if node.scope == scope]

    def entries(self, scope: str) -> list[str]:
        """Steps of a scope that may receive its first tokens; references that are wrong are left out."""
        nodes = self.graph.nodes
        return [name for name in entries_of(self.graph, scope) if name in nodes and nodes[name].scope == scope]

    def successors(self, names: list[str], *, forward: bool = False) -> dict[str, list[str]]:
        """For each step, where its sound edges lead."""
        return {
            name: [edge.target for index, edge in self.outgoing[name] if not (forward and index in self.back)]
            for name in names
        }

    def forward_incoming(self, name: str) -> list[tuple[int, Edge]]:
        """Sound edges into a step that are no back edges."""
        return [(index, edge) for index, edge in self.incoming[name] if index not in self.back]

    def ends(self, name: str) -> bool:
        """Whether a token that succeeds at a step may end there."""
        return bool(self.graph.nodes[name].terminal) or not any(
            edge.on is Outcome.SUCCESS for _, edge in self.outgoing[name]
        )

    def enclosing(self, scope: str) -> Iterator[tuple[str, Node]]:
        """The groups around the steps of a scope, from the inside outwards; stops where the nesting is broken."""
        seen: set[str] = set()
        while scope and scope in self.graph.nodes and scope not in seen:
            seen.add(scope)
            node = self.graph.nodes[scope]
            yield scope, node
            scope = node.scope


def is_group(node: Node) -> bool:
    """Whether a node may hold steps of its own."""
    return isinstance(node.kind, GroupNode | ForEachNode)
