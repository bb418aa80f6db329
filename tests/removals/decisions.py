"""G5: a decision is never lost, and counts once."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import MEMORY, ON_POSTGRESQL, ON_SQLITE, Removal

__all__ = ["REMOVALS"]

KERNEL: Final = "tests/unit/core/kernel/"
ENGINE: Final = "tests/unit/core/engine/"
KEPT: Final = "test_signals_that_were_kept_come_back_exactly_and_in_order"
USED: Final = "test_a_used_start_key_tells_what_it_started"

REMOVALS: Final = (
    Removal(
        guarantee="G5",
        mechanism="the transition that takes the form closes the task",
        module="workflows_core/domain/kernel/decide.py",
        text="            status=TaskStatus.COMPLETED,\n",
        instead="",
        fails=(f"{ENGINE}test_requests.py::test_a_task_is_completed_once_and_the_second_learns_who_was_first",),
        says=r"assert \(1, 0\) == \(1, 4\)",
    ),
    Removal(
        guarantee="G5",
        mechanism="a completion needs a step that waits for it",
        module="workflows_core/domain/kernel/decide.py",
        text="    if token.status is not StepStatus.WAITING or not isinstance(kind, HumanNode):\n",
        instead="    if not isinstance(kind, HumanNode):\n",
        fails=(f"{KERNEL}test_waiting.py::test_a_task_whose_handler_is_still_to_run_is_completed_once",),
        says="KeyError",
    ),
    Removal(
        guarantee="G5",
        mechanism="a second completion is told of the first",
        module="workflows_core/engine/tasks.py",
        text="            raise TaskAlreadyCompletedError(task.id, task.completed_by, task.completed_at)\n",
        instead="            return\n",
        fails=(f"{ENGINE}test_requests.py::test_a_task_is_completed_once_and_the_second_learns_who_was_first",),
        says=r"assert \(1, 0\) == \(1, 4\)",
    ),
    Removal(
        guarantee="G5",
        mechanism="a command that comes too late is decided again",
        module="workflows_core/engine/requests.py",
        text="        for _attempt in range(self._settings.max_conflicts):\n",
        instead="        for _attempt in range(1):\n",
        fails=(f"{ENGINE}test_signals.py::test_a_signal_that_loses_the_race_for_the_revision_is_taken_all_the_same",),
        says="changed under the request",
    ),
    Removal(
        guarantee="G5",
        mechanism="an address is used once",
        module="workflows_core/domain/kernel/decide.py",
        text="    if command.visit <= scope.visits.get(command.step, 0) or key in draft.buffered:\n",
        instead="    if False:\n",
        fails=(
            f"{KERNEL}test_waiting.py::test_an_address_is_used_once",
            f"{ENGINE}test_requests.py::test_a_webhook_takes_one_call_also_an_early_one",
        ),
        says="DID NOT RAISE WebhookAlreadyUsedError",
    ),
    Removal(
        guarantee="G5",
        mechanism="an early call is kept",
        module="workflows_core/domain/kernel/decide.py",
        text="    draft.buffered = {**draft.buffered, key: command.payload}\n",
        instead="",
        fails=(
            f"{KERNEL}test_waiting.py::test_a_call_before_its_step_is_buffered_and_taken_at_once",
            f"{ENGINE}test_requests.py::test_a_webhook_takes_one_call_also_an_early_one",
        ),
        says="'0/paid/1'|DID NOT RAISE WebhookAlreadyUsedError",
    ),
    Removal(
        guarantee="G5",
        mechanism="an early signal is kept",
        module="workflows_core/domain/kernel/signals.py",
        text="        draft.signals = {**draft.signals, command.name: kept}\n",
        instead="",
        fails=(f"{KERNEL}test_signals.py::test_a_signal_before_its_step_is_kept_and_taken_at_once",),
        says=r"assert \{\} == \{'go': ",
    ),
    Removal(
        guarantee="G5",
        mechanism="a signal that is taken is kept no longer",
        module="workflows_core/domain/kernel/signals.py",
        text="    draft.signals = {name: queue for name, queue in draft.signals.items() if name != kind.signal}\n",
        instead="    draft.signals = dict(draft.signals)\n",
        fails=(f"{KERNEL}test_signals.py::test_a_signal_before_its_step_is_kept_and_taken_at_once",),
        says=r"assert not \{'go': ",
    ),
    Removal(
        guarantee="G5",
        mechanism="a `dedup_key` that was seen is refused",
        module="workflows_core/domain/kernel/signals.py",
        text="    if command.dedup_key is not None and command.dedup_key in state.signal_keys:\n",
        instead="    if False:\n",
        fails=(
            f"{KERNEL}test_signals.py::test_a_second_signal_with_the_same_key_is_refused_also_when_the_instance_is_over",
            (
                f"{ENGINE}test_signals.py::"
                "test_a_signal_whose_key_was_seen_changes_nothing_and_is_answered_as_the_instance_stands"
            ),
        ),
        says="DID NOT RAISE SignalAlreadyReceivedError|At index 1 diff: 3 != 2",
    ),
    Removal(
        guarantee="G5",
        mechanism="a `dedup_key` is remembered",
        module="workflows_core/domain/kernel/signals.py",
        text="        draft.signal_keys = (*draft.signal_keys, command.dedup_key)[-KEPT_KEYS:]\n",
        instead="        pass\n",
        fails=(
            f"{KERNEL}test_signals.py::test_a_second_signal_with_the_same_key_is_refused_also_when_the_instance_is_over",
        ),
        says="DID NOT RAISE SignalAlreadyReceivedError",
    ),
    Removal(
        guarantee="G5",
        mechanism="kept signals are stored with the state",
        place="databases",
        module="workflows_sqlalchemy/encoding.py",
        text="        state.signals,\n",
        instead="        {},\n",
        fails=(
            f"{ON_SQLITE}{KEPT}",
            f"{ON_POSTGRESQL}{KEPT}",
            (
                "tests/integration/sqlalchemy/test_persistent_engine.py::"
                "test_a_signal_that_came_early_and_its_key_outlive_the_engine_that_took_them[sqlite]"
            ),
        ),
        says=r"At index 0 diff: \{\} != \{|KeyError: 'number'",
    ),
    Removal(
        guarantee="G5",
        mechanism="a start key is used once",
        place="memory",
        module="workflows_core/adapters/memory/writing.py",
        text="        if known is not None:\n            return DuplicateKey(*known)\n",
        instead="",
        fails=(
            f"{MEMORY}{USED}",
            f"{ENGINE}test_requests.py::test_the_same_key_finds_the_first_instance_and_other_data_are_a_conflict",
        ),
        says=r"== \[DuplicateKey|False, False\) == .* True, False\)",
    ),
    Removal(
        guarantee="G5",
        mechanism="a start key is used once",
        place="SQLite",
        module="workflows_sqlalchemy/verdicts.py",
        text="        if used is not None:\n            return DuplicateKey(*used)\n",
        instead="",
        fails=(f"{ON_SQLITE}{USED}",),
        says="UNIQUE constraint failed",
    ),
    Removal(
        guarantee="G5",
        mechanism="a start key is used once",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/statements.py",
        text="r.created_by, COALESCE(r.started_at, m.at), m.at,\n        CASE WHEN a.is_final THEN m.at END, r.start_key,",
        instead="r.created_by, COALESCE(r.started_at, m.at), m.at,\n        CASE WHEN a.is_final THEN m.at END, NULL,",
        fails=(f"{ON_POSTGRESQL}{USED}",),
        says=r"== \[DuplicateKey",
    ),
)
