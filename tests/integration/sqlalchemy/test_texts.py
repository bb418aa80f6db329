"""Text that a database refuses (NUL on PostgreSQL, lone surrogates everywhere) stalls no instance."""

from __future__ import annotations

import msgspec

from workflows_core.domain.actor import Actor
from workflows_core.domain.graph import HumanNode
from workflows_core.domain.state import ErrorInfo
from workflows_core.domain.types import TaskStatus
from workflows_core.ports.queries import InstanceFilter, PageRequest, TaskFilter
from workflows_core.ports.store import ClaimRequest, Committed, StartKey
from workflows_sqlalchemy import StoreAndQueries
from workflows_testing.builders import a_graph, a_task_graph, an_instance, with_transition

ODD = "nul \x00 and lone \udcff"


async def test_a_task_with_odd_text_can_be_opened_found_and_completed(sides: StoreAndQueries) -> None:
    store, queries = sides
    run = an_instance(a_task_graph(HumanNode(title="Look")), actor=Actor(ODD))
    write = run.start()
    opening = msgspec.structs.replace(
        write.transition.opened[0], title=ODD, description=ODD, assignee_id=ODD, candidate_groups=(ODD,)
    )
    (result,) = await store.commit([with_transition(write, opened=(opening,))])
    assert isinstance(result, Committed)
    found = await queries.list_tasks(TaskFilter(assignee_id=ODD), PageRequest())
    assert [task.instance_id for task in found.items] == [run.id]
    assert len((await queries.list_tasks(TaskFilter(user_id=ODD), PageRequest())).items) == 1
    (result,) = await store.commit([run.complete_task("review", actor=ODD, comment=ODD)])
    assert isinstance(result, Committed)
    task = await queries.get_task(opening.id)
    assert task is not None
    assert task.status is TaskStatus.COMPLETED


async def test_an_instance_with_odd_text_can_be_started_claimed_failed_and_listed(sides: StoreAndQueries) -> None:
    store, queries = sides
    run = an_instance(a_graph(), actor=Actor(ODD, tenant=ODD))
    (result,) = await store.commit([run.start(start_key=StartKey(ODD, ODD))])
    assert isinstance(result, Committed)
    (claim,) = await store.claim(ClaimRequest(worker=ODD, limit=1, lease_s=30))
    assert await store.renew(ODD, 30) == {claim.lease}
    assert await store.load(run.id, tenant=ODD) is not None
    run.state = msgspec.structs.replace(run.state, error=ErrorInfo(ODD, ODD, ODD, ODD, (ODD,)))
    (result,) = await store.commit([run.fail("first", ODD)])
    assert isinstance(result, Committed)
    found = await queries.list_instances(InstanceFilter(tenant=ODD, created_by=ODD), PageRequest())
    assert [record.id for record in found.items] == [run.id]
    assert len(await queries.list_events(run.id)) > 0
    assert len(await queries.list_executions(run.id)) == 1
