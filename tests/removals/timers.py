"""G6: timers do not fire early."""

from __future__ import annotations

from typing import Final

from tests.removals.removal import MEMORY, ON_POSTGRESQL, ON_SQLITE, Removal

__all__ = ["REMOVALS"]

BEFORE: Final = "test_work_before_its_moment_is_not_given"
DELAY: Final = "test_a_delay_counts_from_the_commit_to_the_microsecond"

REMOVALS: Final = (
    Removal(
        guarantee="G6",
        mechanism="work cannot be claimed before its moment",
        place="memory",
        module="workflows_core/adapters/memory/lanes.py",
        text="        while later and later[0][0] <= now:\n",
        instead="        while later:\n",
        fails=(f"{MEMORY}{BEFORE}", f"{MEMORY}{DELAY}"),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G6",
        mechanism="work cannot be claimed before its moment",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/claims.py",
        text="        place += [work_items.c.throttle.is_(None), work_items.c.due_at <= now, in_time, *conditions]\n",
        instead="        place += [work_items.c.throttle.is_(None), in_time, *conditions]\n",
        fails=(f"{ON_SQLITE}test_of_due_work_and_work_to_come_only_the_due_is_given",),
        says="Extra items in the left set",
    ),
    Removal(
        guarantee="G6",
        mechanism="work cannot be claimed before its moment",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/claims.py",
        text="w.due_at <= (SELECT at FROM moment)",
        times=3,
        instead="true",
        fails=(f"{ON_POSTGRESQL}{BEFORE}", f"{ON_POSTGRESQL}{DELAY}"),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G6",
        mechanism="the store adds the delay to its own clock",
        place="memory",
        module="workflows_core/adapters/memory/writing.py",
        text="moment_of(now, item.delay_s, item.due_at)",
        instead="item.due_at or now",
        fails=(f"{MEMORY}{BEFORE}", f"{MEMORY}{DELAY}"),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G6",
        mechanism="the store adds the delay to its own clock",
        place="SQLite",
        module="workflows_sqlalchemy/sqlite/commits.py",
        text="    due_at = _moment(at, row.delay_s, row.due_at)\n",
        instead="    due_at = row.due_at or at\n",
        fails=(f"{ON_SQLITE}{BEFORE}", f"{ON_SQLITE}{DELAY}"),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G6",
        mechanism="the store adds the delay to its own clock",
        place="PostgreSQL",
        module="workflows_sqlalchemy/postgresql/statements.py",
        text="        COALESCE(r.due_at, m.at + r.delay_s * INTERVAL '1 second'), r.revision,\n",
        instead="        COALESCE(r.due_at, m.at), r.revision,\n",
        fails=(f"{ON_POSTGRESQL}{BEFORE}", f"{ON_POSTGRESQL}{DELAY}"),
        says=r"assert \[Claim\(.* == \[\]",
    ),
    Removal(
        guarantee="G6",
        mechanism="a retry has its delay",
        module="workflows_core/domain/kernel/decide.py",
        text="    draft.put(command.place.scope, later, delay_s=delay_s)\n",
        instead="    draft.put(command.place.scope, later)\n",
        fails=(
            (
                "tests/unit/core/kernel/test_failing.py::"
                "test_a_failed_attempt_is_repeated_after_the_delay_under_the_same_execution"
            ),
        ),
        says=r"diff: 0\.0 != 2\.5",
    ),
)
