"""What the processes of Celery's worker do, beyond the rules for all executors."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from redis import Redis
from tests.conformance.executors.celery_app import ANSWER_VARIABLE, BACKEND_VARIABLE, BLOCKING, make_app
from tests.conformance.executors.door import door_before
from tests.conformance.executors.site import DATABASE_VARIABLE
from tests.conformance.executors.test_celery import WithCelery, WithSolo, WithThreads

from workflows_testing.conformance.deployment_site import DeploymentContract
from workflows_testing.deployments import WorkerOptions
from workflows_testing.servers import RedisServer

AWAY = "workflows do not run in this process yet"
UP = "runs in this process"
UP_S = 4.0
"""Celery kills a process of the pool that is not up so many seconds after its start."""


class TestAStoreThatIsAway(DeploymentContract):
    @pytest.mark.parametrize(("kind", "processes"), [(WithCelery, 2), (WithThreads, 1), (WithSolo, 1)])
    async def test_a_worker_that_starts_while_the_store_is_away_works_when_it_is_back(
        self, kind: type[WithCelery], processes: int, postgres_url: str, tmp_path: Path, broker_server: RedisServer
    ) -> None:
        deployment = kind(postgres_url, tmp_path, broker_server)
        async with door_before(postgres_url) as door, self.site(deployment) as site:
            deployment.environment[DATABASE_VARIABLE] = door.url
            worker = await site.worker()
            await site.until("the notice", lambda: worker.log.count(AWAY) == processes)
            early = await site.start_many(4, "single")
            await asyncio.sleep(1.0)  # it has tried again meanwhile
            await door.open()
            await site.completed(*early)
            await site.until("all processes", lambda: worker.log.count(UP) == processes)
            assert worker.log.count(AWAY) == processes, "it is told once"
            assert await worker.stop() == 0, site.logs()

    @pytest.mark.parametrize("kind", [WithCelery, WithThreads])
    async def test_a_worker_outlasts_a_store_that_does_not_answer_and_ends_at_once(
        self, kind: type[WithCelery], postgres_url: str, tmp_path: Path, broker_server: RedisServer
    ) -> None:
        deployment = kind(postgres_url, tmp_path, broker_server)
        async with door_before(postgres_url) as door, self.site(deployment) as site:
            door.keep_waiting()
            deployment.environment[DATABASE_VARIABLE] = door.url
            worker = await site.worker()
            await site.until("Celery", lambda: "ready." in worker.log)
            await site.start_many(
                2, "single"
            )  # one for each process: none is on its way to one when the worker is told to end
            await asyncio.sleep(UP_S + 1.0)
            assert "Timed out waiting for UP" not in worker.log
            at = time.monotonic()
            assert await worker.stop() == 0, site.logs()
            assert time.monotonic() - at < UP_S, "it waits for the store"


class TestAStepThatBlocks(DeploymentContract):
    async def test_no_time_limit_ends_the_process_of_a_step_that_blocks_the_event_loop(
        self, postgres_url: str, tmp_path: Path, broker_server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workflows_celery.executor._SOFT_TIME_LIMIT_S", 2)
        monkeypatch.setattr("workflows_celery.executor._TIME_LIMIT_S", 3)
        deployment = WithCelery(postgres_url, tmp_path, broker_server)
        deployment.environment[ANSWER_VARIABLE] = "0.5"
        async with self.site(deployment) as site:
            site.engine.registry.register(BLOCKING)
            worker = await site.worker()
            await site.until("Celery", lambda: "ready." in worker.log)
            instance = await site.start("blocking", takes_s=6.0)
            await site.begun(instance)
            await site.start_many(8, "single")  # some of these hints meet the process that is blocked
            await site.until("a hint that is given up", lambda: "a step blocks it" in worker.log)
            await site.completed(instance)
            assert [effect.phase for effect in site.effects_of(instance)] == ["begin", "end"], site.logs()


class TestAnOrdinaryApplication(DeploymentContract):
    async def test_hints_leave_nothing_in_its_result_backend(
        self, postgres_url: str, tmp_path: Path, broker_server: RedisServer
    ) -> None:
        backend = broker_server.database_url(1)
        deployment = WithCelery(postgres_url, tmp_path, broker_server)
        deployment.environment[BACKEND_VARIABLE] = backend
        async with self.site(deployment) as site:
            await site.worker()
            await site.completed(*await site.start_many(5, "fork"))
            with make_app(broker_server.url) as app, Redis.from_url(backend) as results:
                app.conf.result_backend = backend
                sent = app.send_task("tests.conformance.executors.celery_app.add", (2, 3))
                assert await asyncio.to_thread(sent.get, timeout=self.patience_s) == 5
                assert results.keys() == [f"celery-task-meta-{sent.id}".encode()], "only its own tasks have results"

    async def test_each_process_of_the_pool_makes_one_engine_and_the_main_process_none(
        self, postgres_url: str, tmp_path: Path, broker_server: RedisServer
    ) -> None:
        deployment = WithCelery(postgres_url, tmp_path, broker_server)
        async with self.site(deployment) as site:
            worker = await deployment.start_worker(WorkerOptions())
            site.workers.append(worker)
            await site.until("all processes", lambda: worker.log.count(UP) == 2)
            await site.completed(*await site.start_many(10, "fork"))
            makers = re.findall(r"an engine is made in process (\d+)", worker.log)
            assert len(makers) == len(set(makers)) == 2
            assert str(worker.pid) not in makers
