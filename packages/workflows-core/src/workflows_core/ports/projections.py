"""What records say of a state, the same in every store."""

from __future__ import annotations

from workflows_core.domain.state import ROOT, InstanceState

__all__ = ["current_step"]


def current_step(state: InstanceState) -> str | None:
    """The first active step of an instance in the order of entry; None when none is active.

    Items of a ``ForEach`` do not count: their step was entered before them. So the answer does not depend on which of them are
    in the state.
    """
    if state.status.is_final:
        return None
    first: tuple[bool, int, str] | None = None
    for scope in state.scopes.values():
        if scope.home == ROOT:
            for token in scope.tokens.values():
                place = (token.execution == 0, token.execution, token.node)
                if first is None or place < first:
                    first = place
    return first[2] if first is not None else None
