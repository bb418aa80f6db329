"""Instances that are made by SQL are as whole as those of the engine."""

from __future__ import annotations

import asyncpg
import pytest

from workflows_benchmarks.engines import open_engine
from workflows_benchmarks.finished_instances import multiply
from workflows_benchmarks.places import connect, open_place
from workflows_benchmarks.workloads import linear
from workflows_core import WorkflowStatus
from workflows_core.ports.queries import InstanceFilter, PageRequest

pytestmark = pytest.mark.usefixtures("server")

TABLES = ("workflow_instances", "workflow_step_executions", "workflow_events")


async def count(database: asyncpg.Connection) -> list[int]:
    return [await database.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]


async def test_a_copy_has_all_rows_of_the_original_and_none_is_stalled() -> None:
    definition = linear()
    async with open_place("postgresql") as place, place.database() as url, open_engine(url, definition) as opened:
        instance = await opened.engine.start_workflow(definition.name)
        await opened.engine.wait(instance.id, timeout=30)
        async with connect(url) as database:
            once = await count(database)
            await multiply(database, instance.id, 99)
            assert await count(database) == [rows * 100 for rows in once]

        found = await opened.engine.queries.list_instances(InstanceFilter(), PageRequest(limit=100))
        assert {record.status for record in found.items} == {WorkflowStatus.COMPLETED}
        assert not await opened.engine.queries.find_stalled()
        copied = await opened.engine.get_instance(found.items[-1].id)
        assert copied.status is WorkflowStatus.COMPLETED
        assert copied.id != instance.id
