"""G7: messages are hints."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import MEMORY, ON_POSTGRESQL, ON_SQLITE, Removal

__all__ = ["REMOVALS"]

ENGINE: Final = "tests/unit/core/engine/"
NOT_DUE: Final = "test_asking_for_a_work_item_does_not_make_it_due"
NOT_FREE: Final = "test_asking_for_a_work_item_does_not_take_it_from_its_holder"

REMOVALS: Final = (
    Removal(
        guarantee="G7",
        mechanism="a worker that nobody wakes looks by itself",
        module="workflows_core/engine/worker.py",
        text="            async with asyncio.timeout(seconds):\n",
        instead="            async with asyncio.timeout(None):\n",
        fails=(f"{ENGINE}test_worker.py::test_a_worker_that_nobody_wakes_finds_what_another_process_starts",),
        says="TimeoutError",
    ),
    Removal(
        guarantee="G7",
        mechanism="no pause is longer than `poll_s`",
        module="workflows_core/engine/pace.py",
        text="        self._pause_s = min(max(self._pause_s * _FACTOR, shortest), longest)\n",
        instead="        self._pause_s = max(self._pause_s * _FACTOR, shortest)\n",
        fails=(
            (
                f"{ENGINE}test_admission.py::"
                "test_pauses_are_short_after_work_grow_and_are_never_longer_than_allowed[False-False]"
            ),
        ),
        says=r"assert [\d.]+ <= 1\.0",
    ),
    Removal(
        guarantee="G7",
        mechanism="an unproven listener shortens the pauses",
        module="workflows_core/engine/pace.py",
        text="self._longest_s if proven or not expected else min(self._longest_s, _SHORT_S)",
        instead="self._longest_s",
        fails=(f"{ENGINE}test_admission.py::test_pauses_stay_short_while_hints_are_expected_and_do_not_arrive",),
        says=r"assert [\d.]+ <= 0\.25",
    ),
    Removal(
        guarantee="G7",
        mechanism="a hint that cannot be given harms nobody",
        module="workflows_core/engine/commits.py",
        text=(
            "            except Exception:\n"
            '                logger.warning("hint for %d work items lost; they will be found by polling", len(refs), exc_info=True)\n'
        ),
        instead="            finally:\n                pass\n",
        fails=(f"{ENGINE}test_losses.py::test_a_hint_that_cannot_be_given_harms_nobody",),
        says="a bug of a broker's client",
    ),
    Removal(
        guarantee="G7",
        mechanism="a hint makes nothing due",
        place="memory",
        module="workflows_core/adapters/memory/backlog.py",
        text="(row.due is not None and row.due <= now and not row.is_held(now))",
        instead="(row.due is not None and not row.is_held(now))",
        fails=(f"{MEMORY}{NOT_DUE}",),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G7",
        mechanism="a hint makes nothing due",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/claims.py",
        text="    due = and_(free, work_items.c.due_at <= now, work_items.c.throttle.is_(None))\n",
        instead="    due = and_(free, work_items.c.throttle.is_(None))\n",
        fails=(f"{ON_SQLITE}{NOT_DUE}",),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G7",
        mechanism="a hint makes nothing due",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/claims.py",
        text="((w.worker IS NULL OR w.lease_until <= (SELECT at FROM moment)) AND w.due_at <= (SELECT at FROM moment)\n",
        instead="((w.worker IS NULL OR w.lease_until <= (SELECT at FROM moment))\n",
        fails=(f"{ON_POSTGRESQL}{NOT_DUE}",),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G7",
        mechanism="a hint takes nothing from its holder",
        place="memory",
        module="workflows_core/adapters/memory/backlog.py",
        text="(row.due is not None and row.due <= now and not row.is_held(now))",
        instead="(row.due is not None and row.due <= now)",
        fails=(f"{MEMORY}{NOT_FREE}",),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G7",
        mechanism="a hint takes nothing from its holder",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/claims.py",
        text="    due = and_(free, work_items.c.due_at <= now, work_items.c.throttle.is_(None))\n",
        instead="    due = and_(work_items.c.due_at <= now, work_items.c.throttle.is_(None))\n",
        fails=(f"{ON_SQLITE}{NOT_FREE}",),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G7",
        mechanism="a hint takes nothing from its holder",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/claims.py",
        text="((w.worker IS NULL OR w.lease_until <= (SELECT at FROM moment)) AND w.due_at <= (SELECT at FROM moment)\n",
        instead="(w.due_at <= (SELECT at FROM moment)\n",
        fails=(f"{ON_POSTGRESQL}{NOT_FREE}",),
        says=r"assert \[Claim\(.* == \[\]",
    ),
)
