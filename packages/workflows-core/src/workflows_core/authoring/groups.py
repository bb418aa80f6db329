"""Steps that hold steps. Each inner step is durable, retried and visible by itself; the group runs in a scope of its own.

A scope sees the data around it. What is written inside stays inside, unless `outputs`, `into` or a reducer carries it out.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from workflows_core.authoring.code import ContextFunction, ask, default_hook
from workflows_core.authoring.context import WorkflowContext
from workflows_core.authoring.naming import joined_name
from workflows_core.authoring.sources import as_step, step_name
from workflows_core.authoring.standalone import all_results, first_result, output_keys, publish
from workflows_core.authoring.step import AnyStep, StepAttributes, StepRunner
from workflows_core.domain.expressions import compile_expression
from workflows_core.domain.types import StepType

__all__ = ["ConditionalGroup", "ForEach", "ParallelGroup", "RaceGroup", "SequentialGroup", "StepGroup"]

Selector: TypeAlias = str | ContextFunction[Any]
Items: TypeAlias = str | ContextFunction[Iterable[Any]]


class StepGroup(StepAttributes, ABC):
    """A group of steps. Your own subclass runs as *one* machine step, whose `execute` also gets the engine.

    Attributes:
        outputs: Data keys that are copied out when the group succeeds: inner key to outer key, or just keys.
        into: Data key around the group that receives its result.
    """

    step_type = StepType.GROUP
    outputs: Mapping[str, str] | Sequence[str] = ()
    into: str | None = None

    _name_suffix = "Group"

    def __init__(
        self,
        *,
        outputs: Mapping[str, str] | Sequence[str] | None = None,
        into: str | None = None,
        **attributes: Any,
    ) -> None:
        """Set what was given; ``attributes`` are those of `StepAttributes`."""
        super().__init__(**attributes)
        self._assign(outputs=None if outputs is None else output_keys(outputs), into=into)

    @abstractmethod
    async def execute(self, context: WorkflowContext, engine: StepRunner, *args: Any, **kwargs: Any) -> Any:
        """Run the steps of the group at once, each by ``engine.execute_step``, and return the group's result."""

    @property
    def members(self) -> tuple[AnyStep, ...]:
        """The steps inside, as they were given."""
        return ()

    def _name_after(self, prefix: str) -> None:
        """Take a name made of the members' names, if no other was given."""
        if not self._has_name:
            self._derive_name(joined_name(prefix, map(step_name, self.members)))


class SequentialGroup(StepGroup):
    """Runs its steps one after the other; each gets the result of the one before as ``context.previous_result``.

    Its result is that of the last.
    """

    def __init__(self, *steps: AnyStep, **attributes: Any) -> None:
        """Set the steps; ``attributes`` are those of `StepGroup`."""
        super().__init__(**attributes)
        self.steps = steps
        self._name_after("sequential")

    @property
    def members(self) -> tuple[AnyStep, ...]:
        """The steps inside, in order."""
        return self.steps

    @default_hook
    async def execute(self, context: WorkflowContext, engine: StepRunner) -> Any:
        """Run the group by itself, without a store."""
        inner, result = context.inside(self.name), None
        for step in self.steps:
            result = await engine.execute_step(as_step(step), inner, previous_result=result)
        return publish(self, context, inner, result)


class ParallelGroup(StepGroup):
    """Runs its steps at the same time. Its result is the list of their results, in their order, or that of the callback.

    Attributes:
        steps: The steps.
        callback: Runs after all of them, with the list of their results as ``context.previous_result``.
    """

    def __init__(self, *steps: AnyStep, callback: AnyStep | None = None, **attributes: Any) -> None:
        """Set the steps; ``attributes`` are those of `StepGroup`."""
        super().__init__(**attributes)
        self.steps = steps
        self.callback = callback
        self._name_after("parallel")

    @property
    def members(self) -> tuple[AnyStep, ...]:
        """The steps inside, and the callback last."""
        return self.steps if self.callback is None else (*self.steps, self.callback)

    @default_hook
    async def execute(self, context: WorkflowContext, engine: StepRunner) -> Any:
        """Run the group by itself, without a store."""
        inner = context.inside(self.name)
        steps = [as_step(step) for step in self.steps]
        result: Any = await all_results([engine.execute_step(step, inner) for step in steps])
        if self.callback is not None:
            result = await engine.execute_step(as_step(self.callback), inner, previous_result=result)
        return publish(self, context, inner, result)


class ConditionalGroup(StepGroup):
    """Runs the one branch that its condition names; without a branch of that name the result is None.

    Attributes:
        condition: Expression over the data, or a callable of the context (``def`` or ``async def``), that gives the key of a branch.
        branches: Step or group by key; keys are compared as text, so ``True`` and ``"True"`` are the same.
    """

    def __init__(self, condition: Selector, branches: Mapping[Any, AnyStep], **attributes: Any) -> None:
        """Set condition and branches; ``attributes`` are those of `StepGroup`."""
        super().__init__(**attributes)
        self.condition = condition
        self.branches = {str(key): step for key, step in branches.items()}
        self._name_after("choice")

    @property
    def members(self) -> tuple[AnyStep, ...]:
        """The steps of the branches, in their order."""
        return tuple(self.branches.values())

    @default_hook
    async def execute(self, context: WorkflowContext, engine: StepRunner) -> Any:
        """Run the group by itself, without a store."""
        branch = self.branches.get(str(await self.choose(context)))
        if branch is None:
            return None
        inner = context.inside(self.name)
        return publish(self, context, inner, await engine.execute_step(as_step(branch), inner))

    async def choose(self, context: WorkflowContext) -> str | None:
        """The key of the branch to run; None for none."""
        key = await _evaluate(self.condition, context)
        return None if key is None else str(key)


class RaceGroup(StepGroup):
    """Starts its steps at the same time; the first to finish gives the result, and the others are cancelled."""

    def __init__(self, *steps: AnyStep, **attributes: Any) -> None:
        """Set the steps; ``attributes`` are those of `StepGroup`."""
        super().__init__(**attributes)
        self.steps = steps
        self._name_after("race")

    @property
    def members(self) -> tuple[AnyStep, ...]:
        """The steps inside, in order."""
        return self.steps

    @default_hook
    async def execute(self, context: WorkflowContext, engine: StepRunner) -> Any:
        """Run the group by itself, without a store."""
        inner = context.inside(self.name)
        steps = [as_step(step) for step in self.steps]
        result = await first_result([engine.execute_step(step, inner) for step in steps])
        return publish(self, context, inner, result)


class ForEach(StepGroup):
    """Runs a step or group once for each item of a collection, each time in a scope of its own.

    Its result is the list of the results, in the order of the items.

    Attributes:
        source: Expression over the data, or a callable of the context (``def`` or ``async def``), that gives the items.
        body: The step or group.
        item: Data key of the item, inside.
        index: Data key of its place, from 0, inside.
        concurrency: Most items that are active at once.
    """

    concurrency: int = 16

    def __init__(
        self,
        source: Items,
        body: AnyStep,
        *,
        item: str = "item",
        index: str = "index",
        concurrency: int = 16,
        into: str | None = None,
        **attributes: Any,
    ) -> None:
        """Set source and body; ``attributes`` are those of `StepAttributes`."""
        super().__init__(into=into, **attributes)
        self.source = source
        self.body = body
        self.item = item
        self.index = index
        self.concurrency = concurrency
        self._name_after("each")

    @property
    def members(self) -> tuple[AnyStep, ...]:
        """The body."""
        return (self.body,)

    @default_hook
    async def execute(self, context: WorkflowContext, engine: StepRunner) -> Any:
        """Run the group by itself, without a store."""
        body, slots = as_step(self.body), asyncio.Semaphore(max(self.concurrency, 1))

        async def run(index: int, item: Any) -> Any:
            async with slots:
                inner = context.inside(self.name)
                inner.data.update({self.item: item, self.index: index})
                return await engine.execute_step(body, inner)

        calls = [run(index, item) for index, item in enumerate(await self.items(context))]
        return publish(self, context, context, await all_results(calls))

    async def items(self, context: WorkflowContext) -> list[Any]:
        """The items, in order."""
        return list(await _evaluate(self.source, context) or ())


async def _evaluate(source: Selector, context: WorkflowContext) -> Any:
    if isinstance(source, str):
        return compile_expression(source).evaluate(context.data)
    return await ask(source, context)
