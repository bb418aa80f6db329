"""What ARQ's queue gets to see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
from arq.connections import ArqRedis
from arq.jobs import JobDef
from redis.asyncio import ConnectionPool

from workflows_arq import ARQStepExecutor
from workflows_core.ports.executor import WorkRef


@pytest.fixture
async def observer(redis_url: str) -> AsyncGenerator[ArqRedis]:
    client = ArqRedis(ConnectionPool.from_url(redis_url))
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
async def pool(redis_url: str, redis_key_prefix: str) -> AsyncGenerator[ArqRedis]:
    """With fewer connections than there are hints at once."""
    connections = ConnectionPool.from_url(redis_url, max_connections=3)
    pool = ArqRedis(connections, default_queue_name=f"{redis_key_prefix}here")
    yield pool
    await pool.aclose(close_connection_pool=True)


def works(*numbers: int) -> list[WorkRef]:
    return [WorkRef(UUID(int=7), number) for number in numbers]


async def arrived(observer: ArqRedis, queue: str, number: int) -> list[JobDef]:
    """The jobs of a queue, when there are so many."""
    async with asyncio.timeout(10):
        while await observer.zcard(queue) < number:
            await asyncio.sleep(0.01)
    return await observer.queued_jobs(queue_name=queue)


async def test_a_job_names_queue_and_work_and_nothing_else(
    pool: ArqRedis, observer: ArqRedis, redis_key_prefix: str
) -> None:
    there = f"{redis_key_prefix}there"
    executor = ARQStepExecutor(pool, queues={"mail": there})
    [mail, video] = works(1, 2)
    await executor.publish([mail], queue="mail")
    await executor.publish([video], queue="video")
    for queue, sent_to, work in (("mail", there, mail), ("video", pool.default_queue_name, video)):
        [job] = await arrived(observer, sent_to, 1)
        assert (job.function, job.args, job.kwargs) == ("workflows.run", (), {"queue": queue, "work": str(work)})
        assert job.job_try is None
    await executor.close()


async def test_a_pool_with_few_connections_sends_each_hint_once(pool: ArqRedis, observer: ArqRedis) -> None:
    executor = ARQStepExecutor(pool)
    sent = works(*range(250))
    await executor.publish(sent, queue="default")
    found = await arrived(observer, pool.default_queue_name, len(sent))
    await executor.close()
    assert sorted(job.kwargs["work"] for job in found) == sorted(map(str, sent))
    assert await observer.zcard(pool.default_queue_name) == len(sent)
