"""G3: effects happen at least once, and can be told apart."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import Removal

__all__ = ["REMOVALS"]

TRANSACTIONAL: Final = "tests/integration/sqlalchemy/test_transactional_steps.py::"

REMOVALS: Final = (
    Removal(
        guarantee="G3",
        mechanism="the key of an execution is the same in every attempt",
        module="workflows_core/authoring/context.py",
        text='        return f"{self.instance_id}/{self.execution}"\n',
        instead='        return f"{self.instance_id}/{self.execution}/{self.attempt}"\n',
        fails=(
            "tests/unit/core/authoring/test_context.py::test_the_idempotency_key_stays_the_same_over_attempts",
            (
                "tests/unit/core/engine/test_failures.py::"
                "test_a_failed_attempt_is_repeated_under_the_same_key_until_one_succeeds"
            ),
        ),
        says=r"/3'\} == \{|assert 3 == 1",
    ),
    Removal(
        guarantee="G3",
        mechanism="an execution that an operator retries keeps its number",
        module="workflows_core/domain/kernel/reopening.py",
        text="    again = replace(token, status=StepStatus.SCHEDULED,",
        instead="    again = replace(token, execution=draft.number(), status=StepStatus.SCHEDULED,",
        fails=(
            (
                "tests/unit/core/kernel/test_failing.py::"
                "test_a_retry_opens_again_what_failed_and_what_that_cancelled_with_their_keys"
            ),
        ),
        says=r"'work': 10, .* == \{'work': 6",
    ),
    Removal(
        guarantee="G3",
        mechanism="the work of a step goes with the record of its result",
        module="workflows_core/domain/kernel/decide.py",
        text="    draft.work[token.id] = None\n    draft.awaits_slot = False",
        instead="    draft.awaits_slot = False",
        fails=("tests/simulation/test_crashes.py::test_a_crash_at_any_write_changes_nothing_of_the_end[parallel]",),
        says="it is over, and there is still",
    ),
    Removal(
        guarantee="G3",
        mechanism="the session of a transactional step is a savepoint",
        module="workflows_sqlalchemy/sessions/transactions.py",
        text='join_transaction_mode="create_savepoint"',
        instead='join_transaction_mode="control_fully"',
        fails=(
            f"{TRANSACTIONAL}test_a_commit_of_the_session_ends_nothing_and_a_rollback_undoes_what_came_after_it[sqlite]",
            f"{TRANSACTIONAL}test_a_commit_of_the_session_ends_nothing_and_a_rollback_undoes_what_came_after_it[asyncpg]",
        ),
        says="WorkflowStatus.FAILED: 'failed'> is <WorkflowStatus.COMPLETED",
    ),
    Removal(
        guarantee="G3",
        mechanism="what a transactional step wrote is rolled back if its result is refused",
        module="workflows_core/engine/sharing.py",
        text="            if not attempt.is_written:\n                raise _UndoneError(None)\n",
        instead="",
        fails=(f"{TRANSACTIONAL}test_a_step_whose_instance_was_cancelled_meanwhile_leaves_nothing",),
        says=r"assert \['rent'\] == \[\]",
    ),
    Removal(
        guarantee="G3",
        mechanism="the store is asked when the answer to the commit of a transactional step was lost",
        module="workflows_core/engine/sharing.py",
        text="            if inside is None or inside.last is None or await self._store.committed(inside.last) is None:\n",
        instead="            if True:\n",
        fails=(f"{TRANSACTIONAL}test_the_store_is_asked_when_the_answer_to_the_commit_is_lost[sqlite-True]",),
        says=r"assert \['after'\] == \['pay', 'after'\]",
    ),
)
