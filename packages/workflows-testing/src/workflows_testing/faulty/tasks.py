"""Faults of queries for tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from workflows_core.adapters.memory import InMemoryWorkflowQueries, InMemoryWorkflowStore, MemoryState
from workflows_core.domain.types import TaskStatus
from workflows_core.ports.queries import Page, PageRequest, TaskFilter, TaskRecord
from workflows_core.ports.store import Write, WriteResult
from workflows_testing.conformance.queries_task_lists import TaskListRules
from workflows_testing.conformance.queries_tasks import TaskRules
from workflows_testing.faulty.fault import ChangesWrites, Fault, with_queries, with_store
from workflows_testing.faulty.paging import PAGING, Build, ChangesLists
from workflows_testing.faulty.rewriting import with_transition

__all__ = ["FAULTS"]


class ChangesTasks(InMemoryWorkflowQueries):
    """Tells something else of a task."""

    def __init__(self, memory: MemoryState, change: Callable[[TaskRecord], TaskRecord]) -> None:
        super().__init__(memory)
        self._change = change

    async def get_task(self, task_id: UUID, *, tenant: str | None = None) -> TaskRecord | None:
        task = await super().get_task(task_id, tenant=tenant)
        return None if task is None else self._change(task)


class FindsTasksOfAnyTenant(InMemoryWorkflowQueries):
    async def get_task(self, task_id: UUID, *, tenant: str | None = None) -> TaskRecord | None:
        return await super().get_task(task_id)


class FindsTasksWithoutATenant(InMemoryWorkflowQueries):
    async def get_task(self, task_id: UUID, *, tenant: str | None = None) -> TaskRecord | None:
        return await super().get_task(task_id) if tenant is None else None


class StumblesOverUnknownTasks(InMemoryWorkflowQueries):
    async def get_task(self, task_id: UUID, *, tenant: str | None = None) -> TaskRecord | None:
        _ = self._memory.tasks[task_id]
        return await super().get_task(task_id, tenant=tenant)


class ListsWithoutDueDatesFirst(InMemoryWorkflowQueries):
    """Lists tasks without a due date as databases do by themselves: in one direction first."""

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        found = await super().list_tasks(where, page)
        if where.order_by != "due_at" or not where.descending:
            return found
        return replace(found, items=tuple(sorted(found.items, key=lambda task: task.due_at is not None)))


class ListsForUsers(InMemoryWorkflowQueries):
    """Decides otherwise who may do a task."""

    def __init__(self, memory: MemoryState, may_do: Callable[[TaskRecord, TaskFilter], bool]) -> None:
        super().__init__(memory)
        self._may_do = may_do

    async def list_tasks(self, where: TaskFilter, page: PageRequest) -> Page[TaskRecord]:
        if where.user_id is None:
            return await super().list_tasks(where, page)
        found = await super().list_tasks(replace(where, user_id=None), page)
        return replace(found, items=tuple(task for task in found.items if self._may_do(task, where)))


class ChangesAllTasks(InMemoryWorkflowStore):
    """A change of one task changes all tasks of its instance."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        changed = []
        for write in writes:
            instance = write.transition.state.id
            ids = [task.id for task in self.memory.tasks.values() if task.instance_id == instance]
            tasks = tuple(replace(change, id=task_id) for change in write.transition.tasks for task_id in ids)
            changed.append(with_transition(write, tasks=tasks))
        return await super().commit(changed)


class OneTaskForEachStep(InMemoryWorkflowStore):
    """Opening a task replaces an earlier one of the step."""

    async def commit(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        for write in writes:
            instance, steps = write.transition.state.id, {opening.step_name for opening in write.transition.opened}
            for task in list(self.memory.tasks.values()):
                if task.instance_id == instance and task.opening.step_name in steps:
                    del self.memory.tasks[task.id]
        return await super().commit(writes)


def _is_candidate(task: TaskRecord, where: TaskFilter) -> bool:
    return where.user_id in task.opening.candidate_users or bool(
        where.groups.intersection(task.opening.candidate_groups)
    )


def _open_to_all(task: TaskRecord) -> bool:
    return task.assignee_id is None and not task.opening.candidate_users and not task.opening.candidate_groups


def _even_if_assigned(task: TaskRecord, where: TaskFilter) -> bool:
    return task.assignee_id == where.user_id or _is_candidate(task, where) or _open_to_all(task)


def _by_first_assignee(task: TaskRecord, where: TaskFilter) -> bool:
    return task.opening.assignee_id == where.user_id


def _assigned_only(task: TaskRecord, where: TaskFilter) -> bool:
    return task.assignee_id == where.user_id


def _by_part_of_the_name(task: TaskRecord, where: TaskFilter) -> bool:
    if task.assignee_id is not None:
        return where.user_id is not None and where.user_id in task.assignee_id
    names = ",".join((*task.opening.candidate_users, *task.opening.candidate_groups))
    wanted = {where.user_id or "", *where.groups}
    return any(name in names for name in wanted)


def _users_and_groups_alike(task: TaskRecord, where: TaskFilter) -> bool:
    names = {*task.opening.candidate_users, *task.opening.candidate_groups}
    return bool(names & {where.user_id, *where.groups})


def _anything_unassigned(task: TaskRecord, where: TaskFilter) -> bool:
    return task.assignee_id in (None, where.user_id)


def _anything(_task: TaskRecord, _where: TaskFilter) -> bool:
    return True


def _filters(change: Callable[[TaskFilter], TaskFilter]) -> Callable[[MemoryState], ChangesLists]:
    return lambda memory: ChangesLists(memory, tasks=change)


def _ignoring(field: str, value: Any = None) -> Callable[[MemoryState], ChangesLists]:
    return _filters(lambda where: replace(where, **{field: value}))


def _due_later(where: TaskFilter) -> TaskFilter:
    later = None if where.due_before is None else where.due_before + timedelta(microseconds=1)
    return replace(where, due_before=later)


def _first_status(where: TaskFilter) -> TaskFilter:
    return replace(where, statuses=where.statuses and where.statuses[:1])


def _task(**changes: Any) -> Callable[[MemoryState], ChangesTasks]:
    return partial(ChangesTasks, change=lambda task: replace(task, **changes))


def _without_options(task: TaskRecord) -> TaskRecord:
    return replace(task, opening=replace(task.opening, form_schema=None, candidate_groups=()))


def _current_assignee_in_opening(task: TaskRecord) -> TaskRecord:
    return replace(task, opening=replace(task.opening, assignee_id=task.assignee_id))


def _without_moments(_memory: MemoryState, write: Write) -> Write:
    opened = tuple(replace(opening, due_at=None, reminder_at=None) for opening in write.transition.opened)
    return with_transition(write, opened=opened)


def _always_dated(_memory: MemoryState, write: Write) -> Write:
    opened = tuple(replace(opening, due_s=opening.due_s or 0.0) for opening in write.transition.opened)
    return with_transition(write, opened=opened)


def _nothing_changes(_memory: MemoryState, write: Write) -> Write:
    return with_transition(write, tasks=())


def _empty_fields(_memory: MemoryState, write: Write) -> Write:
    tasks = tuple(
        replace(change, comment=change.comment or "", assignee_id=change.assignee_id or "nobody")
        for change in write.transition.tasks
    )
    return with_transition(write, tasks=tasks)


def _completed_when_changed(_memory: MemoryState, write: Write) -> Write:
    tasks = tuple(replace(change, status=change.status or TaskStatus.COMPLETED) for change in write.transition.tasks)
    return with_transition(write, tasks=tasks)


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00Z")

_QUERIES: Final[tuple[tuple[Build, str], ...]] = (
    (_task(completed_at=None), "does not tell when a task was completed"),
    (_task(completed_by=None), "does not tell who completed a task"),
    (_task(created_at=_EPOCH), "tells another time of opening"),
    (partial(ChangesTasks, change=_without_options), "forgets what was asked"),
    (partial(ChangesTasks, change=_current_assignee_in_opening), "changes what was asked"),
    (FindsTasksOfAnyTenant, "finds a task for any tenant"),
    (FindsTasksWithoutATenant, "finds no task for a tenant"),
    (partial(ListsForUsers, may_do=_even_if_assigned), "shows candidates what is assigned"),
    (partial(ListsForUsers, may_do=_by_first_assignee), "goes by the first assignee"),
    (partial(ListsForUsers, may_do=_assigned_only), "shows what is assigned only"),
    (partial(ListsForUsers, may_do=_by_part_of_the_name), "compares parts of names"),
    (partial(ListsForUsers, may_do=_users_and_groups_alike), "takes users for groups"),
    (partial(ListsForUsers, may_do=_anything_unassigned), "shows everybody what is not assigned"),
    (partial(ListsForUsers, may_do=_anything), "shows everybody everything"),
    (_ignoring("statuses"), "lists tasks of all statuses"),
    (_ignoring("assignee_id"), "lists tasks of all assignees"),
    (_ignoring("workflow_name"), "lists tasks of all workflows"),
    (_ignoring("instance_id"), "lists tasks of all instances"),
    (_ignoring("step_name"), "lists tasks of all steps"),
    (_ignoring("due_before"), "lists tasks whenever they are due"),
    (_filters(_due_later), "lists tasks that are due at the moment"),
    (_filters(_first_status), "looks for tasks of one status of several"),
    (_ignoring("tenant"), "lists tasks of all tenants"),
)

_LISTS: Final[tuple[tuple[Build, str], ...]] = (
    (ListsWithoutDueDatesFirst, "lists tasks without a due date first"),
    (_ignoring("order_by", value="created_at"), "always lists tasks by their opening"),
    (_ignoring("descending", value=False), "always lists tasks in one direction"),
    *PAGING,
)

FAULTS: Final[tuple[Fault, ...]] = (
    *(with_queries(build, name, TaskRules) for build, name in _QUERIES),
    *(with_queries(build, name, TaskListRules) for build, name in _LISTS),
    *(
        with_store(partial(ChangesWrites, change=change), name, TaskRules)
        for change, name in (
            (_without_moments, "ignores the moments of a task"),
            (_always_dated, "dates every task"),
            (_nothing_changes, "never changes a task"),
            (_empty_fields, "clears what a change does not name"),
            (_completed_when_changed, "completes every task that changes"),
        )
    ),
    with_queries(StumblesOverUnknownTasks, "cannot look for an unknown task", TaskRules, crashes=True),
    with_store(ChangesAllTasks, "changes all tasks of an instance", TaskRules),
    with_store(OneTaskForEachStep, "keeps one task for each step", TaskRules),
)
