"""G4: a worker that was given up changes nothing."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import MEMORY, ON_POSTGRESQL, ON_SQLITE, Removal

__all__ = ["REMOVALS"]

ENGINE: Final = "tests/unit/core/engine/"
OLDER: Final = "test_a_write_under_an_older_fence_is_refused"
RAISES: Final = "test_every_claim_raises_the_fence_and_counts_an_attempt"
ANEW: Final = "test_a_work_item_that_is_made_anew_has_higher_fences_than_the_one_before"
ANEW_TAKEN: Final = "test_a_work_item_that_is_made_anew_and_taken_has_a_higher_fence_than_the_one_before"
HELD: Final = "test_work_is_held_until_its_lease_has_ended"
LATE: Final = "test_a_late_release_leaves_alone_what_the_same_worker_has_claimed_again"
TWICE: Final = "test_a_release_that_arrives_twice_gives_back_once"
STOPPED: Final = "test_code_that_runs_under_an_older_claim_is_stopped_although_the_worker_holds_the_work_item"
AT_ONCE: Final = "test_workers_that_claim_at_once_never_get_the_same"

REMOVALS: Final = (
    Removal(
        guarantee="G4",
        mechanism="a write under an old fence is refused",
        place="memory",
        module="workflows_core/adapters/memory/writing.py",
        text="            if not _holds(row, held):\n",
        instead="            if False:\n",
        fails=(f"{MEMORY}{OLDER}",),
        says="a write was committed that must be refused",
    ),
    Removal(
        guarantee="G4",
        mechanism="a write under an old fence is refused",
        place="SQLite",
        module="workflows_sqlalchemy/verdicts.py",
        text="    if not all(_is_held(write, held, situation) for held in write.holds):\n",
        instead="    if False:\n",
        fails=(f"{ON_SQLITE}{OLDER}",),
        says="a write was committed that must be refused",
    ),
    Removal(
        guarantee="G4",
        mechanism="a write under an old fence is refused",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/statements.py",
        text="CASE WHEN h.fence = r.fence AND h.worker = l.held_worker THEN true END",
        instead="true",
        fails=(f"{ON_POSTGRESQL}{OLDER}",),
        says="a write was committed that must be refused",
    ),
    Removal(
        guarantee="G4",
        mechanism="a claim raises the fence",
        place="memory",
        module="workflows_core/adapters/memory/backlog.py",
        text="        row.worker = worker\n        row.fence += 1\n",
        instead="        row.worker = worker\n",
        fails=(f"{MEMORY}{RAISES}", f"{MEMORY}test_a_fence_from_before_a_release_is_no_good_after_the_next_claim"),
        says=r"At index 1 diff: \(0, 2\) != \(1, 2\)|a write was committed that must be refused",
    ),
    Removal(
        guarantee="G4",
        mechanism="a claim raises the fence",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/claims.py",
        text="        fence=work_items.c.fence + 1,\n",
        instead="",
        fails=(f"{ON_SQLITE}{RAISES}", f"{ON_SQLITE}test_the_new_holder_can_write_after_the_old_one_was_refused"),
        says=r"At index 1 diff: \(0, 2\) != \(1, 2\)|a valid write was refused: LeaseLost",
    ),
    Removal(
        guarantee="G4",
        mechanism="a claim raises the fence",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/claims.py",
        text="    fence = w.fence + 1, attempt",
        instead="    attempt",
        fails=(
            f"{ON_POSTGRESQL}{RAISES}",
            f"{ON_POSTGRESQL}test_a_fence_from_before_a_release_is_no_good_after_the_next_claim",
        ),
        says=r"At index 1 diff: \(0, 2\) != \(1, 2\)|a write was committed that must be refused",
    ),
    Removal(
        guarantee="G4",
        mechanism="a work item that is made anew has other fences",
        place="memory",
        module="workflows_core/adapters/memory/rows.py",
        text="        self.fence = fence_before(instance.state.revision)\n",
        instead="        self.fence = 0\n",
        fails=(f"{MEMORY}{ANEW}", f"{MEMORY}{ANEW_TAKEN}"),
        says=r"assert 1 > [13]",
    ),
    Removal(
        guarantee="G4",
        mechanism="a work item that is made anew has other fences",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/commits.py",
        text="    fence = fence_before(row.revision) + taken\n",
        instead="    fence = taken\n",
        fails=(f"{ON_SQLITE}{ANEW}",),
        says=r"assert 1 > 3",
    ),
    Removal(
        guarantee="G4",
        mechanism="a work item that is made anew has other fences",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/statements.py",
        text="        r.revision * {fences} + CASE WHEN",
        instead="        CASE WHEN",
        fails=(f"{ON_POSTGRESQL}{ANEW}", f"{ON_POSTGRESQL}{ANEW_TAKEN}"),
        says=r"assert 1 > [13]",
    ),
    Removal(
        guarantee="G4",
        mechanism="a release names its claim",
        place="memory",
        module="workflows_core/adapters/memory/store.py",
        text=" and work.fence == lease.fence and work.is_held(now):\n",
        instead=" and work.is_held(now):\n",
        fails=(f"{MEMORY}{LATE}", f"{MEMORY}{TWICE}"),
        says=r"assert set\(\) == \{Lease\(",
    ),
    Removal(
        guarantee="G4",
        mechanism="a release names its claim",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/leases.py",
        text='        work_items.c.fence == bindparam("of_fence"),\n',
        instead="",
        fails=(f"{ON_SQLITE}{LATE}", f"{ON_SQLITE}{TWICE}"),
        says=r"assert set\(\) == \{Lease\(",
    ),
    Removal(
        guarantee="G4",
        mechanism="a release names its claim",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/leases.py",
        text=" AND r.fence = w.fence\n",
        instead="\n",
        fails=(f"{ON_POSTGRESQL}{LATE}", f"{ON_POSTGRESQL}{TWICE}"),
        says=r"assert set\(\) == \{Lease\(",
    ),
    Removal(
        guarantee="G4",
        mechanism="what is held is not given to others",
        place="memory",
        module="workflows_core/adapters/memory/backlog.py",
        text=(
            "        over = [worker for worker, holder in self._holders.items() if holder.earliest <= now]\n"
            "        for worker in over:\n"
            "            holder = self._holders[worker]\n"
            "            ended = [row for row in holder.rows if row.lease_until is None or row.lease_until <= now]\n"
        ),
        instead=(
            "        for worker, holder in tuple(self._holders.items()):\n            ended = list(holder.rows)\n"
        ),
        fails=(f"{MEMORY}{HELD}",),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G4",
        mechanism="what is held is not given to others",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/claims.py",
        text="        work_items.c.lease_until <= now,\n        in_time,\n",
        instead="        in_time,\n",
        fails=(f"{ON_SQLITE}{AT_ONCE}",),
        says="assert 40 == 5",
    ),
    Removal(
        guarantee="G4",
        mechanism="what is held is not given to others",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/claims.py",
        text="w.lease_until <= (SELECT at FROM moment)",
        times=3,
        instead="true",
        fails=(f"{ON_POSTGRESQL}{HELD}",),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G4",
        mechanism="of claims at once, each takes other rows",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/claims.py",
        text='_LOCK: Final = "FOR UPDATE OF w SKIP LOCKED"',
        instead='_LOCK: Final = ""',
        fails=("tests/integration/sqlalchemy/test_races.py::test_no_work_is_claimed_twice[asyncpg]",),
        says=r"assert \d+ == 1",
    ),
    Removal(
        guarantee="G4",
        mechanism="leases and moments are judged by the clock of the database",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/backend.py",
        text="        self.engine = engine.sync_engine\n        self.clock = clock\n",
        instead=(
            "        from workflows_core.adapters.system_clock import SystemClock\n"
            "        clock = clock or SystemClock()\n"
            "        self.engine = engine.sync_engine\n        self.clock = clock\n"
        ),
        fails=(
            "tests/integration/sqlalchemy/test_clocks.py::test_a_process_whose_clock_is_ahead_takes_nothing_before_its_moment",
            "tests/integration/sqlalchemy/test_clocks.py::test_what_a_process_holds_whose_clock_is_behind_is_left_to_it",
        ),
        says=r"assert \[Claim\(.* == \[\]|one work item is due, 0 were given",
    ),
    Removal(
        guarantee="G4",
        mechanism="a worker counts its lease from before it asked",
        module="workflows_core/engine/worker.py",
        text="        sent = self._clock()\n        claims = await self._engine.store.claim(wanted)\n",
        instead="        claims = await self._engine.store.claim(wanted)\n        sent = self._clock()\n",
        fails=(f"{ENGINE}test_leases.py::test_no_step_is_begun_with_less_than_half_of_its_lease[claim]",),
        says=r"assert \[\] == \[\(0\.0, True\)\]",
    ),
    Removal(
        guarantee="G4",
        mechanism="no step is begun with less than half of its lease",
        module="workflows_core/engine/holding.py",
        text="        return self._until - self._clock() >= self._lease_s / 2\n",
        instead="        return True\n",
        fails=(
            f"{ENGINE}test_leases.py::test_no_step_is_begun_with_less_than_half_of_its_lease[claim]",
            f"{ENGINE}test_leases.py::test_no_step_is_begun_with_less_than_half_of_its_lease[commit]",
        ),
        says=r"assert \[\] == \[\(0\.0, True\)\]",
    ),
    Removal(
        guarantee="G4",
        mechanism="leases are renewed in a thread of their own",
        module="workflows_core/engine/worker.py",
        text="        if self._heartbeat_thread:\n",
        instead="        if False:\n",
        fails=(
            f"{ENGINE}test_leases.py::test_a_step_that_blocks_the_event_loop_keeps_its_lease",
            f"{ENGINE}test_leases.py::test_code_that_blocks_the_event_loop_is_told_when_its_lease_has_ended",
        ),
        says=r"assert \[1, 2\] == \[1\]|<= \(0\.4 \+ 2\)",
    ),
    Removal(
        guarantee="G4",
        mechanism="leases are renewed",
        module="workflows_core/engine/heartbeat.py",
        text="            group.create_task(self._renew(renew))\n",
        instead="",
        fails=(f"{ENGINE}test_worker.py::test_leases_of_long_steps_are_renewed",),
        says=r"assert \d+ == 1",
    ),
    Removal(
        guarantee="G4",
        mechanism="a worker stops a step whose lease has ended",
        module="workflows_core/engine/heartbeat.py",
        text="            group.create_task(self._watch())\n",
        instead="",
        fails=(f"{ENGINE}test_leases.py::test_code_that_blocks_the_event_loop_is_told_when_its_lease_has_ended",),
        says=r"<= \(0\.4 \+ 2\)",
    ),
    Removal(
        guarantee="G4",
        mechanism="a worker stops a step whose lease it has lost",
        module="workflows_core/engine/worker.py",
        text="            if holding.lease not in held:\n",
        instead="            if False:\n",
        fails=(f"{ENGINE}test_worker.py::test_a_worker_that_lost_its_lease_stops_the_step_and_writes_nothing",),
        says="it need not wait for the end of the lease",
    ),
    Removal(
        guarantee="G4",
        mechanism="a worker stops what runs under an older claim of its own",
        module="workflows_core/engine/worker.py",
        text="            if holding.lease not in held:\n",
        instead="            if {lease.ref for lease in held}.isdisjoint(holding.refs):\n",
        fails=(f"{ENGINE}test_leftovers.py::{STOPPED}",),
        says=r"assert \[0, 0\] == \[1, 0\]",
    ),
)
