"""Faults of graphs, tenants and the store itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowStore, MemoryState
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.errors import StoreUnavailableError
from workflows_core.ports.store import Loaded
from workflows_testing.conformance.store_graphs import GraphRules
from workflows_testing.faulty.fault import Fault, with_store

__all__ = ["FAULTS"]


class ForgetsGraphs(InMemoryWorkflowStore):
    async def graph(self, graph_hash: str) -> WorkflowGraph | None:
        return None


class InventsGraphs(InMemoryWorkflowStore):
    async def graph(self, graph_hash: str) -> WorkflowGraph | None:
        return await super().graph(graph_hash) or WorkflowGraph("", "", {}, (), "")


class SortsSteps(InMemoryWorkflowStore):
    async def graph(self, graph_hash: str) -> WorkflowGraph | None:
        found = await super().graph(graph_hash)
        return None if found is None else replace(found, nodes=dict(sorted(found.nodes.items())))


class PublishesTheFirst(InMemoryWorkflowStore):
    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        await super().publish(graphs[:1])


class PublishesAnew(InMemoryWorkflowStore):
    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        for graph in graphs:
            self.memory.graphs.pop(graph.hash, None)
        await super().publish(graphs)


class OneContentForEachVersion(InMemoryWorkflowStore):
    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        for graph in graphs:
            known = [other for other, _ in self.memory.graphs.values()]
            if (graph.name, graph.version) not in {(other.name, other.version) for other in known}:
                await super().publish([graph])


class KeepsCopies(InMemoryWorkflowStore):
    """Keeps a graph once for each time that it is published."""

    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        await super().publish(graphs)
        now = self.memory.clock.now()
        for graph in graphs:
            self.memory.graphs[f"{graph.hash} {len(self.memory.graphs)}"] = (graph, now)


class StumblesOverNoGraphs(InMemoryWorkflowStore):
    async def publish(self, graphs: Sequence[WorkflowGraph]) -> None:
        _ = graphs[0]
        await super().publish(graphs)


class AsksForAnotherTenant(InMemoryWorkflowStore):
    """Reads an instance for another tenant than was asked."""

    __slots__ = ("_change",)

    def __init__(self, memory: MemoryState, change: Callable[[str | None], str | None]) -> None:
        super().__init__(memory)
        self._change = change

    async def load(
        self, instance_id: UUID, *, tenant: str | None = None, scopes: Collection[int] = (), all_items: bool = False
    ) -> Loaded | None:
        return await super().load(instance_id, tenant=self._change(tenant), scopes=scopes, all_items=all_items)


class NeverPasses(InMemoryWorkflowStore):
    async def check(self) -> None:
        reason = "the schema is another one"
        raise StoreUnavailableError(reason)


class ClosesOnce(InMemoryWorkflowStore):
    __slots__ = ("_closed",)

    def __init__(self, memory: MemoryState) -> None:
        super().__init__(memory)
        self._closed = False

    async def close(self) -> None:
        if self._closed:
            msg = "already closed"
            raise RuntimeError(msg)
        self._closed = True


def _lower(tenant: str | None) -> str | None:
    return tenant.lower() if tenant is not None else None


FAULTS: Final[tuple[Fault, ...]] = (
    with_store(ForgetsGraphs, "loses graphs", GraphRules),
    with_store(InventsGraphs, "makes up graphs", GraphRules),
    with_store(SortsSteps, "sorts the steps of a graph", GraphRules),
    with_store(PublishesTheFirst, "publishes one graph of several", GraphRules),
    with_store(PublishesAnew, "overwrites what is kept already", GraphRules),
    with_store(OneContentForEachVersion, "keeps one content for each version", GraphRules),
    with_store(KeepsCopies, "keeps a graph several times", GraphRules),
    with_store(StumblesOverNoGraphs, "cannot publish nothing", GraphRules, crashes=True),
    *(
        with_store(partial(AsksForAnotherTenant, change=change), name, GraphRules)
        for change, name in (
            (lambda _tenant: None, "ignores the tenant of an instance"),
            (lambda tenant: tenant or None, "takes no tenant for all tenants"),
            (lambda tenant: tenant or "", "takes all tenants for no tenant"),
            (_lower, "ignores the case of a tenant"),
            (lambda tenant: tenant and f"{tenant} ", "finds nothing for a tenant"),
        )
    ),
    with_store(NeverPasses, "fails its own check", GraphRules, crashes=True),
    with_store(ClosesOnce, "cannot be closed twice", GraphRules, crashes=True),
)
