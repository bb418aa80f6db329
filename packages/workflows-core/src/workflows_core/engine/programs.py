"""Graphs that run and the code that belongs to them, each looked up once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from packaging.version import Version

from workflows_core.authoring.code import AuthorFunction
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.definition import WorkflowDefinition
from workflows_core.authoring.registry import WorkflowRegistry
from workflows_core.domain.graph import WorkflowGraph
from workflows_core.domain.program import Program
from workflows_core.domain.state import InstanceState
from workflows_core.domain.transition import WorkItem, WorkKind
from workflows_core.engine.injection import NOTHING_WANTED, StepNeeds, needs_of
from workflows_core.errors import DefinitionNotFoundError, InvalidDefinitionError
from workflows_core.ports.codec import PayloadCodec
from workflows_core.ports.conditions import ConditionEvaluator
from workflows_core.ports.injection import StepInjector
from workflows_core.ports.queries import WorkflowQueries
from workflows_core.ports.store import WorkflowStore, code_key

__all__ = ["LoadedProgram", "Programs"]

_RUNS_STEP: Final = frozenset({WorkKind.RUN, WorkKind.PREPARE, WorkKind.UNDO})
_LEAVES_STEP: Final = frozenset({WorkKind.RUN, WorkKind.ROUTE})


class LoadedProgram:
    """A graph made ready to run, with the code that this process has for it.

    Attributes:
        program: What the kernel runs.
        definition: The registered definition of the same name and version; None in a process that lacks the code.
        conditions: Computed conditions by index of the edge in *this* graph, whatever index they have in the definition's.
        computed_steps: Steps that have an edge with a computed condition.
        needs: What the code of steps wants beside its context, by step; only of those that want something.
    """

    __slots__ = ("computed_steps", "conditions", "definition", "needs", "program")

    def __init__(
        self, program: Program, definition: WorkflowDefinition | None, injector: StepInjector | None = None
    ) -> None:
        self.program = program
        self.definition = definition
        self.computed_steps = frozenset(edge.source for edge in program.graph.edges if edge.computed)
        self.conditions: Mapping[int, Callable[[Any], Any]] = {}
        self.needs: Mapping[str, StepNeeds] = {}
        if definition is not None:
            self.conditions = _by_place(definition, program.graph)
            self.needs = self._needs_by_step(definition, injector)

    def dependencies_of(self, step: str, context: WorkflowContext) -> AbstractAsyncContextManager[object]:
        """A scope for the code of a step that is called with a context: what it wants is given to it, and closed with the scope."""
        needs = self.needs.get(step)
        return NOTHING_WANTED if needs is None else needs.given_to(context)

    def refuse_unprovided(self) -> None:
        """Refuse code that could never get what it wants.

        Raises:
            InvalidDefinitionError: There is such code; lists all that nothing provides.
        """
        problems = [problem for needs in self.needs.values() for problem in needs.problems]
        if problems:
            raise InvalidDefinitionError(self.program.graph.name, problems)

    def can_run(self, item: WorkItem) -> bool:
        """Whether this process has the code that a work item asks for."""
        if self.definition is None:
            return False
        if item.kind in _RUNS_STEP and item.step not in self.definition.code:
            return False
        if item.kind not in _LEAVES_STEP or item.step not in self.computed_steps:
            return True
        edges = enumerate(self.program.graph.edges)
        return all(index in self.conditions for index, edge in edges if edge.computed and edge.source == item.step)

    def _needs_by_step(self, definition: WorkflowDefinition, injector: StepInjector | None) -> dict[str, StepNeeds]:
        written = {step: list(code.functions()) for step, code in definition.code.items()}
        for index, condition in self.conditions.items():
            edge = self.program.graph.edges[index]
            function = AuthorFunction(f"the condition for {edge.target!r}", condition)
            written.setdefault(edge.source, []).append(function)
        needs = {
            step: needs_of(definition.name, f"step {step!r}", functions, injector)
            for step, functions in written.items()
        }
        return {step: found for step, found in needs.items() if found is not None}


def _places(graph: WorkflowGraph) -> dict[int, tuple[str, str, int]]:
    """The place of each edge: source, target, and its number among the edges between these two."""
    seen: Counter[tuple[str, str]] = Counter()
    places: dict[int, tuple[str, str, int]] = {}
    for index, edge in enumerate(graph.edges):
        ends = (edge.source, edge.target)
        places[index] = (*ends, seen[ends])
        seen[ends] += 1
    return places


def _by_place(definition: WorkflowDefinition, graph: WorkflowGraph) -> Mapping[int, Callable[[Any], Any]]:
    if definition.graph.hash == graph.hash:
        return definition.conditions
    own = _places(definition.graph)
    known = {own[index]: condition for index, condition in definition.conditions.items()}
    return {index: known[place] for index, place in _places(graph).items() if place in known}


class Programs:
    """Finds the program of an instance and the definition for a start."""

    def __init__(
        self,
        registry: WorkflowRegistry,
        store: WorkflowStore,
        queries: WorkflowQueries,
        codec: PayloadCodec,
        conditions: ConditionEvaluator,
        injector: StepInjector | None = None,
    ) -> None:
        self._registry = registry
        self._store = store
        self._queries = queries
        self._codec = codec
        self._conditions = conditions
        self._injector = injector
        self._loaded: dict[str, LoadedProgram] = {}
        self._published: set[str] = set()

    def within(self, store: WorkflowStore, queries: WorkflowQueries) -> Programs:
        """The same programs over the inside of a transaction, which knows what was published before and keeps nothing to itself."""
        inside = Programs(self._registry, store, queries, self._codec, self._conditions, self._injector)
        inside._loaded = (
            self._loaded
        )  # graphs go by their content, so it does not matter whether the transaction is committed
        inside._published = set(self._published)
        return inside

    def codes(self) -> frozenset[str]:
        """Names of the workflows whose code this process has."""
        return frozenset(
            code_key(definition.name, definition.version)
            for definition in self._registry.list_definitions(active_only=False)
        )

    async def of(self, state: InstanceState) -> LoadedProgram:
        """The program that an instance runs."""
        loaded = self._loaded.get(state.graph_hash)
        if loaded is None or (
            loaded.definition is None and self._registry.has_definition(state.workflow, state.version)
        ):
            loaded = self._loaded[state.graph_hash] = await self._load(state)
        return loaded

    async def graph(self, graph_hash: str, name: str, version: str) -> WorkflowGraph:
        """The graph with a hash.

        Raises:
            DefinitionNotFoundError: It is not stored.
        """
        if graph_hash in self._loaded:
            return self._loaded[graph_hash].program.graph
        graph = await self._store.graph(graph_hash)
        if graph is None:
            raise DefinitionNotFoundError(name, version)
        return graph

    async def known(self, name: str | None) -> list[WorkflowGraph]:
        """Registered and stored graphs; of one name and version the registered one, else the newest stored."""
        found: dict[tuple[str, str], WorkflowGraph] = {
            (record.graph.name, record.graph.version): record.graph
            for record in await self._queries.list_definitions(name=name)
        }
        for definition in self._registry.list_definitions(active_only=False):
            if name is None or definition.name == name:
                found[definition.name, definition.version] = definition.graph
        return sorted(found.values(), key=lambda graph: (graph.name, Version(graph.version)))

    async def for_start(self, name: str, version: str | None) -> LoadedProgram:
        """The program for a new instance: of the registered definition, else of the newest stored one of that name.

        Raises:
            DefinitionNotFoundError: Neither is known.
        """
        try:
            graph = self._registry.get_definition(name, version).graph
        except DefinitionNotFoundError:
            stored = await self.known(name)
            matching = [found for found in stored if version is None or found.version == version]
            if not matching:
                raise
            graph = matching[-1]
        return await self.publish(graph)

    async def publish(self, graph: WorkflowGraph) -> LoadedProgram:
        """Keep a graph in the store, once per process, and make it ready to run.

        Raises:
            InvalidDefinitionError: Its code wants what nothing provides.
        """
        graph_hash = graph.hash
        loaded = self._loaded.get(graph_hash)
        if loaded is None:
            loaded = self._loaded[graph_hash] = self._compile(graph)
        if graph_hash not in self._published:
            loaded.refuse_unprovided()
            await self._store.publish([graph])
            self._published.add(graph_hash)
        return loaded

    async def _load(self, state: InstanceState) -> LoadedProgram:
        return self._compile(await self.graph(state.graph_hash, state.workflow, state.version))

    def _compile(self, graph: WorkflowGraph) -> LoadedProgram:
        program = Program(
            graph,
            compile_condition=self._conditions.compile,
            encode=self._codec.encode,
            decode=self._codec.decode,
        )
        definition: WorkflowDefinition | None = None
        if self._registry.has_definition(graph.name, graph.version):
            definition = self._registry.get_definition(graph.name, graph.version)
        return LoadedProgram(program, definition, self._injector)
