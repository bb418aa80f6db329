"""Faults that lists of instances and of tasks have in common: limits, offsets, cursors, totals and order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries, MemoryState
from workflows_core.errors import InvalidCursorError
from workflows_core.ports.cursors import encode_cursor, instance_order, task_order
from workflows_core.ports.queries import (
    InstanceFilter,
    InstanceRecord,
    Page,
    PageRequest,
    TaskFilter,
    TaskRecord,
)

__all__ = [
    "PAGING",
    "Build",
    "ChangesLists",
    "CountsTheRest",
    "CursorsAreOffsets",
    "EndsWithACursor",
    "ForgetsInvalidCursors",
    "LosesOrderOfEquals",
    "SkipsEquals",
]

R = TypeVar("R", InstanceRecord, TaskRecord)
Build: TypeAlias = Callable[[MemoryState], InMemoryWorkflowQueries]
"""Makes broken queries."""


class ChangesLists(InMemoryWorkflowQueries):
    """Answers another question than was asked."""

    def __init__(
        self,
        memory: MemoryState,
        *,
        page: Callable[[PageRequest], PageRequest] = lambda page: page,
        instances: Callable[[InstanceFilter], InstanceFilter] = lambda where: where,
        tasks: Callable[[TaskFilter], TaskFilter] = lambda where: where,
        result: Callable[[Page[Any]], Page[Any]] = lambda page: page,
    ) -> None:
        """Wire it.

        Args:
            memory: What it reads.
            page: Makes the page that is answered.
            instances: Makes the filter that is answered.
            tasks: The same for tasks.
            result: Makes the answer.
        """
        super().__init__(memory)
        self._page, self._instances, self._tasks, self._result = page, instances, tasks, result

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        return self._result(await super().list_instances(self._instances(where), self._page(page)))

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        return self._result(await super().list_tasks(self._tasks(where), self._page(page)))


class CursorsAreOffsets(InMemoryWorkflowQueries):
    """A cursor says how many items were shown."""

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        order, shown = instance_order(where), _offset(page)
        found = await super().list_instances(where, replace(page, cursor=None, offset=shown))
        return _with_offset(found, order, shown)

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        order, shown = task_order(where), _offset(page)
        found = await super().list_tasks(where, replace(page, cursor=None, offset=shown))
        return _with_offset(found, order, shown)


def _offset(page: PageRequest) -> int:
    if page.cursor is None:
        return page.offset
    try:
        return int(page.cursor.rpartition(":")[2])
    except ValueError as error:
        raise InvalidCursorError(page.cursor) from error


def _with_offset(found: Page[R], order: str, shown: int) -> Page[R]:
    following = f"{order}:{shown + len(found.items)}"
    return replace(found, next_cursor=None if found.next_cursor is None else following)


class SkipsEquals(InMemoryWorkflowQueries):
    """A cursor continues after all items with the sort key of the last one."""

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        found = await super().list_instances(where, page)
        following = await super().list_instances(where, replace(page, limit=1000))
        if found.next_cursor is None:
            return found
        last = found.items[-1]
        equal = [item for item in following.items if getattr(item, where.order_by) == getattr(last, where.order_by)]
        key = getattr(last, where.order_by)
        cursor = encode_cursor(instance_order(where), key, equal[-1].id)
        return replace(found, next_cursor=cursor if equal[-1] is not following.items[-1] else None)


class LosesOrderOfEquals(InMemoryWorkflowQueries):
    """Lists items of one sort key by identity, whatever the direction."""

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        found = await super().list_instances(where, page)
        items = sorted(found.items, key=lambda item: item.id)
        items.sort(key=lambda item: getattr(item, where.order_by), reverse=where.descending)
        return replace(found, items=tuple(items))

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        found = await super().list_tasks(where, page)
        if where.order_by != "created_at":
            return found
        items = sorted(found.items, key=lambda item: item.id)
        items.sort(key=lambda item: item.created_at, reverse=where.descending)
        return replace(found, items=tuple(items))


class EndsWithACursor(InMemoryWorkflowQueries):
    """A full page always has a cursor."""

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        found = await super().list_instances(where, page)
        if len(found.items) < page.limit:
            return found
        last = found.items[-1]
        return replace(found, next_cursor=encode_cursor(instance_order(where), getattr(last, where.order_by), last.id))

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        found = await super().list_tasks(where, page)
        if len(found.items) < page.limit or where.order_by != "created_at":
            return found
        last = found.items[-1]
        return replace(found, next_cursor=encode_cursor(task_order(where), last.created_at, last.id))


class CountsTheRest(InMemoryWorkflowQueries):
    """Counts what is shown and what follows."""

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        found = await super().list_instances(where, page)
        rest = await super().list_instances(where, replace(page, limit=1000))
        return replace(found, total=len(rest.items) if page.with_total else None)

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        found = await super().list_tasks(where, page)
        return replace(found, total=len(found.items) if page.with_total else None)


class ForgetsInvalidCursors(InMemoryWorkflowQueries):
    """Begins at the first page when it does not understand a cursor."""

    async def list_instances(self, where: InstanceFilter, page: PageRequest) -> Page[InstanceRecord]:
        try:
            return await super().list_instances(where, page)
        except InvalidCursorError:
            return await super().list_instances(where, replace(page, cursor=None))

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        try:
            return await super().list_tasks(where, page)
        except InvalidCursorError:
            return await super().list_tasks(where, replace(page, cursor=None))


def _pages(change: Callable[[PageRequest], PageRequest]) -> Callable[[MemoryState], ChangesLists]:
    return lambda memory: ChangesLists(memory, page=change)


def _results(change: Callable[[Page[Any]], Page[Any]]) -> Callable[[MemoryState], ChangesLists]:
    return lambda memory: ChangesLists(memory, result=change)


PAGING: Final[tuple[tuple[Build, str], ...]] = (
    (_pages(lambda page: replace(page, limit=1000)), "ignores the limit of a page"),
    (_pages(lambda page: replace(page, cursor=None)), "ignores cursors"),
    (_pages(lambda page: replace(page, offset=0)), "ignores offsets"),
    (_pages(lambda page: replace(page, cursor=None) if page.offset else page), "lets an offset win over a cursor"),
    (_pages(lambda page: replace(page, with_total=True)), "always counts"),
    (_pages(lambda page: replace(page, with_total=False)), "never counts"),
    (_results(lambda page: replace(page, items=page.items[::-1])), "lists last first"),
    (_results(lambda page: replace(page, items=page.items[1:])), "leaves out the first"),
    (_results(lambda page: replace(page, next_cursor=None)), "gives no cursors"),
    (CursorsAreOffsets, "counts rows in a cursor"),
    (LosesOrderOfEquals, "lists equal items by identity, whatever the direction"),
    (EndsWithACursor, "gives a cursor at the end"),
    (CountsTheRest, "counts a part of the list"),
    (ForgetsInvalidCursors, "takes any cursor"),
)
"""Each with its name."""
