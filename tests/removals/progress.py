"""G1: what is started comes to an end, or shows why not."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import Removal

__all__ = ["REMOVALS"]

SESSIONS: Final = "tests/integration/sqlalchemy/test_sessions.py::"
QUERIES: Final = "test_instances_that_work_wait_or_are_over_are_not_stalled"

REMOVALS: Final = (
    Removal(
        guarantee="G1",
        mechanism="a transition writes the work that becomes ready",
        module="workflows_core/domain/kernel/draft.py",
        text="            self.work[token.id] = item\n",
        instead="            del item\n",
        fails=("tests/simulation/test_crashes.py::test_a_crash_at_any_write_changes_nothing_of_the_end[linear]",),
        says="is stalled: nothing will ever move it",
    ),
    Removal(
        guarantee="G1",
        mechanism="an instance of which no edge can be taken fails",
        module="workflows_core/domain/kernel/routing.py",
        text='        raise InvalidTransitionError(step.name, "none of its edges could be taken; add a default edge", seen)\n',
        instead="        return []\n",
        fails=(
            (
                "tests/unit/core/kernel/test_leaving.py::"
                "test_an_instance_fails_if_edges_exist_and_none_is_taken_and_names_the_step_and_the_values"
            ),
        ),
        says="'completed'> is <WorkflowStatus.FAILED",
    ),
    Removal(
        guarantee="G1",
        mechanism="an instance with a join that can never run fails",
        module="workflows_core/domain/kernel/joins.py",
        text="        reason = _hopeless(step, reach, waiting, others)\n",
        instead="        reason = None\n",
        fails=(
            (
                "tests/unit/core/kernel/test_joining.py::"
                "test_an_all_that_can_no_longer_be_satisfied_fails_the_instance_and_names_the_missing_edges"
            ),
        ),
        says="'running'> is <WorkflowStatus.FAILED",
    ),
    Removal(
        guarantee="G1",
        mechanism="a step that costs `max_crashes` workers becomes a dead letter",
        module="workflows_core/engine/attempts.py",
        text="        if turn.crashes >= self._settings.max_crashes:\n",
        instead="        if False:\n",
        fails=(
            (
                "tests/unit/core/engine/test_failures.py::"
                "test_a_step_that_costs_its_worker_again_and_again_becomes_a_dead_letter"
            ),
        ),
        says="assert None is <Parking.DEAD_LETTER",
    ),
    Removal(
        guarantee="G1",
        mechanism="steps that may have cost their workers run one after the other before their last chance",
        module="workflows_core/engine/worker.py",
        text="        elif self._is_suspect(holding) and any(map(self._is_suspect, self._running.values())):\n",
        instead="        elif False:\n",
        fails=(
            (
                "tests/unit/core/engine/test_failures.py::"
                "test_steps_that_may_have_cost_their_workers_run_one_after_the_other_in_the_end"
            ),
        ),
        says="two suspects ran beside each other",
    ),
    Removal(
        guarantee="G1",
        mechanism="a start in a session is part of its transaction",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/sessions.py",
        text="        return _InSession(session, connection, self._clock)\n",
        instead=(
            '        apart = self._store.execution_options(isolation_level="AUTOCOMMIT")\n'
            "        return _InSession(AsyncSession(apart), connection, self._clock)\n"
        ),
        fails=(f"{SESSIONS}test_a_start_is_gone_with_the_rollback_of_the_session[asyncpg]",),
        says="DID NOT RAISE InstanceNotFoundError",
    ),
    Removal(
        guarantee="G1",
        mechanism="`find_stalled` leaves out instances with work",
        place="memory",
        module="workflows_core/adapters/memory/queries.py",
        text="                and not any(row.work)\n",
        instead="",
        fails=(f"tests/conformance/test_memory_store.py::TestInMemoryWorkflowQueries::{QUERIES}",),
        says=r"assert \[UUID\(.* == \[\]",
    ),
    Removal(
        guarantee="G1",
        mechanism="`find_stalled` leaves out instances with work",
        place="databases",
        module="workflows_sqlalchemy/queries.py",
        text="            .where(~work.exists(), ~task.exists())\n",
        instead="            .where(~task.exists())\n",
        fails=(
            f"tests/conformance/test_sqlalchemy_store.py::TestQueriesOnSQLite::{QUERIES}",
            f"tests/conformance/test_sqlalchemy_store.py::TestQueriesOnPostgreSQLThroughAsyncpg::{QUERIES}",
        ),
        says=r"assert \[UUID\(.* == \[\]",
    ),
)
