"""Values with something in every field, so that a store that loses one is noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from workflows_core.domain.state import ErrorInfo, Failing, InstanceState, Items, LastExecution, Scope, Token, Undo
from workflows_core.domain.transition import Rate, Slot, StepExecution, WorkItem, WorkKind
from workflows_core.domain.types import Outcome, Parking, StepStatus, StepType, WorkflowStatus

__all__ = [
    "ERROR",
    "EXECUTION",
    "FAILING",
    "ITEMS",
    "LAST",
    "MOMENT",
    "TOKEN",
    "UNDO",
    "WORK",
    "full_scope",
    "full_state",
]

MOMENT: Final = datetime(2026, 2, 3, 4, 5, 6, 123457, tzinfo=UTC)
ERROR: Final = ErrorInfo("OddError", "it broke", "pack", "Traceback …", ("and then", "again"))
UNDO: Final = Undo(5, "second", 4)
FAILING: Final = Failing(ERROR, WorkflowStatus.FAILED, "out of stock", (8, 9))
ITEMS: Final = Items(30, 9, 8, 7, 6)
LAST: Final = LastExecution(22, StepStatus.FAILED, 4, MOMENT, MOMENT + timedelta(microseconds=1))
TOKEN: Final = Token(
    921,
    "pack",
    StepStatus.SCHEDULED,
    execution=922,
    via=3,
    since=MOMENT,
    child=923,
    items=ITEMS,
    outcome=Outcome.TIMEOUT,
    visit=4,
    actor="bob",
    attempts=5,
    failures=3,
    compensates=7,
    round=2,
)
EXECUTION: Final = StepExecution(
    922,
    "pack",
    StepType.MACHINE,
    StepStatus.FAILED,
    MOMENT,
    scope=4,
    item=3,
    visit=2,
    attempts=5,
    result=b"7",
    error=ERROR,
    completed_by="bob",
    compensates=9,
)
WORK: Final = WorkItem(
    921,
    WorkKind.UNDO,
    "pack",
    execution=922,
    queue="heavy",
    delay_s=3.0,
    due_at=MOMENT,
    priority=4,
    timeout_s=1e8,
    keeps_timeout=True,
    slot=Slot("printer", 3),
    rate=Rate("mail", 4, 5.0),
    admission=Slot("customer", 6),
)


def full_scope(scope: Scope, **changes: Any) -> Scope:
    """The scope with something in every field that says nothing of its place, and these changes."""
    return replace(
        scope,
        tokens={**scope.tokens, TOKEN.id: TOKEN},
        data={"weight": b"5", "raw": b"\x00\xff"},
        visits={"pack": 4, "ship": 1},
        results={"pack": b"6"},
        undo=(Undo(3, "first", 2), UNDO),
        failing=FAILING,
        **changes,
    )


def full_state(state: InstanceState) -> InstanceState:
    """The state with something in every field that changes while an instance runs."""
    return replace(
        state,
        status=WorkflowStatus.WAITING,
        counter=999,
        error=ERROR,
        buffered={"0/paid/1": b"\x01"},
        last={"pack": LAST},
        parked=Parking.COMPENSATION,
        has_deadline=True,
        signals={"go": (b"\x01", b"\x00\xff")},
        signal_keys=("key 1", "key 2"),
        priority=7,
        awaits_slot=True,
    )
