"""G8: the work of a dead worker is taken over."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import MEMORY, ON_POSTGRESQL, ON_SQLITE, Removal

__all__ = ["REMOVALS"]

ENGINE: Final = "tests/unit/core/engine/"
AGAIN: Final = "test_work_is_given_again_when_its_lease_has_ended"
DUE: Final = "test_held_work_is_due_when_its_lease_ends"

REMOVALS: Final = (
    Removal(
        guarantee="G8",
        mechanism="work whose lease has ended can be claimed",
        place="memory",
        module="workflows_core/adapters/memory/backlog.py",
        text="                if row.ticket == NOT_QUEUED:\n                    self.enqueue(row, now)\n",
        instead="",
        fails=(
            f"{MEMORY}{AGAIN}",
            f"{ENGINE}test_worker.py::test_work_of_a_dead_worker_is_taken_over_when_its_lease_has_ended",
        ),
        says="one work item is due, 0 were given|TimeoutError",
    ),
    Removal(
        guarantee="G8",
        mechanism="work whose lease has ended can be claimed",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/claims.py",
        text="    found = _first_turns(connection, work_items.c.due_at, last, *lapsed, *conditions, limit=limit)\n",
        instead="    found: list[_Candidate] = []\n",
        fails=(f"{ON_SQLITE}{AGAIN}",),
        says="one work item is due, 0 were given",
    ),
    Removal(
        guarantee="G8",
        mechanism="work whose lease has ended can be claimed",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/claims.py",
        text="w.worker IS NOT NULL AND w.throttle IS NULL AND w.lease_until <= (SELECT at FROM moment) AND {_IN_TIME}",
        instead="false",
        fails=(f"{ON_POSTGRESQL}{AGAIN}",),
        says="one work item is due, 0 were given",
    ),
    Removal(
        guarantee="G8",
        mechanism="an idle worker knows when the next lease ends",
        place="memory",
        module="workflows_core/adapters/memory/backlog.py",
        text="                    yield row.lease_until\n",
        instead="                    yield from ()\n",
        fails=(f"{MEMORY}{DUE}",),
        says="assert None == 25",
    ),
    Removal(
        guarantee="G8",
        mechanism="an idle worker knows when the next lease ends",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/claims.py",
        text="    SELECT min(w.lease_until) FROM {_WORK_AND_INSTANCE}\n",
        instead="    SELECT NULL FROM {_WORK_AND_INSTANCE}\n",
        fails=(f"{ON_SQLITE}{DUE}",),
        says="assert None == 25",
    ),
    Removal(
        guarantee="G8",
        mechanism="an idle worker knows when the next lease ends",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/claims.py",
        text="    (SELECT min(w.lease_until) FROM {_WORK_AND_INSTANCE}\n",
        instead="    (SELECT CAST(NULL AS timestamptz) FROM {_WORK_AND_INSTANCE}\n",
        fails=(f"{ON_POSTGRESQL}{DUE}",),
        says="assert None == 25",
    ),
    Removal(
        guarantee="G8",
        mechanism="work whose result could not be recorded is given back",
        module="workflows_core/engine/leftovers.py",
        text="                await store.release(worker, given, delay_s=pause_s, untouched=untouched)\n",
        instead="",
        fails=(
            f"{ENGINE}test_worker.py::test_work_whose_result_could_not_be_recorded_is_given_back_by_a_busy_worker",
            f"{ENGINE}test_worker.py::test_a_drain_that_lasts_too_long_gives_the_work_back",
        ),
        says="TimeoutError|assert '.*' is None",
    ),
    Removal(
        guarantee="G8",
        mechanism="work that a worker holds without knowing is given back",
        module="workflows_core/engine/leftovers.py",
        text="        self.unfinished |= strays & self._strays\n",
        instead="",
        fails=(
            f"{ENGINE}test_losses.py::test_work_whose_claim_was_never_answered_is_given_back_by_a_busy_worker[error0]",
        ),
        says="TimeoutError",
    ),
)
