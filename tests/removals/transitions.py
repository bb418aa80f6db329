"""G2: a transition happens wholly and once."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import MEMORY, ON_POSTGRESQL, ON_SQLITE, Removal

__all__ = ["REMOVALS"]

AT_ONCE: Final = "test_of_several_transitions_at_once_from_one_revision_one_is_committed"
RIVALS: Final = "tests/integration/sqlalchemy/test_races.py::test_of_many_who_write_the_same_revision_one_wins"
OLD: Final = "test_a_transition_from_an_old_revision_is_a_conflict"

REMOVALS: Final = (
    Removal(
        guarantee="G2",
        mechanism="a write is accepted from the newest revision only",
        place="memory",
        module="workflows_core/adapters/memory/writing.py",
        text="        if row.state.revision != after.revision - 1:\n",
        instead="        if False:\n",
        fails=(f"{MEMORY}{AT_ONCE}", f"{MEMORY}{OLD}"),
        says="assert 8 == 1|a write was committed that must be refused",
    ),
    Removal(
        guarantee="G2",
        mechanism="a write is accepted from the newest revision only",
        place="SQLite",
        module="workflows_sqlalchemy/verdicts.py",
        text="    return None if situation.revisions.get(state.id, 0) == write.transition.base_revision else Conflict()\n",
        instead="    return None\n",
        fails=(f"{RIVALS}[sqlite]",),
        says="UNIQUE constraint failed: workflow_events",  # the history has one row for each revision
    ),
    Removal(
        guarantee="G2",
        mechanism="a write is accepted from the newest revision only",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/statements.py",
        text="CASE WHEN i.revision = a.base_revision THEN true END",
        instead="true",
        fails=(f"{RIVALS}[asyncpg]",),
        says="duplicate key value violates unique constraint",
    ),
    Removal(
        guarantee="G2",
        mechanism="what a refused write brings along is not written",
        module="workflows_sqlalchemy/postgresql/statements.py",
        place="PostgreSQL",
        text="    FROM {executions} JOIN accepted ok ON ok.place = r.place CROSS JOIN moment m {after_gone}\n",
        instead="    FROM {executions} CROSS JOIN moment m {after_gone}\n",
        fails=(f"{ON_POSTGRESQL}test_a_refused_transition_records_no_executions",),
        says=r"assert \[ExecutionRec.* == \[\]",
    ),
    Removal(
        guarantee="G2",
        mechanism="what a refused write brings along is not written",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/commits.py",
        text="    accepted = [write for write, result in zip(writes, results, strict=True) if isinstance(result, Committed)]\n",
        instead="    accepted = list(writes)\n",
        fails=(f"{ON_SQLITE}test_a_refused_transition_leaves_the_state",),
        says=r"assert InstanceState\(",
    ),
    Removal(
        guarantee="G2",
        mechanism="the store is asked by the id of a transition whose answer was lost",
        module="workflows_core/engine/commits.py",
        text="            found = await self._store.committed(write)\n",
        instead="            return (await self._store.commit((write,)))[0]\n",
        fails=(
            "tests/unit/core/engine/test_folding.py::test_a_write_whose_answer_is_lost_is_found_by_its_id",
            (
                "tests/unit/core/engine/test_worker.py::"
                "test_a_step_whose_commit_lost_its_answer_is_not_run_again_and_the_next_goes_on"
            ),
        ),
        says="LeaseLost'> != |TimeoutError",
    ),
    Removal(
        guarantee="G2",
        mechanism="the id of a transition is stored with it",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/commits.py",
        text="row.actor, row.events, row.transition_id\n",
        instead="row.actor, row.events, None\n",
        fails=(f"{ON_SQLITE}test_a_transition_is_known_by_its_id",),
        says="with the moment and the fences that were told",
    ),
    Removal(
        guarantee="G2",
        mechanism="the id of a transition is stored with it",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/statements.py",
        text="ok.actor, ok.events, ok.transition_id\n",
        instead="ok.actor, ok.events, NULL\n",
        fails=(f"{ON_POSTGRESQL}test_a_transition_is_known_by_its_id",),
        says="with the moment and the fences that were told",
    ),
    Removal(
        guarantee="G2",
        mechanism="a result for work that the token is past is refused",
        module="workflows_core/domain/kernel/decide.py",
        text="    if kind is None or kind not in kinds:\n",
        instead="    if False:\n",
        fails=("tests/unit/core/kernel/test_commands.py::test_a_command_for_another_kind_of_work_is_refused",),
        says="DID NOT RAISE StaleExecutionError",
    ),
    Removal(
        guarantee="G2",
        mechanism="a result for an execution that is no longer active is refused",
        module="workflows_core/domain/state.py",
        text="        return token if token is not None and token.execution == execution else None\n",
        instead="        return token\n",
        fails=("tests/unit/core/kernel/test_commands.py::test_a_result_is_taken_once",),
        says="DID NOT RAISE StaleExecutionError",
    ),
    Removal(
        guarantee="G2",
        mechanism="a join waits for every token that can still come",
        module="workflows_core/domain/kernel/joins.py",
        text="            return not coming\n",
        instead="            return True\n",
        fails=("tests/unit/core/engine/test_running_steps.py::test_parallel_branches_join_once_with_the_data_of_all",),
        says="At index 2 diff: 'join' != 'left'",
    ),
    Removal(
        guarantee="G2",
        mechanism="who comes too late reads again and decides again",
        module="workflows_core/engine/runner.py",
        text="                if not isinstance(result, Conflict):\n                    return result\n",
        instead="                return result\n",
        fails=(
            (
                "tests/unit/core/engine/test_losses.py::"
                "test_a_step_whose_instance_changed_meanwhile_is_recorded_without_running_again"
            ),
        ),
        says="assert 2 == 1",
    ),
)
