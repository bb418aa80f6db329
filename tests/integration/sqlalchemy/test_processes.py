"""Several processes on one SQLite file: nobody sees "database is locked", nothing is lost and nothing is done twice."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter

from workflows_core.domain.types import WorkflowStatus
from workflows_core.ports.queries import InstanceFilter
from workflows_sqlalchemy import create_store
from workflows_testing.builders import a_graph, an_instance

INSTANCES = 60
PROCESSES = 3

WORKER = textwrap.dedent(
    """
    import asyncio, os, sys
    from workflows_core.ports.store import ClaimRequest, Committed, Held
    from workflows_sqlalchemy import create_store
    from workflows_testing.builders import a_graph, an_instance, a_program

    STEPS = ("first", "second", "third")

    async def main(url):
        store = create_store(url).store
        program = a_program(a_graph(*STEPS))
        worker, idle = f"worker-{os.getpid()}", 0
        while idle < 10:
            claims = await store.claim(ClaimRequest(worker=worker, limit=3, lease_s=30))
            idle = 0 if claims else idle + 1
            if not claims:
                await asyncio.sleep(0.02)
            for claim in claims:
                run = an_instance(program.graph)
                run.state, held = claim.state, Held(claim.item.number, claim.fence, worker)
                for step, following in zip(STEPS, (*STEPS[1:], None)):
                    write = run.complete(step, changes={step: worker}, held=held, take=following)
                    (result,) = await store.commit([write])
                    assert isinstance(result, Committed), result
                    print(claim.state.id, step)
                    if following:
                        held = Held(write.take[0], result.fences[write.take[0]], worker)
        await store.close()

    asyncio.run(main(sys.argv[1]))
    """
)


async def test_processes_share_the_work_of_one_file(sqlite_url: str) -> None:
    store, queries = create_store(sqlite_url)
    for _ in range(INSTANCES // 2):
        await store.commit([an_instance(a_graph()).start()])
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, sqlite_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for _ in range(INSTANCES // 2):
        await store.commit([an_instance(a_graph()).start()])
    ended = await asyncio.gather(*(asyncio.to_thread(worker.communicate) for worker in workers))
    assert [worker.returncode for worker in workers] == [0] * PROCESSES, ended
    assert await queries.count_instances(InstanceFilter()) == {WorkflowStatus.COMPLETED: INSTANCES}
    done = Counter(line for output, _ in ended for line in output.splitlines())
    assert len(done) == INSTANCES * 3
    assert set(done.values()) == {1}
    assert len([output for output, _ in ended if output]) > 1, "one process did everything"
    await store.close()


async def test_a_writer_waits_for_another_process_to_end_its_transaction(sqlite_url: str) -> None:
    store = create_store(sqlite_url).store
    other = sqlite3.connect(sqlite_url.partition("///")[2], isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    run = an_instance()
    commit = asyncio.create_task(store.commit([run.start()]))
    done, _ = await asyncio.wait([commit], timeout=0.1)
    assert not done
    assert await store.load(run.id) is None, "readers do not wait"
    other.execute("COMMIT")
    await commit
    assert await store.load(run.id) is not None
    other.close()
    await store.close()


async def test_a_commit_goes_on_when_its_caller_is_cancelled(sqlite_url: str) -> None:
    store = create_store(sqlite_url).store
    run = an_instance()
    commit = asyncio.create_task(store.commit([run.start()]))
    await asyncio.sleep(0)
    commit.cancel()
    await asyncio.gather(commit, return_exceptions=True)
    other = an_instance()
    await store.commit([other.start()])
    assert await store.load(run.id) is not None
    assert await store.load(other.id) is not None
    await store.close()
