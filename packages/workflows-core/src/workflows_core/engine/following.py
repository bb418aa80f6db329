"""Which work item somebody goes on with after a transition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from workflows_core.domain.transition import Transition, WorkItem, WorkKind
from workflows_core.domain.types import WorkflowStatus
from workflows_core.engine.programs import LoadedProgram

__all__ = ["following_of"]

_WAITS: Final = frozenset({WorkKind.TIMER, WorkKind.AWAIT})


def following_of(
    loaded: LoadedProgram, transition: Transition, number: int, admits: Callable[[WorkItem], bool] | None
) -> WorkItem | None:
    """The work item with which a worker goes on: that of this number, else the first that is ready; None if it takes none."""
    if transition.state.status is WorkflowStatus.PAUSED:
        return None
    same = transition.work.get(number)
    candidates = (same, *transition.work.values()) if same is not None else transition.work.values()
    for item in candidates:
        if item is None or item.delay_s > 0 or item.due_at is not None or item.kind in _WAITS or item.is_throttled:
            continue
        if transition.state.knows_data(item.scope) and loaded.can_run(item) and (admits is None or admits(item)):
            return item
    return None
