"""G9: tenants do not meet."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import MEMORY, ON_POSTGRESQL, ON_SQLITE, Removal

__all__ = ["REMOVALS"]

NOWHERE: Final = "tests/integration/litestar/test_tenant_isolation.py::test_another_tenant_gets_nowhere"
IN_MEMORY: Final = "tests/conformance/test_memory_store.py::TestInMemoryWorkflowQueries::"
SQLITE: Final = "tests/conformance/test_sqlalchemy_store.py::TestQueriesOnSQLite::"
POSTGRESQL: Final = "tests/conformance/test_sqlalchemy_store.py::TestQueriesOnPostgreSQLThroughAsyncpg::"
LOADED: Final = "test_an_instance_is_not_loaded_for_another_tenant"
KEYS: Final = "test_a_start_key_is_unique_for_its_tenant_only"

REMOVALS: Final = (
    Removal(
        guarantee="G9",
        mechanism="an instance is loaded for its tenant",
        place="memory",
        module="workflows_core/adapters/memory/store.py",
        text="            if row is None or tenant not in (None, row.state.tenant):\n",
        instead="            if row is None:\n",
        fails=(f"{MEMORY}{LOADED}", f"{NOWHERE}[cancelWorkflowInstance-memory]"),
        says=r"assert Loaded\(|assert 200 == 404",
    ),
    Removal(
        guarantee="G9",
        mechanism="an instance is loaded for its tenant",
        place="databases",
        module="workflows_sqlalchemy/loading.py",
        text='    return query.where(instances.c.tenant_id == bindparam("tenant")) if of_tenant else query\n',
        instead="    return query\n",
        fails=(f"{ON_SQLITE}{LOADED}", f"{ON_POSTGRESQL}{LOADED}"),
        says=r"assert Loaded\(",
    ),
    Removal(
        guarantee="G9",
        mechanism="an instance is found for its tenant",
        place="memory",
        module="workflows_core/adapters/memory/queries.py",
        text="            if row is None or tenant not in (None, row.state.tenant):\n",
        instead="            if row is None:\n",
        fails=(f"{IN_MEMORY}test_an_instance_is_found_by_its_tenant_alone",),
        says=r"assert InstanceRecord\(",
    ),
    Removal(
        guarantee="G9",
        mechanism="an instance is found for its tenant",
        place="databases",
        module="workflows_sqlalchemy/queries.py",
        text='_INSTANCE_OF_TENANT: Final = _INSTANCE.where(instances.c.tenant_id == bindparam("tenant"))\n',
        instead="_INSTANCE_OF_TENANT: Final = _INSTANCE\n",
        fails=(
            f"{SQLITE}test_an_instance_is_found_by_its_tenant_alone",
            f"{POSTGRESQL}test_an_instance_is_found_by_its_tenant_alone",
        ),
        says=r"assert InstanceRecord\(",
    ),
    Removal(
        guarantee="G9",
        mechanism="a task is found for its tenant",
        place="memory",
        module="workflows_core/adapters/memory/queries.py",
        text="        return task if task is not None and tenant in (None, task.tenant_id) else None\n",
        instead="        return task\n",
        fails=(f"{IN_MEMORY}test_a_task_is_found_by_its_tenant_alone", f"{NOWHERE}[completeHumanTask-memory]"),
        says=r"assert TaskRecord\(|assert 200 == 404",
    ),
    Removal(
        guarantee="G9",
        mechanism="a task is found for its tenant",
        place="databases",
        module="workflows_sqlalchemy/queries.py",
        text='_TASK_OF_TENANT: Final = _TASK.where(tasks.c.tenant_id == bindparam("tenant"))\n',
        instead="_TASK_OF_TENANT: Final = _TASK\n",
        fails=(
            f"{SQLITE}test_a_task_is_found_by_its_tenant_alone",
            f"{POSTGRESQL}test_a_task_is_found_by_its_tenant_alone",
        ),
        says=r"assert TaskRecord\(",
    ),
    Removal(
        guarantee="G9",
        mechanism="lists have the instances of a tenant",
        place="memory",
        module="workflows_core/adapters/memory/queries.py",
        text="        where.tenant in (None, state.tenant)\n        and ",
        instead="        ",
        fails=(f"{IN_MEMORY}test_instances_are_found_by_tenant",),
        says="At index 0 diff: UUID",
    ),
    Removal(
        guarantee="G9",
        mechanism="lists have the instances of a tenant",
        place="databases",
        module="workflows_sqlalchemy/filters.py",
        text="            (instances.c.tenant_id, where.tenant),\n",
        instead="",
        fails=(f"{SQLITE}test_instances_are_found_by_tenant", f"{POSTGRESQL}test_instances_are_found_by_tenant"),
        says="At index 0 diff: UUID",
    ),
    Removal(
        guarantee="G9",
        mechanism="lists have the tasks of a tenant",
        place="memory",
        module="workflows_core/adapters/memory/queries.py",
        text="        where.tenant in (None, task.tenant_id)\n        and ",
        instead="        ",
        fails=(f"{IN_MEMORY}test_what_a_user_may_do_is_bounded_by_the_tenant",),
        says="Extra items in the left set",
    ),
    Removal(
        guarantee="G9",
        mechanism="lists have the tasks of a tenant",
        place="databases",
        module="workflows_sqlalchemy/filters.py",
        text="            (tasks.c.tenant_id, where.tenant),\n",
        instead="",
        fails=(
            f"{SQLITE}test_what_a_user_may_do_is_bounded_by_the_tenant",
            f"{POSTGRESQL}test_what_a_user_may_do_is_bounded_by_the_tenant",
        ),
        says="Extra items in the left set",
    ),
    Removal(
        guarantee="G9",
        mechanism="start keys are those of a tenant",
        place="memory",
        module="workflows_core/adapters/memory/writing.py",
        text="        known = memory.start_keys.get((after.tenant, after.workflow, write.start_key.key))\n",
        instead=(
            "        asked = after.workflow, write.start_key.key\n"
            "        known = next((found for key, found in memory.start_keys.items() if key[1:] == asked), None)\n"
        ),
        fails=(f"{MEMORY}{KEYS}",),
        says="a valid write was refused: DuplicateKey",
    ),
    Removal(
        guarantee="G9",
        mechanism="start keys are those of a tenant",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/conditions.py",
        text="i.tenant_id = json_extract(asked.value, '$[0]')\n    AND i.workflow_name",
        instead="i.workflow_name",
        fails=(f"{ON_SQLITE}{KEYS}",),
        says="a valid write was refused: DuplicateKey",
    ),
    *(
        Removal(
            guarantee="G9",
            mechanism="a route asks for the tenant of the actor",
            place=operation,
            module=f"workflows_{module}.py",
            text=text,
            instead=instead,
            fails=(f"{NOWHERE}[{operation}-memory]",),
            says=r"assert 200 == 404|what is hidden looks like what does not exist|== \[\]",
        )
        for operation, module, text, instead in (
            (
                "listWorkflowInstances",
                "litestar/controllers/instances",
                "        where = msgspec.structs.replace(instances, tenant=workflow_actor.tenant)\n",
                "        where = instances\n",
            ),
            (
                "listStepExecutions",
                "litestar/controllers/instances",
                "    if await engine.queries.get_instance(instance_id, tenant=actor.tenant) is None:\n",
                "    if await engine.queries.get_instance(instance_id) is None:\n",
            ),
            (
                "cancelWorkflowInstance",
                "core/engine/control",
                "            tenant=None if actor is None else actor.tenant,\n",
                "            tenant=None,\n",
            ),
            (
                "signalWorkflowInstance",
                "core/engine/signals",
                "        tenant = None if actor is None else actor.tenant\n",
                "        tenant = None\n",
            ),
            (
                "listHumanTasks",
                "litestar/controllers/tasks",
                "            tenant=workflow_actor.tenant,\n",
                "            tenant=None,\n",
            ),
            (
                "getHumanTask",
                "core/engine/engine",
                "        return await self._desk.tasks.get(task_id, tenant=None if actor is None else actor.tenant)\n",
                "        return await self._desk.tasks.get(task_id, tenant=None)\n",
            ),
            (
                "completeHumanTask",
                "core/engine/engine",
                "        task = await tasks.get(task_id, tenant=actor.tenant)\n",
                "        task = await tasks.get(task_id, tenant=None)\n",
            ),
            (
                "reassignHumanTask",
                "core/engine/engine",
                "        task = await self._desk.tasks.get(task_id, tenant=actor.tenant)\n",
                "        task = await self._desk.tasks.get(task_id, tenant=None)\n",
            ),
            (
                "listDeadLetters",
                "litestar/controllers/dead_letters",
                "            tenant=workflow_actor.tenant, workflow_name=workflow_name, page=paging\n",
                "            tenant=None, workflow_name=workflow_name, page=paging\n",
            ),
            (
                "retryDeadLetters",
                "litestar/controllers/dead_letters",
                "        found = await engine.list_dead_letters(tenant=actor.tenant, workflow_name=name, page=page)\n",
                "        found = await engine.list_dead_letters(tenant=None, workflow_name=name, page=page)\n",
            ),
        )
    ),
)
